// `vite dev` serves the dashboard beside a node: PICLOUD_URL says which one, PICLOUD_TOKEN who asks.
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig, loadEnv, type Plugin } from 'vite';

const environment = loadEnv('', '.', 'PICLOUD_');
const node = environment.PICLOUD_URL ?? 'http://127.0.0.1:8080';
const token = environment.PICLOUD_TOKEN;

// SvelteKit hides its announcer of pages by an inline style, which the content security policy refuses. styles/base.css hides it instead.
const announcerWithoutStyle: Plugin = {
	name: 'announcer-without-style',
	enforce: 'pre',
	transform: (code, id) => (id.endsWith('/generated/root.svelte') ? code.replace(/(id="svelte-announcer"[^>]*?) style="[^"]*"/, '$1') : null)
};

// What pages share is one file, and each page is one more. So the first page is small, and asks for few files.
const shared: Plugin = {
	name: 'shared',
	applyToEnvironment: ({ name }) => name === 'client',
	outputOptions: (options) => ({ ...options, codeSplitting: { groups: [{ name: 'frame', test: /node_modules|src\/lib|\+(layout|error)\./ }] } })
};

export default defineConfig({
	plugins: [announcerWithoutStyle, shared, sveltekit()],
	build: {
		// Browsers that know light-dark(), nesting and popover: their CSS is kept as it is written.
		cssTarget: ['chrome125', 'firefox128', 'safari17.5']
	},
	server: {
		proxy: {
			'^/(api/admin|_picloud/(?!dashboard))': {
				target: node,
				headers: token ? { authorization: `Bearer ${token}` } : {}
			}
		}
	}
});
