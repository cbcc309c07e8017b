import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './support/browser.js';
import { startNode } from './support/node.js';
import { SHOP } from './support/shop.js';
import { until } from './support/wait.js';

let node, browser;
before(async () => {
	[node, browser] = await Promise.all([startNode(SHOP), startBrowser()]);
	await node.isLive();
});
after(() => Promise.all([browser?.stop(), node?.stop()]));

const revision = (page) => page.locator('.bar .id').first().getAttribute('title');

test('what is saved is seen without a reload, and so are mistakes with their line and column', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('deployments');
	await page.evaluate(() => (window.isSame = true));
	const first = await revision(page);
	const rows = page.locator('a.row.dep');
	assert.equal(await rows.count(), 1);

	await node.write('hello.rhai', '#{ hello: "moon" }\n');
	await rows.nth(1).waitFor();
	await page.waitForFunction((old) => document.querySelector('.bar .id')?.title !== old, first);

	await node.write('hello.rhai', 'let a = 1;\nlet b = a +;\n');
	const show = page.getByRole('link', { name: 'Show', exact: true });
	await show.waitFor();
	await page.getByText(/1 mistake/).first().waitFor();
	await show.click();
	await page.locator('pre.term').first().waitFor();
	const said = await page.locator('pre.term').first().innerText();
	assert.match(said, /hello\.rhai:2:\d+: error: /);
	assert.match(said, /2 \| let b = a \+;/);

	await node.write('hello.rhai', '#{ hello: "mended" }\n');
	await page.locator('.bar .tag', { hasText: 'in sync' }).waitFor();
	await page.locator('pre.term').waitFor({ state: 'detached' });
	assert.equal(await page.evaluate(() => window.isSame), true);
	await close();
});

test('a run that fails comes while one follows, and its page marks the line that failed', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('executions?follow=1');
	await page.getByText('Following').waitFor();
	assert.equal(await node.call('/hello'), 200);
	assert.equal(await node.call('/orders', { count: 12 }), 502);
	const failed = page.locator('a.row.ex', { hasText: 'nobody needs 12' });
	await failed.waitFor();
	assert.match(await failed.innerText(), /502/);
	await page.locator('a.row.ex', { hasText: 'hello' }).first().waitFor();

	await failed.click();
	await page.getByRole('heading', { name: 'nobody needs 12' }).waitFor();
	const hit = page.locator('.code .hit');
	assert.match(await hit.first().innerText(), /^2\s+if order\.count > 10/);
	assert.match(await hit.nth(1).innerText(), /\^ nobody needs 12/);
	assert.match(await page.locator('.code div.call').first().innerText(), /^4\s+let total = price::total\(order\)/);
	await page.getByText('an order of 12').waitFor();
	await close();
});

test('a kept request is changed and tried, and all that failed at its place run again', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	const [failed] = (await node.api('GET', 'executions?status=5xx')).executions;
	await go(`executions/${failed.id}`);
	await page.getByRole('button', { name: 'Show it' }).click();
	await page.getByRole('link', { name: 'Change it and try it' }).click();
	await page.waitForURL(/tab=try/);
	const body = page.getByLabel('Body', { exact: true });
	assert.deepEqual(JSON.parse(await body.inputValue()), { count: 12 });
	await body.fill('{"count": 2}');
	await page.getByRole('button', { name: /^Run/ }).click();
	await page.getByText('an order of 2').waitFor();

	await go(`executions/${failed.id}`);
	await page.getByRole('button', { name: 'Replay all…' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByRole('button', { name: 'Replay all' }).click();
	await dialog.getByText('0 of 1 run end otherwise now, 1 as before.').waitFor();
	assert.equal((await node.api('GET', 'audit?action=request_read')).entries.length, 1);
	await close();
});

test('a replay tells whether it still fails, and a rollback shows the difference first', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	const before = (await node.api('GET', 'status')).live.id;
	await node.write('_lib/price.rhai', 'fn total(order) {\n    order.count * 2\n}\n');
	await page.waitForFunction(async (old) => (await (await fetch('/api/admin/status')).json()).live.id !== old, before);

	await go('executions?status=5xx');
	await page.locator('a.row.ex', { hasText: 'nobody needs 12' }).first().click();
	await page.getByRole('button', { name: 'Replay', exact: true }).click();
	await page.getByRole('button', { name: /On what is live/ }).click();
	await page.getByText('It is mended.').waitFor();
	await page.keyboard.press('r');
	await page.getByRole('button', { name: /On the version before/ }).click();
	await page.getByText('It is not mended yet.').waitFor();

	await go('deployments?rollback=before');
	const dialog = page.getByRole('dialog');
	await dialog.getByText('What will differ from now').waitFor();
	await dialog.locator('li', { hasText: '/orders' }).waitFor();
	assert.equal((await node.api('GET', 'status')).following.pin ?? null, null);
	await dialog.getByLabel('Reason').fill('orders were too cheap');
	await dialog.getByText('Hold until I say so').click();
	await dialog.getByRole('button', { name: /^Make .* live$/ }).click();
	await dialog.waitFor({ state: 'detached' });
	await page.locator('.bar').getByText(/held by .*orders were too cheap/).waitFor();
	assert.equal(await node.call('/orders', { count: 12 }), 502);
	await go('audit');
	await page.getByText('orders were too cheap').first().waitFor();

	await page.locator('.bar').getByRole('button', { name: 'Unpin' }).click();
	await page.locator('.bar .tag', { hasText: 'in sync' }).waitFor();
	assert.equal(await node.call('/orders', { count: 12 }), 200);
	await close();
});

test('thousands of executions while one follows leave the page as large as a few hundred do', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('executions?follow=1');
	await page.getByText('Following').waitFor();
	const rows = page.locator('a.row.ex');
	const devtools = await page.context().newCDPSession(page);
	await devtools.send('Performance.enable');
	/** Runs so many, and tells what the page is made of when one that ran after them is shown. Beyond a hundred a second the node skips some. */
	const sizeAfter = async (runs) => {
		const mark = runs;
		const last = page.locator('a.row.ex', { hasText: `an order of ${mark}` });
		const each = async () => {
			while (runs-- > 0) assert.equal(await node.call('/hello'), 200);
		};
		await Promise.all(Array.from({ length: 16 }, each));
		await until('what ran last', async () => (await node.call('/orders', { count: mark })) === 200 && (await last.count()) && (await rows.count()) >= 200);
		assert.equal(await rows.count(), 200);
		await devtools.send('HeapProfiler.collectGarbage');
		const { metrics } = await devtools.send('Performance.getMetrics');
		return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
	};
	const few = await sizeAfter(400);
	const many = await sizeAfter(3000);
	for (const what of ['Nodes', 'JSEventListeners']) assert.ok(many[what] < few[what] * 1.5, `${what}: ${few[what]}, then ${many[what]}`);
	assert.ok(many.JSHeapUsedSize < few.JSHeapUsedSize + 4e6, `bytes: ${few.JSHeapUsedSize}, then ${many.JSHeapUsedSize}`);
	await page.getByRole('button', { name: 'Pause' }).click();
	await page.getByText('200 shown').waitFor();
	await close();
});
