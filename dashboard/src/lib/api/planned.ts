// What DESIGN calls M1 to M14 and the description of the node does not have yet. An endpoint that comes is deleted here: then its types are those of
// schema.d.ts, and nothing else changes. Where a node does not have one, it answers 404 and the view goes on without (`ifThere`).

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
interface Reading<Q, T, Path = never> {
	get: { parameters: { query?: Q; path: Path }; responses: { 200: { content: { 'application/json': T } } } };
}
export interface PlannedPaths {
	'/api/admin/events/stats': Reading<never, EventStats>;
}
