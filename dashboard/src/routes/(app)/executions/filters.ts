// The filters of the list are the address of the page, with the names that the API has.
import type { Execution, Query } from '$lib/api';

export interface Filters {
	function: string;
	status: string;
	text: string;
	trigger: string;
	version: string;
	deployment: string;
	node: string;
	since: string;
	until: string;
	follow: string;
}
export const SPANS: [string, string][] = [['15m', '15 minutes'], ['1h', '1 hour'], ['24h', '24 hours'], ['7d', '7 days'], ['30d', '30 days']];
export const TRIGGERS = ['http', 'schedule', 'event', 'manual', 'execute', 'invoke', 'cli', 'replay'] as const;
const DEFAULTS: Filters = { function: '', status: '', text: '', trigger: '', version: '', deployment: '', node: '', since: '1h', until: '', follow: '' };
const KEYS = Object.keys(DEFAULTS) as (keyof Filters)[];

export function readFilters(search: URLSearchParams): Filters {
	const filters = { ...DEFAULTS };
	for (const key of KEYS) filters[key] = search.get(key) ?? DEFAULTS[key];
	return filters;
}

/** What stands in the address: only what is not the default. */
export function writeFilters(filters: Filters): Record<string, string> {
	return Object.fromEntries(KEYS.filter((key) => filters[key] !== DEFAULTS[key]).map((key) => [key, filters[key]]));
}

type Executions = Query<'/api/admin/executions'>;

/** What the node is asked. A name that ends with `/` is a folder. */
export function queryOf(filters: Filters, isTail = false): NonNullable<Executions> {
	const name = filters.function.trim();
	return {
		...(name.endsWith('/') ? { prefix: name } : name ? { function: name } : {}),
		...(filters.status ? { status: filters.status } : {}),
		...(filters.text ? { text: filters.text } : {}),
		...(filters.trigger ? { trigger: filters.trigger as Execution['trigger'] } : {}),
		...(filters.version ? { version: filters.version } : {}),
		...(filters.deployment ? { deployment: filters.deployment } : {}),
		...(filters.node ? { node: filters.node } : {}),
		...(filters.since && !isTail ? { since: filters.since } : {}),
		...(filters.until && !isTail ? { until: filters.until } : {})
	};
}

/** Steps of the histogram for a span, some sixty of them. */
export const stepOf = (since: string): string => ({ '15m': '1m', '1h': '1m', '24h': '20m', '7d': '3h', '30d': '12h' })[since] ?? '1h';
