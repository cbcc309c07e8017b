// The counts beside names of pages: what failed in the last hour, and what died.
import { get, ifThere } from '$lib/api';
import { node } from '$lib/state/node.svelte';

export interface Badge {
	count: number;
	title: string;
}

/** Counts by path of a page. They are looked at once a minute, and after each deployment. */
export function badges(): { readonly of: Record<string, Badge | undefined> } {
	let of = $state.raw<Record<string, Badge | undefined>>({});
	const look = async () => {
		const stats = await ifThere(get('/api/admin/stats', { query: { since: '1h' } })).catch(() => null);
		const dead = await get('/api/admin/dead-letters', { query: { limit: 1000 } }).catch(() => null);
		of = {
			executions: badge(stats?.total.failed, 'failed in the last hour'),
			events: badge(dead?.dead_letters.length, 'dead letters')
		};
	};
	const isSignedIn = $derived(!!node.me);
	$effect(() => {
		void node.turn;
		if (!isSignedIn) return;
		void look();
		const timer = setInterval(() => !document.hidden && void look(), 60e3);
		return () => clearInterval(timer);
	});
	return {
		get of() {
			return of;
		}
	};
}

const badge = (count: number | undefined, words: string): Badge | undefined => (count ? { count, title: `${count} ${words}` } : undefined);
