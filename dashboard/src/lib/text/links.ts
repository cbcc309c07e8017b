// Addresses of pages. Filters are keys of the address, with the names that the API has.
import { base } from '$app/paths';

type Filters = Record<string, string | number | undefined | null>;

export function page(path: string, filters: Filters = {}): string {
	const entries = Object.entries(filters).filter(([, value]) => value !== undefined && value !== null && value !== '');
	const search = new URLSearchParams(entries.map(([key, value]) => [key, String(value)])).toString();
	return `${base}/${path}${search ? `?${search}` : ''}`;
}

const segments = (name: string): string => name.split('/').map(encodeURIComponent).join('/');

export const toExecutions = (filters: Filters = {}): string => page('executions', filters);
export const toExecution = (id: string): string => page(`executions/${encodeURIComponent(id)}`);
export const toDeployment = (key: string, against?: string): string => page(`deployments/${encodeURIComponent(key)}`, { against });
export const toFunction = (name: string, tab?: string): string => page(`functions/${segments(name)}`, { tab });
/** Where a rollback is shown before it is done. */
export const toRollback = (to?: string): string => page('deployments', { rollback: to ?? 'before' });
