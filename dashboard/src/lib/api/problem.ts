// Every refusal of the node is a problem (RFC 9457); what never reached it is one, too, with the status 0.
import type { components } from './schema';

type Details = components['schemas']['Problem'];
export type Diagnostic = components['schemas']['Diagnostic'];

export class Problem extends Error {
	readonly status: number;
	readonly hint: string | undefined;
	readonly diagnostics: Diagnostic[];
	/** Seconds after which asking again makes sense, 1 or more; the node says so with 429 and 503. */
	readonly retryAfter: number | undefined;

	constructor(details: Partial<Details> & { status: number }, retryAfter?: number) {
		super(details.detail ?? details.title ?? `the node answered ${details.status}`);
		this.status = details.status;
		this.hint = details.hint ?? undefined;
		this.diagnostics = details.diagnostics ?? [];
		this.retryAfter = retryAfter;
	}

	/** Whether nobody answered: the node is away, or the way to it. */
	get isUnanswered(): boolean {
		return this.status === 0 || this.status === 502 || this.status === 504;
	}
}

/** A day at most, which is shorter than what a timer can wait. Dates, which the node never sends, are nothing. */
const secondsOf = (header: string | null): number | undefined => (/^\d+$/.test(header ?? '') ? Math.min(Math.max(1, Number(header)), 86_400) : undefined);

/** Makes a problem of an answer of 400 and above. A proxy may answer with something else than JSON. */
export async function problemOf(response: Response): Promise<Problem> {
	const retryAfter = secondsOf(response.headers.get('retry-after'));
	const details = await response.json().catch(() => ({}));
	return new Problem({ ...details, status: response.status }, retryAfter);
}

/** Makes a problem of whatever was thrown. */
export function asProblem(thrown: unknown): Problem {
	if (thrown instanceof Problem) return thrown;
	return new Problem({ status: -1, detail: thrown instanceof Error ? thrown.message : String(thrown) });
}
