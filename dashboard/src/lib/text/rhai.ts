// Rhai in colour: keywords, calls, numbers, strings with nested `${}`, nested comments, and front-matter in TOML.

export type Kind = '' | 'keyword' | 'string' | 'number' | 'call' | 'comment' | 'mark';
export interface Piece {
	kind: Kind;
	text: string;
}
type Add = (kind: Kind, text: string) => void;

const KEYWORDS = new Set(
	'let const if else switch while loop do until for in break continue return throw try catch fn private import export as this true false is_def_var'.split(' ')
);
const FRONT_MATTER = /^\+\+\+\n[\s\S]*?\n\+\+\+(?=\n|$)/;
const NUMBER = /^(?:0x[\da-f_]+|0b[01_]+|0o[0-7_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:e[+-]?\d+)?)/i;

/** Splits a source into its lines, and each line into pieces of one colour. */
export function highlight(source: string): Piece[][] {
	const pieces: Piece[] = [];
	const add: Add = (kind, text) => {
		if (text) pieces.push({ kind, text });
	};
	const front = FRONT_MATTER.exec(source)?.[0] ?? '';
	for (const line of front.split(/(?<=\n)/)) frontMatterLine(line, add);
	new Lexer(source, front.length, add).code(false);
	return byLine(pieces);
}

class Lexer {
	constructor(
		readonly source: string,
		private at: number,
		private readonly add: Add
	) {}

	/** Reads to the end, or to the brace that ends an interpolation. */
	code(isInterpolation: boolean): void {
		let depth = 0;
		while (this.at < this.source.length) {
			const next = this.source[this.at];
			if (next === '`') {
				this.template();
				continue;
			}
			if (next === '}' && depth === 0 && isInterpolation) return;
			if (next === '{') depth++;
			if (next === '}') depth--;
			const piece = token(this.source.slice(this.at));
			this.take(piece.kind, piece.text.length);
		}
	}

	private template(): void {
		let from = this.at++;
		while (this.at < this.source.length && this.source[this.at] !== '`') {
			if (!this.source.startsWith('${', this.at)) {
				this.at += this.source[this.at] === '\\' ? 2 : 1;
				continue;
			}
			this.add('string', this.source.slice(from, this.at));
			this.take('mark', 2);
			this.code(true);
			this.take('mark', 1);
			from = this.at;
		}
		this.add('string', this.source.slice(from, ++this.at));
	}

	private take(kind: Kind, length: number): void {
		this.add(kind, this.source.slice(this.at, this.at + length));
		this.at += length;
	}
}

function token(rest: string): Piece {
	const comment = /^\/\/[^\n]*/.exec(rest)?.[0] ?? (rest.startsWith('/*') ? rest.slice(0, blockEnd(rest)) : undefined);
	if (comment) return { kind: 'comment', text: comment };
	const string = (/^"(?:\\[\s\S]|[^"\\])*"?/.exec(rest) ?? /^'(?:\\.|[^'\\])+'/.exec(rest))?.[0];
	if (string) return { kind: 'string', text: string };
	const number = NUMBER.exec(rest)?.[0];
	if (number) return { kind: 'number', text: number };
	const name = /^[A-Za-z_]\w*/.exec(rest)?.[0];
	if (name) return { kind: KEYWORDS.has(name) ? 'keyword' : /^\s*\(/.test(rest.slice(name.length)) ? 'call' : '', text: name };
	const space = /^\s+/.exec(rest)?.[0];
	return space ? { kind: '', text: space } : { kind: 'mark', text: rest[0] ?? '' };
}

/** Where a block comment ends, with those inside of it. */
function blockEnd(rest: string): number {
	let depth = 0;
	let at = 0;
	do {
		if (rest.startsWith('/*', at)) depth++;
		else if (rest.startsWith('*/', at)) depth--;
		else {
			at++;
			continue;
		}
		at += 2;
	} while (depth > 0 && at < rest.length);
	return at;
}

const VALUES = /"[^"]*"|#[^\n]*|\b(?:true|false)\b|\d[\d_.]*|[^"#\d]+?(?=["#\d]|\b(?:true|false)\b|$)|[\s\S]/g;

function frontMatterLine(line: string, add: Add): void {
	const section = /^(\s*)(\[\[?[^\]]*\]\]?)([\s\S]*)/.exec(line);
	const pair = /^(\s*)([\w.-]+)(\s*=\s*)([\s\S]*)$/.exec(line);
	if (line.startsWith('+++')) add('mark', line);
	else if (section) {
		add('', section[1] ?? '');
		add('keyword', section[2] ?? '');
		add('', section[3] ?? '');
	} else if (pair) {
		add('', pair[1] ?? '');
		add('call', pair[2] ?? '');
		add('mark', pair[3] ?? '');
		for (const value of pair[4]?.match(VALUES) ?? []) add(valueKind(value), value);
	} else add(/^\s*#/.test(line) ? 'comment' : '', line);
}

function valueKind(value: string): Kind {
	if (value.startsWith('"')) return 'string';
	if (value.startsWith('#')) return 'comment';
	if (/^\d/.test(value)) return 'number';
	return value === 'true' || value === 'false' ? 'keyword' : '';
}

function byLine(pieces: Piece[]): Piece[][] {
	const lines: Piece[][] = [[]];
	for (const { kind, text } of pieces) {
		text.split('\n').forEach((part, index) => {
			if (index > 0) lines.push([]);
			if (part) lines.at(-1)?.push({ kind, text: part });
		});
	}
	return lines;
}
