// What the palette finds: pages, functions by text, and executions and deployments by their ids.
import { get, type ScriptSummary } from '$lib/api';
import { scriptPages } from '$lib/api/scripts';
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

export function pageHits(query: string): Hit[] {
	return PAGES.filter((one) => isShown(one) && one.name.toLowerCase().includes(query)).map((one) => ({ href: page(one.path), text: one.name, note: `g ${one.key}`, icon: one.icon }));
}

let known: Promise<ScriptSummary[]> | undefined;

/** Functions whose name or route has the text. The names are asked for once, while the palette is open. */
export async function functionHits(query: string): Promise<Hit[]> {
	if (!query) return [];
	known ??= allFunctions();
	const has = (script: ScriptSummary) => `${script.name} ${script.route?.path ?? ''}`.toLowerCase().includes(query);
	return (await known).filter(has).slice(0, MOST).map((script) => ({
		href: toFunction(script.name), text: script.name, note: script.route?.methods?.join(', ') ?? script.kind, icon: 'functions', isMono: true
	}));
}

export const forgetFunctions = (): void => void (known = undefined);

async function allFunctions(): Promise<ScriptSummary[]> {
	const all: ScriptSummary[] = [];
	for await (const page of scriptPages()) all.push(...page);
	return all;
}

/** What has this id, or a revision that begins so. */
export async function idHits(query: string): Promise<Hit[]> {
	if (!/^[0-9a-z-]{7,40}$/.test(query)) return [];
	const [execution, deployment] = await Promise.all([
		/^[0-9a-z]{13}$/.test(query) ? get('/api/admin/executions/{id}', { path: { id: query } }).catch(() => null) : null,
		get('/api/admin/deployments/{key}', { path: { key: query } }).catch(() => null)
	]);
	return [
		...(execution ? [{ href: toExecution(execution.id), text: `${execution.id} ${execution.function}`, note: String(execution.status), glyph: executionState(execution), isMono: true }] : []),
		...(deployment ? [{ href: toDeployment(deployment.id), text: `${shortRevision(deployment.revision)} ${deploymentTitle(deployment)}`, note: deployment.status, icon: 'deployments', isMono: true }] : [])
	];
}
