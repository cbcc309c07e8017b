// What needs somebody, the worst first: as the node tells it, or else what its status and its readiness say.
import type { FailureGroup, HealthPart, NodeStatus } from '$lib/api';
import { toDeployment, toExecution, page } from '$lib/text/links';
import { person, shortRevision, type State } from '$lib/text/names';
import { plural } from '$lib/text/numbers';

export interface Item {
	state: State;
	what: string;
	why: string;
	href: string;
}

export function attention(status: NodeStatus | undefined, health: HealthPart[] | null, degraded: string[], failures: FailureGroup[]): Item[] {
	const items = health ? health.map(ofHealth) : [...ofStatus(status), ...degraded.map(ofDegraded)];
	return [...items, ...failures.filter((group) => status?.live && group.deployment === status.live.id).map(ofFailure)];
}

function ofHealth(part: HealthPart): Item {
	const href = part.deployment ? toDeployment(part.deployment) : part.part === 'files' ? page('', { mistakes: 1 }) : page(part.part === 'secrets' ? 'secrets' : 'nodes');
	return { state: part.level, what: part.says, why: part.do, href };
}

const ofDegraded = (words: string): Item => ({ state: 'warn', what: words, why: '', href: page('nodes') });

function ofFailure(group: FailureGroup): Item {
	return { state: 'fail', what: `${group.function} fails: ${group.message}`, why: `${plural(group.count, 'time')} since what is live came, not before`, href: toExecution(group.execution) };
}

function ofStatus(status: NodeStatus | undefined): Item[] {
	if (!status) return [];
	const errors = status.diagnostics.filter((d) => d.severity === 'error').length;
	const warnings = status.diagnostics.length - errors;
	const { pin, suspended } = status.following;
	const all: (Item | false)[] = [
		!!status.database.problem && { state: 'fail', what: 'The database does not answer', why: status.database.problem, href: page('nodes') },
		errors > 0 && { state: 'warn', what: `${plural(errors, 'mistake')} keep the source from going live`, why: 'what is live stays live', href: page('', { mistakes: 1 }) },
		!!pin && { state: 'held', what: `The source is held since ${pin.by ? person(pin.by) : 'somebody'} went back`, why: pin.reason ?? shortRevision(pin.abandoned), href: page('deployments') },
		!!suspended && { state: 'held', what: 'The source is suspended', why: `by ${person(suspended.by)}`, href: page('deployments') },
		!!status.problem && { state: 'warn', what: 'The source does not answer', why: status.problem, href: page('nodes') },
		warnings > 0 && { state: 'warn', what: plural(warnings, 'warning'), why: status.diagnostics.find((d) => d.severity === 'warning')?.message ?? '', href: toDeployment('live') }
	];
	return all.filter((item): item is Item => item !== false);
}
