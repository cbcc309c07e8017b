// Orders about the source, from wherever they are given: what was done is said, and what is live is looked at again.
import { post } from '$lib/api';
import { plural } from '$lib/text/numbers';
import { node } from './node.svelte';
import { toasts } from './toasts.svelte';

async function order(work: Promise<unknown>, said: string, state: 'ok' | 'held' = 'ok'): Promise<void> {
	await toasts.tell(work, said, state);
	await node.look();
}

export const unpin = (): Promise<void> => order(post('/api/admin/unpin'), 'The source is followed again');
export const resume = (): Promise<void> => order(post('/api/admin/source/resume'), 'The source is followed again');
export const suspend = (): Promise<void> => order(post('/api/admin/source/suspend'), 'Suspended: what is live stays, whatever is pushed or saved', 'held');

/** Has the source looked at now, and says what came of it. */
export async function sync(): Promise<void> {
	try {
		const outcome = await post('/api/admin/sync');
		const mistakes = outcome.diagnostics.filter((d) => d.severity === 'error').length;
		const trouble = mistakes ? `Looked: ${plural(mistakes, 'mistake')}, and what is live stays live` : (outcome.held ?? outcome.problem);
		toasts.say(trouble ?? 'Looked: the source is what is live', trouble ? 'warn' : 'ok');
	} catch (error) {
		toasts.refuse(error);
	}
	await node.look();
}
