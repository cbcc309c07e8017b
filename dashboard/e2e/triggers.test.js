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
	const { page, go, close } = await browser.open(node, { token: node.token, refused: [409] });
	await go('events');
	const letters = page.locator('button[data-id]');
	await letters.nth(1).waitFor();
	await letters.first().click();
	await page.getByRole('heading', { name: 'Payload' }).waitFor();
	await page.getByText('nobody packs').first().waitFor();

	await letters.first().focus();
	await page.keyboard.press('x');
	await page.getByRole('button', { name: 'All 2', exact: true }).click();
	assert.equal(await node.call('/orders', { count: 4 }), 200);
	await until('a third dead letter', async () => (await deadLetters()) === 3);
	const live = (await node.api('GET', 'status')).live.id;
	await node.write('_events/order.placed.rhai', 'log::info("packed");\n');
	await until('the mended handler', async () => (await node.api('GET', 'status')).live.id !== live);
	await page.getByRole('button', { name: 'Retry 2' }).click();
	await page.getByText('None was tried again: their number has changed.').waitFor();
	await page.getByText('there are 3 such dead letters, and 2 were expected').waitFor();
	assert.equal(await deadLetters(), 3);
	await letters.nth(2).waitFor();
	await page.getByRole('button', { name: 'Retry all 3' }).click();
	await page.getByText('3 events wait to be handled again').waitFor();
	await page.getByRole('heading', { name: 'No dead letters' }).waitFor();
	await until('packed orders', async () => (await node.api('GET', 'executions?trigger=event&status=2xx')).executions.length === 3);
	assert.equal(await deadLetters(), 0);
	await close();
});

test('one that somebody else settled is told, and the others are discarded', async () => {
	await node.write('_events/order.placed.rhai', '+++\n[retry]\nattempts = 1\n+++\nthrow "nobody packs";\n');
	await until('the handler that fails', async () => (await node.api('GET', 'scripts/_events%2Forder.placed')).source?.includes('throw'));
	for (const count of [2, 3]) assert.equal(await node.call('/orders', { count }), 200);
	await until('two dead letters', async () => (await deadLetters()) === 2);
	const { page, go, close } = await browser.open(node, { token: node.token, refused: [404, 409] });
	await go('events');
	const letters = page.locator('button[data-id]');
	const { dead_letters: all } = await node.api('GET', 'dead-letters');
	for (const i of [0, 1]) {
		await letters.nth(i).focus();
		await page.keyboard.press('x');
	}
	await node.api('POST', 'dead-letters/discard', { id: all[0].id, expected: 1 });
	await page.getByRole('button', { name: 'Discard…' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.getByLabel('Type 2 to go on').fill('2');
	await dialog.getByRole('button', { name: 'Discard' }).click();
	await page.getByText('1 dead letter discarded; 1 was no dead letter any more').waitFor();
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
	await dialog.getByLabel('Reason').fill('the disk is counted');
	await dialog.getByRole('button', { name: 'Pause', exact: true }).click();
	await page.getByText('paused by', { exact: false }).getByText('the disk is counted').waitFor();
	const [paused] = (await node.api('GET', 'schedules')).schedules;
	assert.equal(paused.paused.reason, 'the disk is counted');
	await page.getByRole('button', { name: 'Resume' }).click();
	await page.getByRole('button', { name: /^Pause / }).waitFor();
	const { executions } = await node.api('GET', 'executions?trigger=manual');
	assert.equal(executions.length, 1);
	await close();
});

test('what became of due times is shown beside a schedule, and how near a function came to its limits', async () => {
	await node.write('_cron/pulse.rhai', '+++\n[limits]\noperations = 20\n[[schedule]]\nevery = "1s"\n+++\nlet n = 0;\nwhile n < 2 { n += 1; }\nthrow "no pulse";\n');
	const pulse = () => node.api('GET', 'schedules/_cron%2Fpulse').catch(() => ({ runs: [] }));
	const [run] = await until('a due time', async () => (await pulse()).runs.length && (await pulse()).runs);
	assert.equal(run.outcome, 'failed');
	const { page, go, close } = await browser.open(node, { token: node.token });
	await go('schedules');
	await page.getByRole('button', { name: 'pulse', exact: true }).click();
	const one = page.locator('section', { has: page.getByRole('heading', { name: 'pulse' }) });
	await one.getByText('no pulse').first().waitFor();
	assert.match(await one.locator('.lanes').getAttribute('aria-label'), /^Of the last 12 hours: \d+ due times?, \d+ failed\./);
	await one.locator('ol a.mono').first().click();
	await page.getByRole('heading', { name: 'no pulse' }).waitFor();

	await go('functions/_cron/pulse?tab=settings');
	const operations = page.getByRole('row', { name: /^operations/ });
	await operations.getByRole('img', { name: 'near the limit' }).waitFor();
	assert.match(await operations.innerText(), /20[^]*\d+ · \d+ %/);
	const timeout = page.getByRole('row', { name: /^timeout/ });
	assert.match(await timeout.innerText(), /10s[^]*5m/);
	assert.equal(await timeout.getByRole('img').count(), 0);
	await close();
});
