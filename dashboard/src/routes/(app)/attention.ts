// What needs somebody, the worst first: what the node says is degraded, which functions are in trouble, what died, and what somebody holds.
import type { HealthPart, NodeStatus, Schedule } from '$lib/api';
import { toDeployment, toExecutions, page } from '$lib/text/links';
import { errorsOf, mistakesOf } from '$lib/text/mistakes';
import { person, shortRevision, type State } from '$lib/text/names';
import { plural } from '$lib/text/numbers';
import { isOfLiveVersion, type Trouble } from './trouble';

export interface Item {
	state: State;
	what: string;
	why: string;
	/** When it began, and what there is to say of that. */
	since?: string | undefined;
	began?: string;
	href: string;
}
export interface Found {
	troubles: Trouble[];
	/** Functions in trouble that are not among those. */
	more: number;
	dead: number;
	paused: Schedule[];
}
/** With more, they are one item. */
const MOST_PAUSED = 3;

export function attention(status: NodeStatus | undefined, health: HealthPart[], { troubles, more, dead, paused }: Found): Item[] {
	if (!status) return [];
	const warnings = status.diagnostics.filter((d) => d.severity !== 'error');
	const { pin, suspended } = status.following;
	const all: (Item | false)[] = [
		...health.map((part) => ofHealth(part, status)),
		...troubles.map((one) => ofTrouble(one, status)),
		more > 0 && { state: 'fail', what: `${plural(more, 'more function')} in trouble`, why: 'the list of functions has them first', href: page('', { state: 'failing' }) },
		dead > 0 && { state: 'fail', what: plural(dead, 'dead letter'), why: 'no handler took them in all their attempts', href: page('events') },
		!!pin && { state: 'held', what: `The source is held since ${pin.by ? person(pin.by) : 'somebody'} went back`, why: pin.reason ?? shortRevision(pin.abandoned), href: page('deployments') },
		!!suspended && { state: 'held', what: 'The source is suspended', why: `by ${person(suspended.by)}`, href: page('deployments') },
		...ofPaused(paused),
		warnings.length > 0 && { state: 'warn', what: plural(warnings.length, 'warning'), why: warnings[0]?.message ?? '', href: toDeployment('live') }
	];
	const items = all.filter((item): item is Item => item !== false);
	return [...items.filter((item) => item.state === 'fail'), ...items.filter((item) => item.state !== 'fail')];
}

function ofHealth(part: HealthPart, status: NodeStatus): Item {
	const errors = errorsOf(status);
	if (part.part === 'files' && errors[0]) {
		const { file, line, column, message } = errors[0];
		return { state: part.level, what: mistakesOf(errors), why: `${[file, line, column].filter(Boolean).join(':')}: ${message}`, since: part.since, href: page('', { mistakes: 1 }) };
	}
	return { state: part.level, what: part.says, why: part.do, since: part.since, href: page(part.part === 'secrets' ? 'secrets' : 'nodes') };
}

function ofTrouble(one: Trouble, status: NodeStatus): Item {
	const { of, onset, isOver } = one;
	const name = of.function;
	if (of.state === 'slow') return { state: 'warn', what: `${name} is slow`, why: of.because ?? '', href: toExecutions({ function: name }) };
	return {
		state: isOver ? 'warn' : 'fail',
		what: `${name} ${isOver ? 'failed' : 'fails'}${onset ? `: ${onset.message}` : ''}`,
		why: of.because ?? '',
		since: onset?.first,
		began: onset && beganOf(one, status),
		href: toExecutions({ function: name, status: '5xx' })
	};
}

function beganOf(one: Trouble, status: NodeStatus): string {
	const { of, onset, isOlder, isOver } = one;
	const live = of.version.slice(0, 8);
	if (isOver) return `, not any more since version ${live} is live`;
	if (isOlder) return ' or longer';
	if (!isOfLiveVersion(one)) return `, first in version ${onset?.version.slice(0, 8)}, and in ${live}, which is live`;
	return of.version_since === status.live?.time ? ', since what is live came, not before' : `, in version ${live}, which is live`;
}

function ofPaused(paused: Schedule[]): Item[] {
	const href = page('schedules');
	if (paused.length > MOST_PAUSED) return [{ state: 'held', what: plural(paused.length, 'paused schedule'), why: paused.map((one) => one.id).join(', '), href }];
	return paused.map((one) => ({ state: 'held', what: `${one.id} is paused`, why: `by ${person(one.paused?.by ?? '')}${one.paused?.reason ? `: ${one.paused.reason}` : ''}`, since: one.paused?.since, href }));
}
