// A kept request on its way from its execution to Try it. It is data of users: it stands in no address and in no storage.
import type { KeptRequest } from '$lib/api';

let draft: KeptRequest | undefined;

export const give = (request: KeptRequest): void => void (draft = request);

/** Takes it: it is there once. */
export function take(): KeptRequest | undefined {
	const taken = draft;
	draft = undefined;
	return taken;
}
