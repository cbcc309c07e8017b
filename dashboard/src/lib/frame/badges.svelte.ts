// The counts beside names of pages: what failed in the last hour, and what died.
import { get } from '$lib/api';
import { node } from '$lib/state/node.svelte';
import { page, toExecutions } from '$lib/text/links';

export interface Badge {
	count: number;
	title: string;
	/** The list that it counts. */
	href: string;
}
const LOOK_MS = 60e3;
let of = $state.raw<Record<string, Badge | undefined>>();

/** Counts by path of a page. */
export const badges = {
	get of(): Record<string, Badge | undefined> {
		return of ?? {};
	},
	get areCounted(): boolean {
		return of !== undefined;
	}
};

/** Looks at them once a minute and after each deployment, as long as the component lives that calls this. */
export function countBadges(): void {
	const isSignedIn = $derived(!!node.me);
	$effect(() => {
		void node.turn;
		if (!isSignedIn) return;
		void countNow();
		const timer = setInterval(() => !document.hidden && void countNow(), LOOK_MS);
		return () => clearInterval(timer);
	});
}

/** Looks at them now: somebody changed what they count. */
export async function countNow(): Promise<void> {
	const [failed, dead] = await Promise.allSettled([get('/api/admin/stats', { query: { since: '1h' } }).then((stats) => stats.total.failed), countDead()]);
	of = { executions: badge(failed, 'failed in the last hour', toExecutions({ status: '5xx' }), of?.executions), events: badge(dead, 'dead letters', page('events'), of?.events) };
}

/** The queue is counted for the whole node. With a token for some functions, theirs are counted by a page, which is as long as a page can be. */
async function countDead(): Promise<number> {
	if (node.isWhole) return (await get('/api/admin/stats/events')).dead;
	return (await get('/api/admin/dead-letters', { query: { limit: 1000 } })).dead_letters.length;
}

/** What could not be counted stays as it was. */
function badge(answer: PromiseSettledResult<number>, words: string, href: string, before: Badge | undefined): Badge | undefined {
	if (answer.status === 'rejected') return before;
	return answer.value ? { count: answer.value, title: `${answer.value} ${words}`, href } : undefined;
}
