// Routing in words: why a function does not answer a request.
import type { Explanation } from '$lib/api';

type Alternative = Explanation['others'][number];
type Methods = 'any' | { only: string[] } | { suffix: string };

function methods(of: Methods): string {
	if (of === 'any') return 'any method';
	return 'only' in of ? of.only.join(', ') : of.suffix;
}

export function lossInWords(reason: Alternative['reason']): string {
	if (reason === 'left_out_more') return 'it leaves out more of the path';
	if ('method_not_served' in reason) return `serves ${methods(reason.method_not_served.serves as Methods)} only`;
	if ('weaker_claim' in reason) return `serves ${methods(reason.weaker_claim.serves as Methods)}; the other names ${methods(reason.weaker_claim.winner as Methods)}`;
	if ('less_specific' in reason) return `is less specific: it has ${reason.less_specific.has} where the other has ${reason.less_specific.chosen}`;
	return `“${reason.unmatched.text}” is no ${reason.unmatched.matcher}`;
}

/** A route in pieces, so that its parameters can be marked. */
export const routePieces = (route: string): string[] => route.split(/(\[+[^/\]]*\]+)/);
