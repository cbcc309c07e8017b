// Files in their folders.
import type { ScriptSummary } from '$lib/api';

export interface Folder {
	name: string;
	path: string;
	folders: Folder[];
	files: ScriptSummary[];
	/** Files below it, however deep. */
	count: number;
}

export function treeOf(scripts: ScriptSummary[]): Folder {
	const root: Folder = { name: '', path: '', folders: [], files: [], count: 0 };
	const known = new Map<string, Folder>([['', root]]);
	for (const script of scripts) {
		const folder = folderOf(known, script.name.slice(0, Math.max(0, script.name.lastIndexOf('/'))));
		folder.files.push(script);
		for (let path: string | undefined = folder.path; path !== undefined; path = parentOf(path)) {
			const above = known.get(path);
			if (above) above.count += 1;
		}
	}
	return root;
}

const parentOf = (path: string): string | undefined => (path === '' ? undefined : path.slice(0, Math.max(0, path.lastIndexOf('/'))));

function folderOf(known: Map<string, Folder>, path: string): Folder {
	const there = known.get(path);
	if (there) return there;
	const folder: Folder = { name: path.slice(path.lastIndexOf('/') + 1), path, folders: [], files: [], count: 0 };
	known.set(path, folder);
	folderOf(known, parentOf(path) ?? '').folders.push(folder);
	return folder;
}
