// The database goes away while pages are open, and comes back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './support/browser.js';
import { startNode } from './support/node.js';
import { SHOP } from './support/shop.js';
import { until } from './support/wait.js';

const skip = process.env.PICLOUD_TEST_POSTGRES ? false : 'SQLite is a file beside the node: it does not go away';

let node, browser;
before(async () => {
	if (skip) return;
	[node, browser] = await Promise.all([startNode(SHOP), startBrowser()]);
	await node.isLive();
	await node.call('/hello');
	assert.equal(await node.call('/orders', { count: 12 }), 502);
	await until('an execution', async () => (await node.api('GET', 'executions?status=5xx')).executions.length);
});
after(() => Promise.all([browser?.stop(), node?.stop()]));

test('while the database is away pages keep what they have and say so; when it is back they go on by themselves', { skip }, async () => {
	const open = () => browser.open(node, { token: node.token, refused: [503] });
	const [overview, executions, deployments] = [await open(), await open(), await open()];
	const all = [overview, executions, deployments];
	await overview.go('');
	await executions.go('executions?follow=1');
	await executions.page.getByText('Following').waitFor();
	await deployments.go('schedules');
	for (const { page } of all) await page.evaluate(() => (window.isSame = true));

	node.wire.cut();
	for (const { page } of all) await page.locator('.bar').getByText(/^the database does not answer/).waitFor();
	await overview.page.getByText('Functions run on.').first().waitFor();
	assert.equal(await node.call('/orders', { count: 13 }), 502);
	await executions.page.locator('a.row.ex', { hasText: 'nobody needs 13' }).waitFor();

	// What is not there yet cannot be read; what is there stays, also where more is asked for.
	await deployments.page.getByRole('link', { name: 'Deployments', exact: true }).first().click();
	await deployments.page.getByText('It is asked for again when the database answers.').waitFor();
	await overview.page.getByRole('group', { name: 'Which' }).getByRole('button', { name: /^Failing/ }).click();
	await overview.page.getByText('It is asked for again when the database answers.').first().waitFor();
	await overview.page.locator('main tr', { hasText: 'hello' }).first().waitFor();
	await executions.page.getByRole('button', { name: 'Failed' }).click();
	await executions.page.getByText('Not just now').waitFor();
	await executions.page.locator('a.row.ex', { hasText: 'nobody needs 12' }).waitFor();

	node.wire.mend();
	for (const { page } of all) await page.locator('.bar .tag', { hasText: 'in sync' }).waitFor();
	await deployments.page.locator('a.row.dep').waitFor();
	await overview.page.locator('main tr', { hasText: 'hello' }).first().waitFor({ state: 'detached' });
	await overview.page.locator('main tr', { hasText: 'orders/index.post' }).waitFor();
	await executions.page.locator('a.row.ex', { hasText: 'hello' }).first().waitFor({ state: 'detached' });
	await executions.page.locator('a.row.ex', { hasText: 'nobody needs 13' }).waitFor();
	for (const { page, close } of all) {
		await page.locator('main .notice').first().waitFor({ state: 'detached' });
		assert.equal(await page.evaluate(() => window.isSame), true);
		await close();
	}
});
