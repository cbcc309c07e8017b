// What the palette finds: pages, functions by text, and executions and deployments by their ids.
import { get } from '$lib/api';
import { node } from '$lib/state/node.svelte';
import { deploymentTitle, executionState, shortRevision, type State } from '$lib/text/names';
import { page, toDeployment, toExecution, toFunction } from '$lib/text/links';
import { isShown, PAGES } from './pages';

export interface Hit {
	href: string;
	text: string;
	note: string;
	icon?: string;
	glyph?: State;
	isMono?: boolean;
}
const MOST = 40;
/** Characters of an id; what is shorter or longer is a revision. */
const ID = 13;

export function pageHits(query: string): Hit[] {
	return PAGES.filter((one) => isShown(one) && one.name.toLowerCase().includes(query)).map((one) => ({ href: page(one.path), text: one.name, note: `g ${one.key}`, icon: one.icon }));
}

/** Functions whose name, route or description has the text. The node looks for them: ten thousand names would take longer to come than to be looked through. */
export async function functionHits(text: string, signal: AbortSignal): Promise<Hit[]> {
	const { scripts } = await get('/api/admin/scripts', { query: { text, limit: MOST }, signal });
	return scripts.map((script) => ({
		href: toFunction(script.name), text: script.name, note: script.route?.methods?.join(', ') ?? script.kind, icon: 'functions', isMono: true
	}));
}

/** The digest of a folder is shown without the word before it. */
const ofFolder = (revision: string): string => (node.isFolder && /^[0-9a-f]{7,32}$/.test(revision) && revision.length !== ID ? `dir-${revision}` : revision);

/** What has this id, or a revision that begins so. */
export async function idHits(query: string, signal: AbortSignal): Promise<Hit[]> {
	if (!/^[0-9a-z-]{7,40}$/.test(query)) return [];
	const [execution, deployment] = await Promise.all([
		/^[0-9a-z]{13}$/.test(query) ? get('/api/admin/executions/{id}', { path: { id: query }, signal }).catch(() => null) : null,
		get('/api/admin/deployments/{key}', { path: { key: ofFolder(query) }, signal }).catch(() => null)
	]);
	return [
		...(execution ? [{ href: toExecution(execution.id), text: `${execution.id} ${execution.function}`, note: String(execution.status), glyph: executionState(execution), isMono: true }] : []),
		...(deployment ? [{ href: toDeployment(deployment.id), text: `${shortRevision(deployment.revision)} ${deploymentTitle(deployment)}`, note: deployment.status, icon: 'deployments', isMono: true }] : [])
	];
}
