// Short words about what was done, one at a time. A refusal stays until it is read.
import { asProblem } from '$lib/api';
import type { State } from '$lib/text/names';

interface Toast {
	text: string;
	state: State;
}
let current = $state<Toast>();
let timer: ReturnType<typeof setTimeout> | undefined;

export const toasts = {
	get current() {
		return current;
	},
	say(text: string, state: State = 'ok'): void {
		clearTimeout(timer);
		current = { text, state };
		if (state !== 'fail') timer = setTimeout(() => (current = undefined), 3500);
	},
	/** Says what was done once it is, or why not; whether it was. */
	async tell(work: Promise<unknown>, text: string, state: State = 'ok'): Promise<boolean> {
		try {
			await work;
			this.say(text, state);
			return true;
		} catch (error) {
			this.refuse(error);
			return false;
		}
	},
	refuse(error: unknown): void {
		const problem = asProblem(error);
		this.say(problem.hint ? `${problem.message}: ${problem.hint}` : problem.message, 'fail');
	},
	close(): void {
		current = undefined;
	}
};
