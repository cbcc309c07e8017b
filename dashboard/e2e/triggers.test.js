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

const deadLetters = async () => (await node.api('GET', 'dead-letters')).dead_letters.length;

test('a dead letter is looked at, chosen by a key, and handled again', async () => {
	assert.equal(await node.call('/orders', { count: 2 }), 200);
	assert.equal(await node.call('/orders', { count: 3 }), 200);
	await until('two dead letters', async () => (await deadLetters()) === 2);
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('events');
	const letters = page.locator('button[data-id]');
	await letters.nth(1).waitFor();
	await letters.first().click();
	await page.getByRole('heading', { name: 'Payload' }).waitFor();
	await page.getByText('nobody packs').first().waitFor();

	const live = (await node.api('GET', 'status')).live.id;
	await node.write('_events/order.placed.rhai', 'log::info("packed");\n');
	await until('the mended handler', async () => (await node.api('GET', 'status')).live.id !== live);
	await letters.first().focus();
	await page.keyboard.press('x');
	await page.getByRole('button', { name: 'All 2 of this list' }).click();
	await page.getByRole('button', { name: 'Retry 2' }).click();
	await page.getByText('2 events wait to be handled again').waitFor();
	await page.getByRole('heading', { name: 'No dead letters' }).waitFor();
	await until('packed orders', async () => (await node.api('GET', 'executions?trigger=event&status=2xx')).executions.length === 2);
	assert.equal(await deadLetters(), 0);
	await close();
});

test('a schedule is run now, paused and resumed', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('schedules');
	await page.getByRole('button', { name: 'Run now' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByRole('button', { name: 'Run', exact: true }).click();
	await dialog.getByText('all is tidy').waitFor();
	await dialog.getByRole('button', { name: 'Close' }).click();
	await page.getByRole('button', { name: /^Pause / }).click();
	await page.getByRole('button', { name: 'Resume' }).click();
	await page.getByRole('button', { name: /^Pause / }).waitFor();
	const { executions } = await node.api('GET', 'executions?trigger=manual');
	assert.equal(executions.length, 1);
	await close();
});
