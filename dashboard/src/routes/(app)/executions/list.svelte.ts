// The rows of the list: pages back in time, or what comes live. What comes is held while somebody points at the list or is in it.
import { asProblem, get, limited, url, type Execution, type Problem } from '$lib/api';
import { follow } from '$lib/api/events';
import { queryOf, type Filters } from './filters';

const TAIL = '/api/admin/executions/tail';
const PAGE = 100;
/** So many rows are kept while following. */
const KEPT = 200;
/** Live rows are shown in groups, so that a hundred a second cost one drawing. */
const GROUP_MS = 200;
/** So many are drawn at once, so that no drawing is long. */
const DRAWN = 20;
/** Drawing takes no more than this part of the time. What would leave the list before it is drawn is left out. */
const DRAWING = 0.25;
/** With more new rows at once than this, none is lit up: they would all be. */
const MOST_LIT = 5;

export class ExecutionList {
	rows = $state.raw<Execution[]>([]);
	/** Ids of those that came while following. */
	fresh = $state.raw<ReadonlySet<string>>(new Set());
	next = $state<string | null>(null);
	lookedBackTo = $state<string | null>(null);
	problem = $state.raw<Problem>();
	isLoading = $state(true);
	/** What came and is not shown. */
	held = $state.raw<Execution[]>([]);
	skipped = $state(0);
	isHeld = false;
	isConnected = $state(false);

	#stop = new AbortController();

	/** Shows the newest; what was shown stays until they are there. */
	async load(filters: Filters): Promise<void> {
		await this.#ask(filters, undefined);
	}

	async more(filters: Filters): Promise<void> {
		if (this.next) await this.#ask(filters, this.next);
	}

	async #ask(filters: Filters, cursor: string | undefined): Promise<void> {
		this.#stop.abort();
		this.#stop = new AbortController();
		const { signal } = this.#stop;
		this.isLoading = true;
		try {
			const page = await get('/api/admin/executions', { query: { ...queryOf(filters), limit: PAGE, ...(cursor ? { cursor } : {}) }, signal });
			this.rows = cursor ? [...this.rows, ...page.executions] : page.executions;
			this.next = page.next ?? null;
			this.lookedBackTo = page.looked_back_to ?? null;
			this.problem = undefined;
		} catch (error) {
			if (signal.aborted) return;
			this.problem = asProblem(error);
		}
		this.isLoading = false;
	}

	/** Follows until the function that is returned is called. */
	follow(filters: Filters): () => void {
		const waiting: Execution[] = [];
		this.skipped = 0;
		let timer: ReturnType<typeof setTimeout> | undefined;
		let isOver = false;
		const show = async () => {
			const begin = performance.now();
			if (waiting.length) {
				this.#take(waiting.splice(-DRAWN));
				await drawn();
			}
			const rest = (performance.now() - begin) / DRAWING;
			if (!isOver) timer = setTimeout(show, waiting.length ? rest : Math.max(GROUP_MS, rest));
		};
		void show();
		let wasOpen = false;
		const stop = follow(
			url(TAIL, {}, limited(TAIL, queryOf(filters, true))),
			{
				execution: (data) => {
					waiting.unshift(data as Execution);
					waiting.length = Math.min(waiting.length, KEPT);
				},
				skipped: (data) => (this.skipped += (data as { count?: number }).count ?? 0)
			},
			{
				onOpen: () => {
					// What came meanwhile is in the list.
					if (wasOpen) void this.load(filters);
					wasOpen = true;
					this.isConnected = true;
				},
				onLost: () => (this.isConnected = false)
			}
		);
		return () => {
			isOver = true;
			clearTimeout(timer);
			stop();
			this.isConnected = false;
			this.#take(waiting);
			this.release();
		};
	}

	#take(newest: Execution[]): void {
		this.held = [...newest, ...this.held].slice(0, KEPT);
		if (!this.isHeld) this.release();
	}

	/** Shows what was held. */
	release(): void {
		if (this.held.length === 0) return;
		const ids = new Set(this.held.map((one) => one.id));
		this.fresh = ids.size > MOST_LIT ? new Set() : ids;
		this.rows = [...this.held, ...this.rows.filter((one) => !ids.has(one.id))].slice(0, KEPT);
		this.held = [];
	}
}

/** Waits until what was changed is on the screen: the frame after it has begun. A page that nobody sees has no frames, and no tail. */
const drawn = (): Promise<void> => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
