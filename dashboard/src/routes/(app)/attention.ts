// What needs somebody, the worst first: what the node says is degraded, what fails since what is live came, what died, and what somebody holds.
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

export function attention(status: NodeStatus | undefined, health: HealthPart[], failures: FailureGroup[], dead: number): Item[] {
	if (!status) return [];
	const warnings = status.diagnostics.filter((d) => d.severity !== 'error');
	const { pin, suspended } = status.following;
	const all: (Item | false)[] = [
		...health.map(ofHealth),
		...failures.filter((group) => group.deployment === status.live?.id).map(ofFailure),
		dead > 0 && { state: 'fail', what: plural(dead, 'dead letter'), why: 'no handler took them in all their attempts', href: page('events') },
		!!pin && { state: 'held', what: `The source is held since ${pin.by ? person(pin.by) : 'somebody'} went back`, why: pin.reason ?? shortRevision(pin.abandoned), href: page('deployments') },
		!!suspended && { state: 'held', what: 'The source is suspended', why: `by ${person(suspended.by)}`, href: page('deployments') },
		warnings.length > 0 && { state: 'warn', what: plural(warnings.length, 'warning'), why: warnings[0]?.message ?? '', href: toDeployment('live') }
	];
	const items = all.filter((item): item is Item => item !== false);
	return [...items.filter((item) => item.state === 'fail'), ...items.filter((item) => item.state !== 'fail')];
}

function ofHealth(part: HealthPart): Item {
	const href = part.deployment ? toDeployment(part.deployment) : part.part === 'files' ? page('', { mistakes: 1 }) : page(part.part === 'secrets' ? 'secrets' : 'nodes');
	return { state: part.level, what: part.says, why: part.do, href };
}

function ofFailure(group: FailureGroup): Item {
	return { state: 'fail', what: `${group.function} fails: ${group.message}`, why: `${plural(group.count, 'time')} since what is live came, not before`, href: toExecution(group.execution) };
}
