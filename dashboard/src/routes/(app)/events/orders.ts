// Orders about dead letters. Each says how many it is meant for, so that none is settled that nobody saw.
import { asProblem, post } from '$lib/api';

export type Order = 'retry' | 'discard';
const CONFLICT = 409;

/** Settles these one by one. `gone` were settled meanwhile by somebody else. */
export async function settle(order: Order, ids: Iterable<string>): Promise<{ changed: number; gone: number }> {
	const done = { changed: 0, gone: 0 };
	for (const id of ids) {
		try {
			done.changed += (await post(`/api/admin/dead-letters/${order}`, { body: { id, expected: 1 } })).changed;
		} catch (error) {
			if (![404, CONFLICT].includes(asProblem(error).status)) throw error;
			done.gone += 1;
		}
	}
	return done;
}

/** Settles all, or all of a topic, if there are as many as expected. Gives how many were changed, or why none was: there are more or fewer now. */
export async function settleAll(order: Order, topic: string, expected: number): Promise<number | string> {
	try {
		return (await post(`/api/admin/dead-letters/${order}`, { body: { ...(topic ? { topic } : { all: true }), expected } })).changed;
	} catch (error) {
		const problem = asProblem(error);
		if (problem.status !== CONFLICT) throw error;
		return problem.message;
	}
}
