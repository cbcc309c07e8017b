// What a view reads of the node: the last good answer stays, with its time, while a newer one is asked for or fails. What failed is asked for again when the
// node says that it and its database are `back`.
import { asProblem, type Problem } from './problem';

export class Resource<T> {
	data = $state.raw<T>();
	problem = $state.raw<Problem>();
	isLoading = $state(true);
	/** When `data` came. */
	at = $state(0);
	#turn = $state(0);

	constructor(load: (signal: AbortSignal) => Promise<T>) {
		$effect(() => {
			void this.#turn;
			const stop = new AbortController();
			this.isLoading = true;
			load(stop.signal)
				.then((data) => {
					if (!stop.signal.aborted) Object.assign(this, { data, problem: undefined, at: Date.now() });
				})
				.catch((error: unknown) => {
					if (!stop.signal.aborted) this.problem = asProblem(error);
				})
				.finally(() => {
					if (!stop.signal.aborted) this.isLoading = false;
				});
			return () => stop.abort();
		});
		$effect(() => {
			const again = () => this.problem && this.reload();
			addEventListener('back', again);
			return () => removeEventListener('back', again);
		});
	}

	reload(): void {
		this.#turn += 1;
	}
}

/** Loads now, and again whenever something changes that `load` reads before it waits. To be called while a component is made. */
export function resource<T>(load: (signal: AbortSignal) => Promise<T>): Resource<T> {
	return new Resource(load);
}
