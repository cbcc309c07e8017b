// Files with mistakes, and what they mean for what is live.
import type { Diagnostic, NodeStatus } from '$lib/api';
import { plural } from './numbers';

export const errorsOf = (status: NodeStatus | undefined): Diagnostic[] => status?.diagnostics.filter((d) => d.severity === 'error') ?? [];

/** The file with mistakes by its name, or how many there are. */
export function filesOf(errors: Diagnostic[]): string {
	const files = new Set(errors.map((error) => error.file));
	return files.size === 1 ? (errors[0]?.file ?? '') : plural(files.size, 'file');
}

/** "hello.rhai has 1 mistake", "2 files have 3 mistakes" */
export const mistakesOf = (errors: Diagnostic[]): string => `${filesOf(errors)} ${new Set(errors.map((error) => error.file)).size === 1 ? 'has' : 'have'} ${plural(errors.length, 'mistake')}`;

/** Whether what is live is what the source holds, but for files with mistakes: of a folder every file that is right goes live. */
export const isPartly = (status: NodeStatus | undefined): boolean => !!status?.live && status.live.revision === status.wanted && errorsOf(status).length > 0;
