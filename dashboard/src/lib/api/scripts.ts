// All scripts, page by page, so that the first are shown before the last are there.
import { get } from './client';
import type { ScriptSummary } from './types';

const PAGE = 1000;
/** A dashboard in a browser is no place for more. */
const MOST = 20_000;

export async function* scriptPages(signal?: AbortSignal): AsyncGenerator<ScriptSummary[]> {
	let cursor: string | undefined;
	let count = 0;
	do {
		const answer = await get('/api/admin/scripts', { query: { limit: PAGE, ...(cursor ? { cursor } : {}) }, ...(signal ? { signal } : {}) });
		yield answer.scripts;
		count += answer.scripts.length;
		cursor = answer.next ?? undefined;
	} while (cursor && count < MOST);
}
