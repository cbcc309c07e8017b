// What differs between two deployments, in signs and counts.
import type { ChangeKind, Deployment, FunctionDiff } from '$lib/api';

export const SIGNS: Record<ChangeKind, { sign: string; colour: string }> = {
	added: { sign: '+', colour: 't-ok' },
	changed: { sign: '~', colour: 'mid' },
	removed: { sign: '−', colour: 't-fail' }
};

/** How many functions it changed: as told, or counted from the changes. */
export function planCounts(deployment: Deployment): { added: number; changed: number; removed: number } {
	if (deployment.added !== undefined) return { added: deployment.added, changed: deployment.changed ?? 0, removed: deployment.removed ?? 0 };
	const changes = deployment.changes ?? [];
	const added = changes.filter((change) => !change.from).length;
	const removed = changes.filter((change) => !change.to).length;
	return { added, removed, changed: changes.length - added - removed };
}

/** The route in two parts: the method, or what runs it instead of a request, and the path. */
export function routeParts(diff: Pick<FunctionDiff, 'route' | 'function'>): [string, string] {
	const route = /^(any method|[A-Z]+(?:, [A-Z]+)*) (\/.*)$/.exec(diff.route);
	if (route) return [route[1]?.replace(' method', '') ?? '', route[2] ?? ''];
	const name = diff.function.replace(/^_(events|cron)\//, '');
	return [diff.route === 'event' ? 'event' : 'schedule', name];
}
