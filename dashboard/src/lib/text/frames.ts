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

/** The calls are told from the outermost on. */
export function framesOf(failure: Failure): Frame[] {
	const calls = failure.calls ?? [];
	const frames: Frame[] = calls.flatMap(({ file, line, column }, i) =>
		line == null ? [] : [{ file, line, column: column ?? 0, inside: calls[i - 1]?.function, isFailing: false }]
	);
	if (failure.line != null) {
		frames.push({ file: failure.file, line: failure.line, column: failure.column ?? 0, inside: calls.at(-1)?.function, isFailing: true });
	}
	return frames.reverse();
}
