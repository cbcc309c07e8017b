import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './support/browser.js';
import { startNode } from './support/node.js';
import { SHOP } from './support/shop.js';

let node, browser;
before(async () => {
	[node, browser] = await Promise.all([startNode(SHOP), startBrowser()]);
	await node.isLive();
});
after(() => Promise.all([browser?.stop(), node?.stop()]));

test('a token becomes a session that scripts cannot read, and a wrong one is refused with what to do', async () => {
	const { page, signIn, close } = await browser.open(node, { refused: [401] });
	await page.goto(`${node.dashboard}/executions`);
	await page.waitForURL(/\/signin\?/);
	await signIn('picloud_wrong');
	await page.getByRole('alert').getByText('This token is not known, or has ended.').waitFor();
	await page.getByText('picloud token list').waitFor();

	await signIn(node.token);
	await page.waitForURL(/\/executions$/);
	await page.getByRole('heading', { name: 'Executions' }).waitFor();
	const told = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
	assert.ok(!told.includes(node.token) && !told.includes('picloud_session'), told);

	await page.getByRole('button', { name: /sign out/i }).first().click();
	await page.waitForURL(/\/signin/);
	await page.goto(`${node.dashboard}/executions`);
	await page.waitForURL(/\/signin\?/);
	await close();
});

test('a session ends when its token is revoked elsewhere', async () => {
	const { secret } = await node.api('POST', 'tokens', { name: 'ann', scope: 'deploy' });
	const { page, close } = await browser.open(node, { token: secret });
	await page.getByRole('heading', { name: 'What is live' }).waitFor();
	await node.api('DELETE', 'tokens/ann');
	await page.waitForURL(/\/signin\?.*why=revoked/);
	await page.getByText('You were signed out.').waitFor();
	await page.getByText('Your token was revoked').waitFor();
	await close();
});

test('a token that may only read sees no order that it cannot give', async () => {
	const { secret } = await node.api('POST', 'tokens', { name: 'eve', scope: 'read' });
	assert.equal(await node.call('/orders', { count: 12 }), 502);
	const { page, go, close } = await browser.open(node, { token: secret });
	assert.equal(await page.getByRole('link', { name: 'Tokens' }).count(), 0);
	await go('executions?status=5xx');
	await page.getByRole('link', { name: /orders/ }).first().click();
	await page.getByText('nobody needs 12').first().waitFor();
	assert.equal(await page.getByRole('button', { name: 'Replay' }).count(), 0);
	await go('schedules');
	await page.getByText('tidy').first().waitFor();
	assert.equal(await page.getByRole('button', { name: 'Run now' }).count(), 0);
	await close();
});

test('a token for some functions sees those, asks for nothing else, and is told so once', async () => {
	const { secret } = await node.api('POST', 'tokens', { name: 'bob', scope: 'read', functions: 'orders' });
	assert.equal(await node.call('/hello'), 200);
	const { page, go, close } = await browser.open(node, { token: secret });
	await page.getByText('What is about the whole node is not shown.').waitFor();
	await page.getByRole('link', { name: 'orders/index.post' }).first().waitFor();
	assert.equal(await page.getByRole('link', { name: 'hello' }).count(), 0);
	assert.deepEqual(await page.locator('nav.nav li a > span:not(.count)').allInnerTexts(), ['Overview', 'Executions', 'Functions', 'Schedules', 'Events']);
	for (const path of ['executions', 'functions', 'functions?view=routes', 'schedules', 'events']) {
		await go(path);
		assert.equal(await page.getByRole('alert').count(), 0, path);
	}
	await go('deployments');
	await page.getByText('Your token is not good for this').waitFor();
	await close();
});
