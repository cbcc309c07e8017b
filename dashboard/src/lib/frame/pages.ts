// The pages of the navigation, with the key after `g` that opens each, and what a token needs for them.
import type { Scope } from '$lib/api';
import { node } from '$lib/state/node.svelte';

export interface Page {
	path: string;
	icon: string;
	name: string;
	key: string;
	scope?: Scope;
	/** Whether it is about the whole node, which a token for some functions may not see. */
	isOfNode?: boolean;
}
export interface Group {
	name?: string;
	pages: Page[];
}

export const GROUPS: Group[] = [
	{
		pages: [
			{ path: '', icon: 'overview', name: 'Overview', key: 'o' },
			{ path: 'executions', icon: 'executions', name: 'Executions', key: 'e' },
			{ path: 'deployments', icon: 'deployments', name: 'Deployments', key: 'd', isOfNode: true },
			{ path: 'functions', icon: 'functions', name: 'Functions', key: 'f' }
		]
	},
	{
		name: 'Triggers',
		pages: [
			{ path: 'schedules', icon: 'schedules', name: 'Schedules', key: 's' },
			{ path: 'events', icon: 'events', name: 'Events', key: 'v' }
		]
	},
	{
		name: 'Node',
		pages: [
			{ path: 'nodes', icon: 'nodes', name: 'Nodes', key: 'n', isOfNode: true },
			{ path: 'kv', icon: 'kv', name: 'Key-value', key: 'y', isOfNode: true },
			{ path: 'tokens', icon: 'tokens', name: 'Tokens', key: 't', scope: 'admin', isOfNode: true },
			{ path: 'secrets', icon: 'secrets', name: 'Secrets', key: 'k', scope: 'deploy', isOfNode: true },
			{ path: 'audit', icon: 'audit', name: 'Audit log', key: 'a', scope: 'admin', isOfNode: true }
		]
	}
];
export const PAGES = GROUPS.flatMap((group) => group.pages);

/** Whether the token allows to see this page. */
export const isShown = (page: Page): boolean => (!page.scope || node.may(page.scope)) && (node.isWhole || !page.isOfNode);
