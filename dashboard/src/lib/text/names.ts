// Names of functions, revisions and people, and what of them is shown.
import type { Deployment, Execution } from '$lib/api';
import { plural } from './numbers';

/** The author of a commit comes with an address, which is left out. */
export const person = (by: string): string => by.replace(/ <.*>$/, '');

/** What the node says, at the beginning of a line. */
export const sentence = (said: string): string => said.charAt(0).toUpperCase() + said.slice(1);

/** The same as a whole sentence, for others to follow. */
export const wholeSentence = (said: string): string => sentence(said) + (/[.!?:]$/.test(said) ? '' : '.');

/** A commit by its first seven characters; a folder's digest has a word before it. */
export const shortRevision = (revision: string): string => revision.replace(/^dir-/, '').slice(0, 7);

export type State = 'ok' | 'warn' | 'fail' | 'off' | 'held' | 'run' | 'back';

/** The glyph of an execution. */
export function executionState(execution: Pick<Execution, 'status' | 'outcome'>): State {
	if (execution.outcome === 'cancelled') return 'off';
	if (execution.status >= 500) return 'fail';
	if (execution.status >= 400) return 'warn';
	return execution.outcome === 'ok' ? 'ok' : 'fail';
}

/** Runs without a caller have no request, and no status that somebody saw. */
export const hasCaller = (execution: Pick<Execution, 'trigger'>): boolean => !['schedule', 'event', 'manual'].includes(execution.trigger);

/** It was refused before anything of the function ran. */
export const isRejected = (execution: Pick<Execution, 'outcome'>): boolean => execution.outcome === 'rejected';

/** What ended a run, in a word. */
export const outcomeWord = (outcome: Execution['outcome']): string =>
	({ ok: 'ok', failed: 'threw', timed_out: 'timed out', operations_exceeded: 'too many operations', memory_exceeded: 'too much memory',
		size_exceeded: 'too large', cancelled: 'cancelled', rejected: 'rejected' })[outcome];

type Told = Pick<Deployment, 'cause' | 'functions'> & { note?: string | null | undefined; subject?: string | null | undefined };
const CAUSES: Record<Deployment['cause'], string> = { start: 'Started', save: 'Saved', push: 'Pushed', pull: 'Fetched', upload: 'Uploaded', rollback: 'Rolled back' };

/** What a deployment is called: the subject of its commit, or why there is one. */
export function deploymentTitle(deployment: Told): string {
	if (deployment.cause === 'rollback') return deployment.note ? `Rolled back: ${deployment.note}` : 'Rolled back';
	return deployment.subject ?? deployment.note ?? `${CAUSES[deployment.cause]} with ${plural(deployment.functions, 'function')}`;
}
