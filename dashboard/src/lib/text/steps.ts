// What an execution did, in the order of time: log lines, effects, events, and how it ended.
import type { Effect, Execution } from '$lib/api';
import { size } from './numbers';

export interface Step {
	at: number;
	/** Microseconds; without it, it is a moment. */
	took?: number;
	icon: string;
	text: string;
	isMono?: boolean;
	note?: string;
	title?: string;
	state?: 'warn' | 'fail';
}

export function stepsOf(execution: Execution): Step[] {
	const steps: Step[] = [
		...(execution.logs ?? []).map((line): Step => ({ at: line.at_us, icon: 'log', text: line.message, isMono: true, note: line.level, title: line.message })),
		...(execution.effects ?? []).map(effectStep),
		...(execution.events ?? []).map((event): Step => ({
			at: event.at_us, icon: 'events', text: event.topic, isMono: true,
			note: event.sent ? 'sent' : 'not sent: the run failed', ...(event.sent ? {} : { state: 'warn' as const })
		}))
	];
	if (execution.failure) steps.push({ at: execution.duration_us, icon: 'x', text: execution.failure.message, title: execution.failure.message, state: 'fail' });
	return steps.sort((one, other) => one.at - other.at);
}

function effectStep(effect: Effect): Step {
	const bytes = effect.received_bytes + effect.sent_bytes;
	const notes = [effect.outcome, bytes ? size(bytes) : '', effect.replayed ? 'given back, nothing was asked' : ''];
	return {
		at: effect.at_us,
		took: effect.duration_us,
		icon: effect.kind === 'http' ? 'http' : effect.kind === 'sql' ? 'database' : 'module',
		text: effect.kind === 'http' ? effect.target : `${effect.kind} ${effect.target}`,
		isMono: true,
		note: notes.filter(Boolean).join(' · '),
		title: effect.target,
		...(effect.failed ? { state: 'fail' as const } : {})
	};
}

/** "1 log line, 2 calls" of what it did. */
export function summaryOf(execution: Execution): string {
	const parts: [number, string][] = [
		[execution.logs?.length ?? 0, 'log line'],
		[(execution.effects?.length ?? 0) + (execution.effects_dropped ?? 0), 'call'],
		[execution.events?.length ?? 0, 'event']
	];
	return parts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}${count === 1 ? '' : 's'}`).join(', ');
}
