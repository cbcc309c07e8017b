// The counts beside names of pages: what failed in the last hour, and what died.
import { get } from '$lib/api';
import { node } from '$lib/state/node.svelte';

export interface Badge {
	count: number;
	title: string;
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
		void look();
		const timer = setInterval(() => !document.hidden && void look(), LOOK_MS);
		return () => clearInterval(timer);
	});
}

async function look(): Promise<void> {
	const [stats, dead] = await Promise.all([
		get('/api/admin/stats', { query: { since: '1h' } }).catch(() => null),
		get('/api/admin/dead-letters', { query: { limit: 1000 } }).catch(() => null)
	]);
	of = { executions: badge(stats?.total.failed, 'failed in the last hour'), events: badge(dead?.dead_letters.length, 'dead letters') };
}

const badge = (count: number | undefined, words: string): Badge | undefined => (count ? { count, title: `${count} ${words}` } : undefined);
