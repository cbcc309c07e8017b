// The pages of the navigation, with the key after `g` that opens each, and the scope that they need.
import type { Scope } from '$lib/api';

export interface Page {
	path: string;
	icon: string;
	name: string;
	key: string;
	scope?: Scope;
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
			{ path: 'deployments', icon: 'deployments', name: 'Deployments', key: 'd' },
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
			{ path: 'nodes', icon: 'nodes', name: 'Nodes', key: 'n' },
			{ path: 'kv', icon: 'kv', name: 'Key-value', key: 'y' },
			{ path: 'tokens', icon: 'tokens', name: 'Tokens', key: 't', scope: 'admin' },
			{ path: 'secrets', icon: 'secrets', name: 'Secrets', key: 'k', scope: 'deploy' },
			{ path: 'audit', icon: 'audit', name: 'Audit log', key: 'a', scope: 'admin' }
		]
	}
];
export const PAGES = GROUPS.flatMap((group) => group.pages);
