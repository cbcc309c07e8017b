// How near the runs of a function came to its limits.
import type { HighestUse, Limits } from '$lib/api';
import { count, duration, size } from '$lib/text/numbers';

export interface Use {
	/** The most that one run took, as people read it. */
	most: string;
	/** The part of the limit that this is. */
	part: number;
}

/** From this part of a limit on, one run more may be one too many. */
export const NEAR = 0.8;

/** By the key of the limit. Nothing is known of other limits, or where nothing ran. */
export function usesOf(limits: Limits, highest: HighestUse | undefined): Record<string, Use> {
	if (!highest?.duration_us) return {};
	return {
		timeout: { most: duration(highest.duration_us), part: highest.duration_us / limits.timeout_us },
		memory: { most: size(highest.memory_bytes), part: highest.memory_bytes / limits.memory },
		operations: { most: count(highest.operations), part: highest.operations / limits.operations }
	};
}
