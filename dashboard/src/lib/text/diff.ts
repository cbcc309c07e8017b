// A difference as `patch -p1` reads it, made into rows.

export interface DiffLine {
	kind: 'added' | 'removed' | 'same';
	before?: number;
	after?: number;
	text: string;
	/** What differs inside of a line, if much of it is common: from here to there. */
	marked?: [number, number];
}
export interface Hunk {
	head: string;
	lines: DiffLine[];
}

/** Reads the hunks, and marks the words that differ in lines that stand for each other. */
export function hunks(diff: string): Hunk[] {
	const all: Hunk[] = [];
	let before = 0;
	let after = 0;
	for (const line of diff.split('\n')) {
		const head = /^@@ -(\d+)(?:,\d+)? \+(\d+)/.exec(line);
		const hunk = all.at(-1);
		if (head) {
			before = Number(head[1]);
			after = Number(head[2]);
			all.push({ head: line, lines: [] });
		} else if (hunk && line && !line.startsWith('\\')) {
			const text = line.slice(1);
			if (line.startsWith('-')) hunk.lines.push({ kind: 'removed', before: before++, text });
			else if (line.startsWith('+')) hunk.lines.push({ kind: 'added', after: after++, text });
			else hunk.lines.push({ kind: 'same', before: before++, after: after++, text });
		}
	}
	for (const hunk of all) markWords(hunk);
	return all;
}

/** Lines side by side: what was removed stands beside what came in its place. */
export function pairs(lines: DiffLine[]): [DiffLine | undefined, DiffLine | undefined][] {
	const rows: [DiffLine | undefined, DiffLine | undefined][] = [];
	let at = 0;
	const run = (kind: DiffLine['kind']): DiffLine[] => {
		const from = at;
		while (lines[at]?.kind === kind) at++;
		return lines.slice(from, at);
	};
	while (at < lines.length) {
		for (const line of run('same')) rows.push([line, line]);
		const removed = run('removed');
		const added = run('added');
		for (let i = 0; i < Math.max(removed.length, added.length); i++) rows.push([removed[i], added[i]]);
	}
	return rows;
}

function markWords(hunk: Hunk): void {
	for (const [removed, added] of pairs(hunk.lines)) {
		if (!removed || !added || removed === added) continue;
		const one = removed.text;
		const other = added.text;
		let start = 0;
		while (start < one.length && one[start] === other[start]) start++;
		let end = 0;
		while (end < Math.min(one.length, other.length) - start && one.at(-1 - end) === other.at(-1 - end)) end++;
		if (start + end < 0.4 * Math.max(one.trim().length, other.trim().length)) continue;
		removed.marked = [start, one.length - end];
		added.marked = [start, other.length - end];
	}
}

/** The hunks as far as `most` lines. */
export function firstLines(all: Hunk[], most: number): Hunk[] {
	let left = most;
	return all.flatMap(({ head, lines }) => {
		const some = lines.slice(0, left);
		left -= some.length;
		return some.length ? [{ head, lines: some }] : [];
	});
}

/** How many lines a difference adds and removes. */
export function lineCounts(diff: string): { added: number; removed: number } {
	const lines = hunks(diff).flatMap((hunk) => hunk.lines);
	return { added: lines.filter((line) => line.kind === 'added').length, removed: lines.filter((line) => line.kind === 'removed').length };
}
