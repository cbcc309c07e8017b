// A list that is read page by page; the cursor of the next page comes with each.
import { asProblem, type Problem } from './problem';

export interface Page<T> {
	items: T[];
	next: string | null | undefined;
}

export class Pages<T> {
	items = $state.raw<T[]>();
	next = $state<string | null>(null);
	problem = $state.raw<Problem>();
	isLoading = $state(false);
	#load: (cursor: string | undefined) => Promise<Page<T>>;
	#turn = 0;

	constructor(load: (cursor: string | undefined) => Promise<Page<T>>) {
		this.#load = load;
	}

	/** Begins anew; what was shown stays until the first page is there. */
	async first(): Promise<void> {
		await this.#ask(undefined);
	}

	async more(): Promise<void> {
		if (this.next) await this.#ask(this.next);
	}

	async #ask(cursor: string | undefined): Promise<void> {
		const turn = ++this.#turn;
		this.isLoading = true;
		try {
			const page = await this.#load(cursor);
			if (turn !== this.#turn) return;
			this.items = cursor ? [...(this.items ?? []), ...page.items] : page.items;
			this.next = page.next ?? null;
			this.problem = undefined;
		} catch (error) {
			if (turn === this.#turn) this.problem = asProblem(error);
		}
		this.isLoading = false;
	}
}
