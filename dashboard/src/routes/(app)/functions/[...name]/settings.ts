// The settings in force of a function, and which of them its file says.
import type { Manifest } from '$lib/api';
import { count, duration, size } from '$lib/text/numbers';

export interface Setting {
	key: string;
	value: string;
	/** The line of the front-matter that says it. */
	line: number | undefined;
}
const SIZES = new Set(['memory', 'string', 'body', 'response', 'log_size', 'leak']);

export function settingsOf(manifest: Manifest, source: string): Setting[] {
	const said = linesOf(source);
	const { http, kv, sql, secrets } = manifest.grants ?? {};
	const rows: [string, string][] = [
		...Object.entries(manifest.limits).map(([key, value]): [string, string] => (key === 'timeout_us' ? ['timeout', duration(value)] : [key, SIZES.has(key) ? size(value) : count(value)])),
		['methods', manifest.methods?.join(', ') ?? 'any, or as its name says'],
		['auth', manifest.auth ? `scope ${manifest.auth}` : 'none: open to anybody'],
		['capture', manifest.capture == null ? 'as the node says' : String(manifest.capture)],
		['http', http ? (http.length ? http.join(', ') : 'every host that is allowed') : ''],
		['kv', kv ?? ''],
		['sql', sql ?? ''],
		['secrets', secrets?.join(', ') ?? ''],
		['cors', manifest.cors ? manifest.cors.origins.join(', ') : ''],
		['schedule', manifest.schedules?.map((one) => one.when).join(', ') ?? ''],
		['on', manifest.handlers?.map((one) => one.topic).join(', ') ?? '']
	];
	return rows.filter(([, value]) => value).map(([key, value]) => ({ key, value, line: said.get(key) })).sort((one, other) => Number(!one.line) - Number(!other.line));
}

/** The lines of the front-matter by the key or the section that begins there. */
function linesOf(source: string): Map<string, number> {
	const lines = new Map<string, number>();
	if (!source.startsWith('+++')) return lines;
	for (const [i, line] of source.split('\n').entries()) {
		if (i > 0 && line.startsWith('+++')) break;
		const key = /^\s*(?:\[\[?)?([\w-]+)(?:\]|\s*=)/.exec(line)?.[1];
		if (key && !lines.has(key)) lines.set(key, i + 1);
	}
	return lines;
}
