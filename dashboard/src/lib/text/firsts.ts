// Commands that make the first of something, for pages that have none: each works as it stands.
import { quoted } from './curl';

/** Writes a file into a folder of functions. A name in it may have a folder before it. */
export function writing(folder: string, file: string, text: string): string {
	const path = `${folder.replace(/\/$/, '')}/${file}`;
	return `mkdir -p ${word(path.replace(/\/[^/]*$/, ''))} && printf '%s\\n' ${text.split('\n').map(quoted).join(' ')} > ${word(path)}`;
}

/** A path as the shell takes it. */
const word = (path: string): string => (/^[\w./@:+-]+$/.test(path) ? path : quoted(path));

/** Makes a project and pushes it to the node. */
export const pushing = (host: string): string => `picloud init shop && cd shop && git init -b main && git add . && git commit -m Begin && git push http://x:$TOKEN@${host}/functions.git main`;
