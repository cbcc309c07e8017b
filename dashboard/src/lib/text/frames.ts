// The call chain of a failure, the innermost place first.
import type { Failure } from '$lib/api';

export interface Frame {
	file: string;
	line: number;
	column: number;
	/** The function that this place is in; none: the script itself. */
	inside: string | undefined;
	isFailing: boolean;
}

/** The calls are told as "total called at shop/orders.post.rhai:30:21", the outermost first. */
export function framesOf(failure: Failure): Frame[] {
	const calls = (failure.calls ?? []).map((call) => /^(\S+) called at (.*):(\d+):(\d+)$/.exec(call)).filter((match) => match !== null);
	const frames: Frame[] = calls.map(([, , file, line, column], i) => ({
		file: file ?? '', line: Number(line), column: Number(column), inside: calls[i - 1]?.[1], isFailing: false
	}));
	if (failure.line != null) {
		frames.push({ file: failure.file, line: failure.line, column: failure.column ?? 0, inside: calls.at(-1)?.[1], isFailing: true });
	}
	return frames.reverse();
}
