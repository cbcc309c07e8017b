// What needs somebody: it is told as long as it does, and where it leads to is what it speaks of.
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

const isFailing = async (name) => (await node.api('GET', 'stats/functions?state=failing')).functions.some((one) => one.function === name);

test('a function that fails is told with its version, whatever is deployed since, and Esc goes back to the list', async () => {
	assert.equal(await node.call('/orders', { count: 12 }), 502);
	await until('the failure', () => isFailing('orders/index.post'));
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('');
	const item = page.getByRole('link', { name: /orders\/index\.post fails: nobody needs 12/ });
	await item.getByText('since what is live came, not before').waitFor();

	const live = (await node.api('GET', 'status')).live.id;
	await node.write('hello.rhai', '#{ hello: "moon" }\n');
	await until('another deployment', async () => (await node.api('GET', 'status')).live.id !== live);
	await item.getByText(/, in version [0-9a-f]{8}, which is live/).waitFor();
	await page.locator('a.row.dep2', { hasText: 'hello.rhai' }).first().waitFor();

	await item.click();
	await page.waitForURL(/executions\?function=orders%2Findex\.post&status=5xx$/);
	const list = page.url();
	await page.locator('a.row.ex', { hasText: 'nobody needs 12' }).click();
	await page.getByRole('heading', { name: 'nobody needs 12' }).waitFor();
	await page.keyboard.press('Escape');
	await page.waitForURL(list);
	await close();
});

test('of a file with mistakes the line at the top says that all else is live', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('');
	await node.write('hello.rhai', 'let a = ;\n');
	await page.locator('.bar').getByText('hello.rhai').waitFor();
	await node.write('other.rhai', '1\n');
	await page.locator('.bar').getByText('without hello.rhai: 1 mistake').waitFor();
	await page.getByRole('link', { name: /hello\.rhai has 1 mistake/ }).waitFor();
	await node.write('hello.rhai', '#{ hello: "mended" }\n');
	await page.locator('.bar .tag', { hasText: 'in sync' }).waitFor();
	await close();
});

test('a request that was refused offers no replay, and says why', async () => {
	assert.equal(await node.call('/orders', 'no JSON'), 400);
	const { page, go, close } = await browser.open(node, { token: node.token });
	await until('the refusal', async () => (await node.api('GET', 'executions?status=4xx')).executions.length);
	await go('executions?status=4xx');
	await page.locator('a.row.ex').first().click();
	await page.getByText('The request was refused before anything of').waitFor();
	await page.getByText('headers and body are never kept').waitFor();
	for (const name of ['Replay', 'Show it']) assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
	await close();
});

test('a schedule that somebody has paused is told on the overview', async () => {
	await node.api('POST', 'schedules/_cron%2Ftidy/pause', { reason: 'the disk is counted' });
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('');
	await page.getByRole('link', { name: /_cron\/tidy is paused by admin: the disk is counted/ }).click();
	await page.waitForURL(/schedules$/);
	await close();
});
