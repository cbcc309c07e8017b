// What DESIGN calls M1 to M14 and the description of the node does not have yet. An endpoint that comes is deleted here: then its types are those of
// schema.d.ts, and nothing else changes. Where a node does not have one, it answers 404 and the view goes on without (`ifThere`).

/** Counts over time (M1). All arrays have one value for each step; null where nothing ran. */
export interface Stats {
	since: string;
	until: string;
	step_s: number;
	requests: number[];
	by_class: Record<string, number[]>;
	failed: number[];
	p50_us: (number | null)[];
	p99_us: (number | null)[];
	peak_memory_bytes: (number | null)[];
	totals: { requests: number; failed: number; p50_us: number | null; p99_us: number | null; peak_memory_bytes: number | null };
}
/** Figures of one function, or with `by=version` of one version (M2). */
export interface FunctionStats {
	function: string;
	version?: string;
	state: 'failing' | 'slow' | 'idle' | 'ok';
	/** A sentence that says why, unless the state is `ok`. */
	says?: string | null;
	route?: string | null;
	requests: number;
	failed: number;
	/** Part of the last hour's requests that failed, from 0 to 1. */
	failed_rate: number;
	p50_us: number | null;
	p99_us: number | null;
	/** One value for each hour, the oldest first. */
	hourly: { requests: number[]; failed: number[]; p99_us: (number | null)[] };
	last_failure: string | null;
	version_since: string | null;
}
export interface FunctionStatsPage {
	functions: FunctionStats[];
	counts: Record<FunctionStats['state'], number>;
	next: string | null;
}
/** Failures that come from one place (M3). */
export interface FailureGroup {
	function: string;
	file: string;
	line?: number | null;
	column?: number | null;
	message: string;
	count: number;
	first: string;
	last: string;
	/** The execution that failed last. */
	last_id: string;
	first_deployment?: string | null;
	over_time: number[];
}
/** M4: what deployments will also tell. */
export interface DeploymentMore {
	subject?: string | null;
	added?: number;
	changed?: number;
	removed?: number;
}
export interface FunctionDiffMore {
	/** The module or guard that changed, if it is not the file itself. */
	because?: string | null;
}
/** M6: what executions will also tell. */
export interface ExecutionMore {
	node?: string;
	captured?: boolean;
	response_type?: string | null;
	response_bytes?: number | null;
	events?: { at_us: number; topic: string; key?: string | null; sent: boolean }[];
}
/** M7: the request that was kept. */
export interface KeptRequest {
	method: string;
	path: string;
	query?: string | null;
	headers: [string, string][];
	body?: string | null;
	body_base64?: string | null;
}
/** M8: one part that is degraded. */
export interface HealthPart {
	part: string;
	level: 'warn' | 'fail';
	since?: string | null;
	says: string;
	do?: string | null;
	function?: string | null;
	deployment?: string | null;
}
/** M11: what schedules will also tell. */
export interface ScheduleMore {
	/** The expression in words. */
	words?: string | null;
	/** Due times of the last twelve hours. */
	runs?: { due: string; outcome: 'ok' | 'failed' | 'skipped'; execution?: string | null; duration_us?: number | null }[];
}
/** M12: figures of all events. */
export interface EventStats {
	oldest_due_us: number | null;
	emitted_per_s: number;
	emitted: number;
	retrying: number;
	dead: number;
}
/** M13: one node. */
export interface NodeSummary {
	id: string;
	address: string;
	roles: string[];
	version: string;
	heard_of: string;
	deployment: string | null;
	ready_us: number | null;
	requests_per_s: number;
	processor: number;
	memory_bytes: number;
	leases: string[];
	up_s: number;
}

interface Reading<Q, T, Path = never> {
	get: { parameters: { query?: Q; path: Path }; responses: { 200: { content: { 'application/json': T } } } };
}
interface StatsQuery {
	since?: string | null;
	until?: string | null;
	step?: string | null;
	function?: string | null;
	prefix?: string | null;
	version?: string | null;
	deployment?: string | null;
	status?: string | null;
	trigger?: string | null;
}
interface FunctionStatsQuery {
	since?: string;
	sort?: string;
	state?: string | null;
	prefix?: string;
	text?: string;
	deployment?: string;
	function?: string;
	by?: 'version';
	limit?: number;
	cursor?: string;
}

export interface PlannedPaths {
	'/api/admin/stats': Reading<StatsQuery, Stats>;
	'/api/admin/stats/functions': Reading<FunctionStatsQuery, FunctionStatsPage>;
	'/api/admin/stats/failures': Reading<{ since?: string; function?: string }, { failures: FailureGroup[] }>;
	'/api/admin/executions/{id}/request': Reading<never, KeptRequest, { id: string }>;
	'/api/admin/health': Reading<never, { parts: HealthPart[] }>;
	'/api/admin/events/stats': Reading<never, EventStats>;
	'/api/admin/nodes': Reading<never, { nodes: NodeSummary[] }>;
	'/_picloud/session': {
		post: { parameters: object; requestBody: { content: { 'application/json': { token: string } } }; responses: { 204: object } };
		delete: { parameters: object; responses: { 204: object } };
	};
}
