// A single-page app below /_picloud/dashboard, in few files, which the binary embeds.
import adapter from '@sveltejs/adapter-static';

/** @type {import('@sveltejs/kit').Config} */
export default {
	compilerOptions: { runes: true },
	kit: {
		adapter: adapter({ pages: 'dist', assets: 'dist', fallback: 'index.html' }),
		paths: { base: '/_picloud/dashboard' },
		output: { bundleStrategy: 'single' },
		// The default is the time of the build. With a fixed name two builds of the same sources are the same bytes.
		version: { name: 'picloud' }
	}
};
