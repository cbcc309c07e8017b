// Due times of a schedule: their colour, and how many of each there are.
import type { Schedule, ScheduleRun } from '$lib/api';
import { plural } from '$lib/text/numbers';

/** So many due times has a schedule in a list, and when it is asked for by itself. */
export const IN_LIST = 20;
export const OF_ONE = 150;

/** Classes of the bars. */
export const KINDS: Record<ScheduleRun['outcome'], string> = { ok: '', failed: 'fail', left_out: 'skip' };

/** `20 due times, 1 failed, 2 left out`. */
export function summary(runs: Pick<ScheduleRun, 'outcome'>[]): string {
	const of = (outcome: ScheduleRun['outcome']) => runs.filter((run) => run.outcome === outcome).length;
	const [failed, leftOut] = [of('failed'), of('left_out')];
	return [plural(runs.length, 'due time'), failed && `${failed} failed`, leftOut && `${leftOut} left out`].filter(Boolean).join(', ');
}

/** Its own name, or that of its file. */
export const titleOf = (schedule: Schedule): string => schedule.name ?? schedule.id.split('/').at(-1) ?? schedule.id;
