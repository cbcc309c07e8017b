// A single-page app below /_picloud/dashboard, in few files, which the binary embeds.
import adapter from '@sveltejs/adapter-static';

/** @type {import('@sveltejs/kit').Config} */
export default {
	compilerOptions: {
		runes: true,
		discloseVersion: false
	},
	kit: {
		adapter: adapter({ pages: 'dist', assets: 'dist', fallback: 'index.html' }),
		paths: { base: '/_picloud/dashboard' },
		// The default is the time of the build. With the digest of the sources two builds of the same are the same bytes, and a page that is open while
		// the node gets another version sees that: it loads the whole of the next page.
		version: { name: process.env.SOURCE ?? 'dev' }
	}
};
