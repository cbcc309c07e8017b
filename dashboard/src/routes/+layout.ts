// Everything is drawn in the browser: the node serves files and data, no pages.
export const ssr = false;
export const prerender = false;
