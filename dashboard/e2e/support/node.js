// A real node in a folder of its own. PICLOUD_TEST_POSTGRES is its database, else SQLite; PICLOUD_E2E_CADDY=1 puts Caddy in front of it.
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startCaddy } from './caddy.js';
import { PATIENCE, until } from './wait.js';
import { startWire } from './wire.js';

const BINARY = process.env.PICLOUD_BINARY ?? join(import.meta.dirname, '../../../target/debug/picloud');
const BASE = '/_picloud/dashboard';

let databases = 0;

/** Makes a database that no other node uses. */
async function ownDatabase() {
	const server = process.env.PICLOUD_TEST_POSTGRES;
	if (!server) return 'sqlite';
	const url = new URL(server);
	url.pathname = `/e2e_${process.pid}_${databases++}`;
	await promisify(execFile)('psql', [server, '-qc', `CREATE DATABASE ${url.pathname.slice(1)}`]);
	return url.href;
}

/** Starts a node that serves these files: names with their texts. On Postgres it has a `wire` to it. */
export async function startNode(files) {
	const home = await mkdtemp(join(tmpdir(), 'picloud-e2e-'));
	const folder = join(home, 'functions');
	await mkdir(folder);
	await writeFile(join(home, 'picloud.toml'), '[server]\ntrusted_proxies = ["127.0.0.1", "::1"]\n[journal]\ncapture = true\n');
	const write = async (name, text) => {
		await mkdir(dirname(join(folder, name)), { recursive: true });
		await writeFile(join(folder, name), text);
	};
	for (const [name, text] of Object.entries(files)) await write(name, text);

	const args = ['serve', '--config', join(home, 'picloud.toml'), '--listen', '127.0.0.1:0', '--data', join(home, 'data'), '--functions', folder];
	const database = await ownDatabase();
	const wire = database === 'sqlite' ? undefined : await startWire(database);
	const child = spawn(BINARY, args, { cwd: home, env: { PATH: process.env.PATH, PICLOUD_DATABASE_URL: wire?.url ?? database }, stdio: ['ignore', 'pipe', 'pipe'] });
	let log = '';
	for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
	const address = await until('an address', () => {
		if (child.exitCode !== null) throw new Error(`the node ended:\n${log}`);
		return log.match(/listening on (http:\/\/127\.0\.0\.1:\d+)/)?.[1];
	});
	const token = (await readFile(join(home, 'data/admin-token'), 'utf8')).trim();
	const caddy = process.env.PICLOUD_E2E_CADDY ? await startCaddy(new URL(address).host) : undefined;

	/** Asks the control API, past the browser and with the admin token. */
	async function api(method, path, body) {
		const response = await fetch(`${address}/api/admin/${path}`, {
			method,
			headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
			body: body === undefined ? undefined : JSON.stringify(body)
		});
		const text = await response.text();
		if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
		return text ? JSON.parse(text) : undefined;
	}
	return {
		token,
		wire,
		api,
		write,
		/** Where the browser finds the dashboard. */
		dashboard: (caddy?.address ?? address) + BASE,
		/** Asks a function, and gives the status. A text is sent as it is, all else as JSON. */
		call: async (path, body) => {
			const init = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: typeof body === 'string' ? body : JSON.stringify(body) };
			const response = await fetch(address + path, init);
			await response.arrayBuffer();
			return response.status;
		},
		/** Waits until something is live. */
		isLive: () => until('a deployment', async () => (await api('GET', 'status')).live?.id),
		async stop() {
			caddy?.stop();
			child.kill('SIGTERM');
			const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
			if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
			clearTimeout(timer);
			wire?.stop();
			await rm(home, { recursive: true, force: true });
		}
	};
}
