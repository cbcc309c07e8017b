// The way from a node to its Postgres, which a story cuts and mends. It keeps its port meanwhile, so nobody else gets it.
import { connect, createServer } from 'node:net';

export async function startWire(database) {
	const url = new URL(database);
	const { hostname, port } = url;
	const open = new Set();
	let isCut = false;
	const server = createServer((near) => {
		if (isCut) return near.destroy();
		const far = connect(Number(port), hostname);
		for (const [one, other] of [[near, far], [far, near]]) {
			open.add(one);
			one.on('error', () => other.destroy());
			one.on('close', () => (open.delete(one), other.destroy()));
			one.pipe(other);
		}
	});
	await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
	url.host = `127.0.0.1:${server.address().port}`;
	const cut = () => {
		isCut = true;
		for (const one of open) one.destroy();
	};
	return {
		url: url.href,
		cut,
		mend: () => (isCut = false),
		stop() {
			cut();
			server.close();
		}
	};
}
