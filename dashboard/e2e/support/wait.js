/** Longest wait for what has to come, in milliseconds. */
export const PATIENCE = 60_000;

/** Asks until the answer is something, and gives it. `what` names it in the error. */
export async function until(what, ask) {
	const end = Date.now() + PATIENCE;
	for (;;) {
		const answer = await ask();
		if (answer) return answer;
		if (Date.now() > end) throw new Error(`this did not come: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}
