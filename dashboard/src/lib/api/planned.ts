// What DESIGN calls M1 to M14 and the description of the node does not have yet. An endpoint that comes is deleted here: then its types are those of
// schema.d.ts, and nothing else changes. Where a node does not have one, it answers 404 and the view goes on without (`ifThere`).

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
export interface PlannedPaths {
	'/api/admin/health': Reading<never, { parts: HealthPart[] }>;
	'/api/admin/events/stats': Reading<never, EventStats>;
	'/api/admin/nodes': Reading<never, { nodes: NodeSummary[] }>;
}
