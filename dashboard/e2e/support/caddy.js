// The Caddyfile of the repository, in front of a node, with a certificate of Caddy's own.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './wait.js';

const CADDYFILE = join(import.meta.dirname, '../../../caddy/Caddyfile');

async function freePort() {
	const server = createServer();
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	const { port } = server.address();
	await new Promise((resolve) => server.close(resolve));
	return port;
}

export async function startCaddy(node) {
	const home = await mkdtemp(join(tmpdir(), 'picloud-caddy-'));
	const [https, http] = [await freePort(), await freePort()];
	const env = {
		PATH: process.env.PATH,
		HOME: home,
		XDG_CONFIG_HOME: home,
		XDG_DATA_HOME: home,
		PICLOUD_NODE: node,
		PICLOUD_CONTROL: node,
		PICLOUD_CADDY_ADMIN: 'off',
		PICLOUD_HTTPS_PORT: String(https),
		PICLOUD_HTTP_PORT: String(http)
	};
	const child = spawn('caddy', ['run', '--adapter', 'caddyfile', '--config', CADDYFILE], { env, stdio: ['ignore', 'ignore', 'pipe'] });
	let log = '';
	child.stderr.on('data', (text) => (log += text));
	await until('Caddy', () => {
		if (child.exitCode !== null) throw new Error(`Caddy ended:\n${log}`);
		return /certificate obtained successfully/.test(log);
	});
	return {
		address: `https://localhost:${https}`,
		stop() {
			child.kill('SIGKILL');
			rmSync(home, { recursive: true, force: true });
		}
	};
}
