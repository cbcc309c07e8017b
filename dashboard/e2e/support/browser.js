// A browser that notes what no page may do: errors in the console, breaches of the content security policy, requests to other hosts.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { PATIENCE } from './wait.js';

export async function startBrowser() {
	const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
	return { open: (node, options) => open(browser, node, options), stop: () => browser.close() };
}

/** Opens a window of its own. With `token` it is signed in. `refused` says which answers of the node are part of the story, such as 401. */
async function open(browser, node, { token, scheme = 'light', width = 1440, height = 900, scale = 1, forcedColors = 'none', refused = [] } = {}) {
	const context = await browser.newContext({
		colorScheme: scheme,
		forcedColors,
		viewport: { width, height },
		deviceScaleFactor: scale,
		reducedMotion: 'reduce',
		ignoreHTTPSErrors: true
	});
	const page = await context.newPage();
	page.setDefaultTimeout(PATIENCE);
	const complaints = [];
	await page.addInitScript(() =>
		addEventListener('securitypolicyviolation', (event) => console.error(`the policy refuses ${event.violatedDirective} ${event.blockedURI} ${event.sample}`))
	);
	page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
	page.on('console', (message) => {
		const status = Number(message.text().match(/status of (\d+)/)?.[1]);
		if (message.type() === 'error' && !refused.includes(status)) complaints.push(`${message.text()} ${message.location().url}`);
	});
	const { origin } = new URL(node.dashboard);
	page.on('request', (request) => {
		const url = new URL(request.url());
		if (url.protocol !== 'data:' && url.origin !== origin) complaints.push(`a request to ${url}`);
	});

	/** Goes to a page by its path, and waits until what it shows is loaded. */
	const go = async (path = '') => {
		await page.goto(`${node.dashboard}/${path}`, { waitUntil: 'load' });
		await settled();
	};
	const settled = async () => {
		await page.locator('h1').first().waitFor({ state: 'attached' });
		await page.waitForFunction(() => !document.querySelector('main .skeleton, .live[aria-busy]'));
	};
	const signIn = async (secret) => {
		await page.getByLabel('Token').fill(secret);
		await page.getByRole('button', { name: 'Sign in' }).click();
	};
	if (token) {
		await page.goto(`${node.dashboard}/signin`);
		await signIn(token);
		await page.waitForURL((url) => !url.pathname.endsWith('/signin'));
		await settled();
	}
	return {
		page,
		go,
		settled,
		signIn,
		/** Ends the window, which must have had nothing to complain of. */
		async close() {
			await context.close();
			assert.deepEqual(complaints, []);
		}
	};
}
