// Every view: what axe finds, sideways scrolling, and what is there with no function and with very many.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { startBrowser } from './support/browser.js';
import { startNode } from './support/node.js';
import { SHOP } from './support/shop.js';
import { until } from './support/wait.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [360, 640, 1000, 1600];
/** Most bytes of files that a page may need, as they are sent. */
const MOST_BYTES = 90_000;
/** Most that may move by itself: the part of the window, times how far, as browsers count it (below 0.1 is good). */
const MOST_MOVED = 0.01;
/** Most elements of a page that lists thousands of things. */
const MOST_ELEMENTS = 2000;

let browser;
before(async () => (browser = await startBrowser()));
after(() => browser?.stop());

async function violations(page) {
	await page.evaluate(AXE);
	const found = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
	return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
}

const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

describe('a shop', () => {
	let node, paths;
	before(async () => {
		node = await startNode(SHOP);
		await node.isLive();
		await node.call('/hello');
		await node.call('/orders', { count: 12 });
		await node.call('/orders', { count: 2 });
		await until('a dead letter', async () => (await node.api('GET', 'dead-letters')).dead_letters.length);
		await node.write('hello.rhai', '#{ hello: "moon" }\n');
		const failed = await until('a failure', async () => (await node.api('GET', 'executions?status=5xx&function=orders/index.post')).executions[0]?.id);
		const one = 'functions/orders/index.post';
		const tabs = ['source', 'settings', 'versions', 'try'].map((tab) => `${one}?tab=${tab}`);
		const lists = ['', 'executions', 'deployments', 'functions', 'functions?view=routes', 'schedules', 'events', 'nodes', 'kv', 'tokens', 'secrets', 'audit'];
		paths = [...lists, `executions/${failed}`, 'deployments/live', 'deployments?rollback=before', one, ...tabs, 'nothing/like/that'];
	});
	after(() => node?.stop());

	for (const scheme of ['light', 'dark']) {
		test(`has no violation in any view, ${scheme}`, async () => {
			const { page, go, close } = await browser.open(node, { token: node.token, scheme });
			const found = [];
			for (const path of paths) {
				await go(path);
				found.push(...(await violations(page)).map((one) => `${path}: ${one}`));
			}
			assert.deepEqual(found, []);
			await close();
			const outside = await browser.open(node, { scheme });
			await outside.page.goto(`${node.dashboard}/signin`);
			await outside.page.getByLabel('Token').waitFor();
			assert.deepEqual(await violations(outside.page), []);
			await outside.close();
		});
	}

	test('needs few bytes for each view', async () => {
		const { page, go, close } = await browser.open(node, { token: node.token });
		let sizes = [];
		page.on('requestfinished', (request) => {
			if (request.url().includes('/dashboard/')) sizes.push(request.response().then((response) => response.headerValue('content-length')));
		});
		for (const path of paths) {
			sizes = [];
			await go(path);
			const bytes = (await Promise.all(sizes)).reduce((all, one) => all + Number(one), 0);
			assert.ok(bytes > 10_000 && bytes < MOST_BYTES, `${path}: ${bytes} bytes`);
		}
		await close();
	});

	for (const width of [1440, 390]) {
		test(`moves nothing while a view loads, ${width} px wide`, async () => {
			const { page, go, close } = await browser.open(node, { token: node.token, width });
			await page.addInitScript(() => {
				window.moved = 0;
				const add = (list) => list.getEntries().forEach((entry) => (window.moved += entry.hadRecentInput ? 0 : entry.value));
				new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });
			});
			const moved = [];
			for (const path of paths) {
				await go(path);
				const by = await page.evaluate(() => window.moved);
				if (by > MOST_MOVED) moved.push(`${path}: ${by.toFixed(3)}`);
			}
			assert.deepEqual(moved, []);
			await close();
		});
	}

	test('is never wider than the window', async () => {
		const { page, go, close } = await browser.open(node, { token: node.token });
		const wide = [];
		for (const path of paths) {
			await go(path);
			for (const width of WIDTHS) {
				await page.setViewportSize({ width, height: 900 });
				const by = await sideways(page);
				if (by > 0) wide.push(`${path} at ${width}: ${by} px`);
			}
		}
		assert.deepEqual(wide, []);
		await close();
	});
});

test('with no function every list says what it is for', async (context) => {
	const node = await startNode({});
	context.after(() => node.stop());
	const { page, go, close } = await browser.open(node, { token: node.token });
	for (const path of ['executions', 'functions', 'schedules', 'events', 'kv', 'secrets']) {
		await go(path);
		await page.locator('main .empty').first().waitFor();
		assert.deepEqual(await violations(page), [], path);
	}
	await go('');
	await page.getByRole('heading', { name: 'Your first function' }).waitFor();
	assert.deepEqual(await violations(page), []);
	await close();
});

test('with thousands of functions it shows the first rows, and finds one', async (context) => {
	const files = Object.fromEntries(Array.from({ length: Number(process.env.PICLOUD_E2E_FUNCTIONS ?? 2000) }, (_, i) => [`f${i % 100}/n${i}.get.rhai`, `${i}\n`]));
	const node = await startNode({ 'first.rhai': '1\n' });
	context.after(() => node.stop());
	const first = await node.isLive();
	for (const [name, text] of Object.entries(files)) await node.write(name, text);
	await until('all of them live', async () => (await node.api('GET', 'status')).live?.functions > Object.keys(files).length);
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('functions');
	await page.getByText('f42').first().waitFor();
	await page.getByLabel('Filter by name or route').fill('n1999');
	await page.getByRole('link', { name: /n1999/ }).waitFor();
	await go('functions?view=routes');
	await page.locator('tbody tr').nth(199).waitFor();
	assert.equal(await page.locator('tbody tr').count(), 200);

	await go(`deployments/live?against=${first}`);
	await page.locator('details.file').nth(49).waitFor();
	const elements = () => page.evaluate(() => document.querySelectorAll('*').length);
	assert.ok((await elements()) <= MOST_ELEMENTS, `${await elements()} elements`);
	const last = page.locator('details.file').last();
	assert.equal(await last.locator('.diff').count(), 0);
	await last.locator('summary').click();
	await last.locator('.diff').waitFor();
	await page.getByText(/^50 of [\d,]+ functions$/).waitFor();
	await page.getByRole('button', { name: 'Next 50' }).last().click();
	await page.locator('details.file').nth(99).waitFor();

	// A rollback to what was before them takes all of them away.
	await go(`deployments?rollback=${first}`);
	await page.getByRole('dialog').getByText(/^100 of [\d,]+ functions$/).waitFor();
	assert.ok((await elements()) <= MOST_ELEMENTS, `${await elements()} elements`);
	await close();
});
