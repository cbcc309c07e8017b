// `vite dev` serves the dashboard beside a node: PICLOUD_URL says which one, PICLOUD_TOKEN who asks.
import { sveltekit } from '@sveltejs/kit/vite';
import { defineConfig, loadEnv } from 'vite';

const environment = loadEnv('', '.', 'PICLOUD_');
const node = environment.PICLOUD_URL ?? 'http://127.0.0.1:8080';
const token = environment.PICLOUD_TOKEN;

export default defineConfig({
	plugins: [sveltekit()],
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
