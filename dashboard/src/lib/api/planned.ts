// What DESIGN calls M1 to M14 and the description of the node does not have yet. An endpoint that comes is deleted here: then its types are those of
// schema.d.ts, and nothing else changes. Where a node does not have one, it answers 404 and the view goes on without (`ifThere`).

/** What some executions came to. */
export interface Figures {
	requests: number;
	failed: number;
	p50_us?: number | null;
	p90_us?: number | null;
	p99_us?: number | null;
	waited_us: number;
	highest: { duration_us: number; operations: number; memory_bytes: number };
}
interface Steps {
	since: string;
	until: string;
	step_seconds: number;
}
/** Counts over time (M1). All lists have one value for each step; null where nothing ran. */
export interface Stats extends Steps {
	requests: number[];
	by_class: Record<string, number[]>;
	failed: number[];
	p50_us: (number | null)[];
	p99_us: (number | null)[];
	peak_memory_bytes: number[];
	waited_us: number[];
	total: Figures;
}
/** What the executions of a function, or with `by=version` of a version, came to (M2). */
export interface FunctionStats {
	function: string;
	version: string;
	version_since?: string | null;
	state: 'failing' | 'slow' | 'idle' | 'ok';
	/** A sentence that says why it is in trouble. */
	because?: string | null;
	total: Figures;
	/** Share of the last hour's requests that failed, from 0 to 1. */
	failed_share: number;
	requests: number[];
	failed: number[];
	p99_us: (number | null)[];
	last_failure?: string | null;
}
export interface FunctionStatsPage extends Steps {
	functions: FunctionStats[];
	counts: Record<FunctionStats['state'], number>;
	next?: number | null;
}
/** Failures that come from one place (M3). */
export interface FailureGroup {
	function: string;
	file: string;
	line?: number | null;
	column?: number | null;
	count: number;
	first: string;
	last: string;
	message: string;
	/** The execution that failed last. */
	execution: string;
	/** The version that failed first, and the deployment that was live then. */
	version: string;
	deployment: string;
	counts: number[];
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
}
interface FunctionStatsQuery {
	since?: string;
	sort?: string;
	state?: string | null;
	prefix?: string;
	text?: string | null;
	by?: 'version';
	limit?: number;
	cursor?: number;
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
