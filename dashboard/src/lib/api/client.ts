// One typed way to ask the node. Paths, queries, bodies and answers come from its OpenAPI description (schema.d.ts).
import type { paths } from './schema';
import { Problem, problemOf } from './problem';

type Method = 'get' | 'post' | 'put' | 'delete';
type Operation<P extends keyof paths, M extends Method> = M extends keyof paths[P] ? NonNullable<paths[P][M]> : never;
type Parameters<O> = O extends { parameters: infer P } ? P : never;
type Part<P, K extends string> = P extends { [N in K]?: infer T } ? ([T] extends [undefined] ? undefined : NonNullable<T>) : undefined;
type Json<R> = R extends { content: { 'application/json': infer T } } ? T : undefined;
type Good<R> = { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? Json<R[S]> : never }[keyof R];

/** The paths that have this method. */
export type PathOf<M extends Method> = { [P in keyof paths]: [Operation<P, M>] extends [never] ? never : P }[keyof paths];
/** What the node answers. */
export type Answer<P extends keyof paths, M extends Method> = Operation<P, M> extends { responses: infer R } ? Good<R> : never;
/** What may stand in the query. */
export type Query<P extends PathOf<'get'>> = Part<Parameters<Operation<P, 'get'>>, 'query'>;

type Body<O> = O extends { requestBody?: infer B } ? Json<NonNullable<B>> : undefined;
export interface Options<P extends keyof paths, M extends Method> {
	path?: Part<Parameters<Operation<P, M>>, 'path'>;
	query?: Part<Parameters<Operation<P, M>>, 'query'>;
	body?: Body<Operation<P, M>>;
	signal?: AbortSignal;
}
type Values = Record<string, string | number | boolean | null | undefined>;

/** Fills the places in braces, and adds the values of the query that there are. */
export function url(path: string, places: Values = {}, query: Values = {}): string {
	const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(places[name])));
	const entries = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
	const search = new URLSearchParams(entries.map(([key, value]) => [key, String(value)])).toString();
	return search ? `${filled}?${search}` : filled;
}

let own: string | undefined;
/** Lists of which a token for some functions gets its part, if it names that. */
const OF_FUNCTIONS = /^\/api\/admin\/(executions(\/tail)?|stats(\/failures|\/functions)?|scripts|routes|dead-letters)$/;
/** What is about the whole node. */
const OF_THE_NODE = /^\/api\/admin\/(status|deployments|nodes|health|kv|topics|secrets|tokens|audit|routes\/explain)\b/;

/** From now on, requests are for these functions: for the one of this name and those in the folder of this name. */
export const limitTo = (functions: string | undefined): void => void (own = functions);

/** Returns the query with the functions of the token, and refuses at once what the node would refuse. */
export function limited(path: string, query: Values = {}): Values {
	if (own && OF_THE_NODE.test(path)) throw new Problem({ status: 403, detail: `your token is good for the functions of \`${own}\` only, and this is about the whole node` });
	return own && OF_FUNCTIONS.test(path) && !query.function && !query.prefix ? { ...query, prefix: `${own}/` } : query;
}

async function send(method: Method, address: string, body: unknown, signal: AbortSignal | undefined): Promise<unknown> {
	const init: RequestInit = { method: method.toUpperCase(), credentials: 'same-origin', cache: 'no-store', signal: signal ?? null };
	if (body !== undefined) Object.assign(init, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
	const response = await fetch(address, init).catch((error: unknown) => {
		if (signal?.aborted) throw error;
		throw new Problem({ status: 0, detail: 'the node does not answer' });
	});
	if (response.status === 401) dispatchEvent(new Event('unauthorized'));
	if (!response.ok) throw await problemOf(response);
	return response.headers.get('content-type')?.startsWith('application/json') ? response.json() : undefined;
}

function asking<M extends Method>(method: M) {
	return async <P extends PathOf<M>>(path: P, options: Options<P, M> = {}): Promise<Answer<P, M>> =>
		(await send(method, url(path as string, options.path as Values, limited(path as string, options.query as Values)), options.body, options.signal)) as Answer<P, M>;
}

export const get = asking('get');
export const post = asking('post');
export const put = asking('put');
export const del = asking('delete');

/** Gives null where there is no such thing, or not any more, or the token may not see it. */
export async function ifThere<T>(answer: Promise<T>): Promise<T | null> {
	try {
		return await answer;
	} catch (error) {
		if (error instanceof Problem && [403, 404].includes(error.status)) return null;
		throw error;
	}
}
