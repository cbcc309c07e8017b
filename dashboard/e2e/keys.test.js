// The keyboard alone: nothing needs a pointer, the focus is always seen, and it comes back from dialogs and menus.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './support/browser.js';
import { startNode } from './support/node.js';
import { SHOP } from './support/shop.js';

let node, browser;
before(async () => {
	[node, browser] = await Promise.all([startNode(SHOP), startBrowser()]);
	await node.isLive();
	assert.equal(await node.call('/orders', { count: 12 }), 502);
});
after(() => Promise.all([browser?.stop(), node?.stop()]));

const press = async (page, ...keys) => {
	for (const key of keys) await page.keyboard.press(key);
};
/** What has the focus: its words, and whether a person can see that. */
const focused = (page) =>
	page.evaluate(() => {
		const one = document.activeElement;
		const { outlineStyle, boxShadow } = getComputedStyle(one);
		return { text: (one.getAttribute('aria-label') ?? one.textContent).trim(), tag: one.tagName, isSeen: outlineStyle !== 'none' || boxShadow !== 'none' };
	});

test('somebody without a pointer signs in, finds a failure, and sees why it failed', async () => {
	const { page, settled, close } = await browser.open(node);
	await page.goto(`${node.dashboard}/signin`);
	await page.getByLabel('Token').waitFor();
	await page.keyboard.type(node.token);
	await press(page, 'Enter');
	await page.getByRole('heading', { name: 'What is live' }).waitFor();

	await press(page, '/');
	await page.getByRole('combobox', { name: 'Search' }).waitFor();
	await page.keyboard.type('orders/index');
	await page.getByRole('option', { name: /orders\/index\.post/ }).waitFor();
	await press(page, 'Enter');
	await page.waitForURL(/functions\/orders\/index\.post$/);

	await press(page, 'g', 'e');
	await page.waitForURL(/executions$/);
	await page.locator('a.row.ex', { hasText: 'nobody needs 12' }).waitFor();
	await press(page, 'f');
	await page.waitForURL(/status=5xx/);
	await settled();
	await press(page, 'j', 'Enter');
	await page.getByRole('heading', { name: 'nobody needs 12' }).waitFor();
	await page.locator('.code .hit').first().waitFor();
	await close();
});

test('each stop of the tab key is seen, and the focus comes back', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token });
	for (const path of ['', 'executions', 'deployments', 'functions', 'events', 'kv']) {
		await go(path);
		await press(page, 'Tab');
		assert.equal((await focused(page)).text, 'Skip to content', path);
		await press(page, 'Enter');
		assert.equal((await focused(page)).tag, 'MAIN', path);
		for (let i = 0; i < 12; i++) {
			await press(page, 'Tab');
			const { text, tag, isSeen } = await focused(page);
			assert.ok(isSeen || tag === 'BODY', `${path}: ${tag} ${text}`);
		}
	}
	await go('deployments');
	await page.getByRole('link', { name: 'Roll back…' }).focus();
	await press(page, 'Enter');
	await page.getByRole('dialog').waitFor();
	await press(page, 'Escape');
	await page.getByRole('dialog').waitFor({ state: 'detached' });
	assert.equal((await focused(page)).text, 'Roll back…');
	await press(page, '?');
	await page.getByRole('dialog').waitFor();
	await press(page, 'Escape');
	await page.getByRole('dialog').waitFor({ state: 'detached' });
	assert.equal((await focused(page)).text, 'Roll back…');
	await page.getByRole('button', { name: 'Source' }).focus();
	await press(page, 'Enter');
	await page.getByRole('button', { name: /Suspend/ }).waitFor();
	await press(page, 'Escape');
	assert.equal((await focused(page)).text, 'Source');
	await close();
});
