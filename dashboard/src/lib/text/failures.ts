/** Longest text of a filter, in characters: below the 1,024 bytes that the node takes. */
const LONGEST = 250;
/** A shorter piece says too little. */
const SHORTEST = 8;

/** The text by which failures of one kind are found: the longest piece of their message without numbers, which may differ from run to run. */
export function textOf(message: string): string {
	const pieces = message.split(/\d+/).map((piece) => piece.trim());
	const longest = pieces.reduce((one, other) => (other.length > one.length ? other : one), '');
	return (longest.length < SHORTEST ? message : longest).slice(0, LONGEST);
}
