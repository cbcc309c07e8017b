// What a view asks for is refused for a while, or is answered in part: the page stays what it is, asks again as it was told, and says what is not there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './support/browser.js';
import { startNode } from './support/node.js';
import { SHOP } from './support/shop.js';
import { until } from './support/wait.js';

/** What is asked for by the frame of every page, and streams. */
const FRAME = /\/api\/admin\/(status|health)$|\/tail$/;
const REFUSAL = { status: 503, contentType: 'application/problem+json', headers: { 'retry-after': '1' }, body: JSON.stringify({ status: 503, title: 'Service Unavailable', detail: 'not now' }) };

let node, browser, paths;
before(async () => {
	[node, browser] = await Promise.all([startNode(SHOP), startBrowser()]);
	await node.isLive();
	await node.call('/orders', { count: 12 });
	const failed = await until('a failure', async () => (await node.api('GET', 'executions?status=5xx')).executions[0]?.id);
	const one = 'functions/orders/index.post';
	const lists = ['', 'executions', 'deployments', 'functions', 'functions?view=routes', 'schedules', 'events', 'nodes', 'kv', 'tokens', 'secrets', 'audit'];
	paths = [...lists, `executions/${failed}`, 'deployments/live', 'deployments?rollback=before', one, ...['source', 'settings', 'versions'].map((tab) => `${one}?tab=${tab}`)];
});
after(() => Promise.all([browser?.stop(), node?.stop()]));

test('a view that is refused with Retry-After asks again no faster than it was told, answers meanwhile, and goes on by itself', async () => {
	const { page, settled, close } = await browser.open(node, { token: node.token, refused: [503] });
	const times = new Map();
	let isRefusing = false;
	await page.route('**/api/admin/**', (route) => {
		const { pathname, search } = new URL(route.request().url());
		if (!isRefusing || FRAME.test(pathname)) return route.continue();
		const address = pathname + search.replace(/(since|until)=\d[^&]*/g, '$1');
		times.set(address, [...(times.get(address) ?? []), Date.now()]);
		return route.fulfill(REFUSAL).catch(() => undefined);
	});
	for (const path of paths) {
		times.clear();
		isRefusing = true;
		await page.goto(`${node.dashboard}/${path}`);
		const begin = Date.now();
		await until(`${path}: asked again`, async () => {
			await page.waitForFunction(() => true);
			return [...times.values()].some((all) => all.length > 2);
		});
		const seconds = (Date.now() - begin) / 1000;
		for (const [address, all] of times) assert.ok(all.length <= 3 + 2 * seconds, `${path}: ${address} ${all.length} times in ${seconds} s`);
		isRefusing = false;
		await page.locator('main .notice', { hasText: 'Not just now' }).first().waitFor({ state: 'detached' });
		await settled();
	}
	await close();
});

test('failures that were not all looked at are told as such', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('');
	const panel = page.locator('section', { hasText: 'Failures by place' }).last();
	await panel.getByText('24 h', { exact: true }).waitFor();
	await page.route('**/api/admin/stats/failures*', async (route) => {
		const response = await route.fetch();
		await route.fulfill({ response, json: { ...(await response.json()), looked_back_to: '2026-01-02T03:04:05Z' } });
	});
	await go('');
	await panel.getByText('of the newest, back to 03:04:05: there are more').waitFor();
	await go(paths.find((path) => path.startsWith('executions/')));
	await page.getByText('of the newest, back to 03:04:05: there are more').waitFor();
	await close();
});

test('the topic whose dead letters are shown stands in the address', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('events');
	await page.getByLabel('Topic', { exact: true }).selectOption('order.placed');
	await page.waitForURL(/topic=order\.placed/);
	await page.goBack();
	await page.waitForURL(/\/events$/);
	assert.equal(await page.getByLabel('Topic', { exact: true }).inputValue(), '');
	await close();
});

test('Esc closes the search at once, also with a text in it', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('');
	await page.keyboard.press('/');
	await page.getByRole('combobox', { name: 'Search' }).fill('orders');
	await page.keyboard.press('Escape');
	await page.getByRole('combobox', { name: 'Search' }).waitFor({ state: 'detached' });
	await close();
});
