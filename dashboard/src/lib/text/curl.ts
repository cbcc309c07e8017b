// A request as a command of the shell.
import type { Execution, KeptRequest } from '$lib/api';

export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Headers that curl writes itself. */
const OWN = ['host', 'content-length', 'connection', 'transfer-encoding'];

/** The command, and what of the request is missing in it. */
export function curlOf(execution: Execution, request: KeptRequest | undefined): { text: string; missing: string[] } {
	const { method, path } = request ?? execution;
	const url = quoted(location.origin + path + (request?.query ? `?${request.query}` : ''));
	if (!request) return { text: `curl -X ${method} ${url}`, missing: ['its query, headers and body'] };
	const headers = request.headers.filter(([name]) => name && !OWN.includes(name.toLowerCase())).map(([name, value]) => ` -H ${quoted(`${name}: ${value}`)}`);
	const body = request.body ? ` --data-binary ${quoted(request.body)}` : '';
	const isBodyMissing = !request.body && request.body_bytes > 0;
	const missing = [...request.left_out, ...(isBodyMissing ? [request.body_base64 ? 'its body, which is no text' : 'its body, which was too large to be kept'] : [])];
	return { text: `curl -X ${method} ${url}${headers.join('')}${body}`, missing };
}
