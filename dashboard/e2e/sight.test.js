// For eyes that need more: colours that the system forces, and a page at 200 %.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './support/browser.js';
import { startNode } from './support/node.js';
import { SHOP } from './support/shop.js';
import { until } from './support/wait.js';

const ONE = 'functions/orders/index.post';
const VIEWS = ['', 'executions', 'deployments', 'functions', 'functions?view=routes', 'schedules', 'events', 'nodes', 'kv', 'tokens', 'secrets', 'audit', 'deployments/live', ONE];
const TABS = ['source', 'settings', 'versions', 'try'].map((tab) => `${ONE}?tab=${tab}`);

let node, browser, paths;
before(async () => {
	[node, browser] = await Promise.all([startNode(SHOP), startBrowser()]);
	await node.isLive();
	await node.call('/hello');
	for (const count of [2, 3, 12]) await node.call('/orders', { count });
	await until('dead letters', async () => (await node.api('GET', 'dead-letters')).dead_letters.length === 2);
	await node.write('hello.rhai', '#{ hello: "moon" }\n');
	const failed = await until('a failure', async () => (await node.api('GET', `executions?status=5xx&function=orders/index.post`)).executions[0]?.id);
	paths = [...VIEWS, ...TABS, `executions/${failed}`];
});
after(() => Promise.all([browser?.stop(), node?.stop()]));

const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

/** What has the colour of the page that it stands on, so that nobody sees it. */
const unseen = (page) =>
	page.evaluate(() => {
		const ground = getComputedStyle(document.body).backgroundColor;
		const isGone = (colour) => colour === ground || colour === 'transparent' || /^rgba.*, 0\)$/.test(colour);
		const all = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility({ visibilityProperty: true }));
		const named = (one) => `${one.tagName} ${one.getAttribute('class')} ${one.textContent.trim().slice(0, 30)}`;
		const isFramed = ({ borderTopWidth, borderTopColor, backgroundColor }) => (parseFloat(borderTopWidth) > 0 && !isGone(borderTopColor)) || !isGone(backgroundColor);
		return [
			...all('svg.g, svg.ic').filter((one) => one.closest('[aria-current], [aria-selected="true"], [aria-pressed="true"], .primary') === null && isGone(getComputedStyle(one).color)),
			...all('main .chart rect, main td svg rect').filter((one) => isGone(getComputedStyle(one).fill)),
			...all('main polyline').filter((one) => isGone(getComputedStyle(one).stroke)),
			...all('.lanes i, .cells i, .meter i, .lane i').filter((one) => !isFramed(getComputedStyle(one))),
			...all('.btn, input:not([type="checkbox"], [type="radio"]), select, textarea, .tag, .count, .panel, dialog').filter((one) => !isFramed(getComputedStyle(one))),
			...all('[aria-current], [aria-selected="true"], [aria-pressed="true"]').filter((one) => isGone(getComputedStyle(one).backgroundColor) || getComputedStyle(one).color === getComputedStyle(one).backgroundColor)
		].map(named);
	});

for (const scheme of ['light', 'dark']) {
	test(`with forced colours all is seen: states, charts, buttons, what is chosen, the focus; ${scheme}`, async () => {
		const { page, go, close } = await browser.open(node, { token: node.token, scheme, forcedColors: 'active' });
		const found = [];
		for (const path of paths) {
			await go(path);
			found.push(...(await unseen(page)).map((one) => `${path}: ${one}`));
			for (const key of ['Tab', 'Enter', 'Tab', 'Tab']) {
				await page.keyboard.press(key);
				const focus = await page.evaluate(() => {
					const { outlineStyle, outlineColor, outlineWidth } = getComputedStyle(document.activeElement);
					const isPage = document.activeElement.matches('main, body');
					return isPage || (outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 && outlineColor !== getComputedStyle(document.body).backgroundColor);
				});
				if (!focus) found.push(`${path}: the focus after ${key}`);
			}
		}
		assert.deepEqual(found, []);
		await go('deployments?rollback=before');
		await page.getByRole('dialog').getByText('/hello').waitFor();
		assert.deepEqual(await unseen(page), []);
		await close();
	});
}

/** What does not fit into its own box, and is cut without three points that say so. */
const cut = (page) =>
	page.evaluate(() =>
		[...document.querySelectorAll(':is(.btn, .tag, .count, .seg > *, .fig b, h1, h2, th, .live .word):not(.vh)')]
			.filter((one) => one.checkVisibility({ visibilityProperty: true }) && getComputedStyle(one).overflowX !== 'visible' && one.scrollWidth > one.clientWidth + 1)
			.map((one) => `${one.tagName} ${one.getAttribute('class')} ${one.textContent.trim().slice(0, 30)}`)
	);

test('at 200 % nothing is cut, nothing scrolls sideways, and a dialog has its buttons in sight', async () => {
	const { page, go, close } = await browser.open(node, { token: node.token, width: 720, height: 450, scale: 2 });
	const found = [];
	for (const path of paths) {
		await go(path);
		const by = await sideways(page);
		if (by > 0) found.push(`${path}: ${by} px sideways`);
		found.push(...(await cut(page)).map((one) => `${path}: ${one}`));
		const last = page.locator('.nav .who > *').last();
		await last.scrollIntoViewIfNeeded();
		assert.ok(await last.isVisible(), `${path}: the end of the navigation`);
	}
	assert.deepEqual(found, []);

	await go('deployments?rollback=before');
	const dialog = page.getByRole('dialog');
	await dialog.getByText('/hello').waitFor();
	const box = await dialog.boundingBox();
	assert.ok(box.y >= 0 && box.y + box.height <= 450, JSON.stringify(box));
	const button = await dialog.getByRole('button', { name: /^Make .* live$/ }).boundingBox();
	assert.ok(button.y + button.height <= box.y + box.height, JSON.stringify(button));
	const reason = dialog.getByLabel('Reason');
	await reason.fill('nobody needs a moon');
	await reason.scrollIntoViewIfNeeded();
	assert.ok(await reason.isVisible());
	await close();
});
