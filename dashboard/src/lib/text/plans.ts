// What differs between two deployments, in signs and counts.
import type { ChangeKind, Deployment, FunctionDiff } from '$lib/api';

export const SIGNS: Record<ChangeKind, { sign: string; colour: string }> = {
	added: { sign: '+', colour: 't-ok' },
	changed: { sign: '~', colour: 'mid' },
	removed: { sign: '−', colour: 't-fail' }
};

/** How many functions it changed. */
export const planCounts = ({ added, changed, removed }: Deployment): { added: number; changed: number; removed: number } => ({ added, changed, removed });

/** The route in two parts: the method, or what runs it instead of a request, and the path. */
export function routeParts(diff: Pick<FunctionDiff, 'route' | 'function'>): [string, string] {
	const route = /^(any method|[A-Z]+(?:, [A-Z]+)*) (\/.*)$/.exec(diff.route);
	if (route) return [route[1]?.replace(' method', '') ?? '', route[2] ?? ''];
	const name = diff.function.replace(/^_(events|cron)\//, '');
	return [diff.route === 'event' ? 'event' : 'schedule', name];
}
