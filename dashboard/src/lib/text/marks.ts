// Deployments as marks of a chart over time.
import type { Deployment } from '$lib/api';
import { deploymentTitle, shortRevision } from './names';

export interface Mark {
	at: number;
	label: string;
	isBad?: boolean;
}

/** Those that went live; `bad` has the ids of those that brought what fails. */
export function marksOf(deployments: Deployment[], bad: ReadonlySet<string> = new Set()): Mark[] {
	return deployments
		.filter((deployment) => deployment.status === 'live')
		.map((deployment) => ({ at: Date.parse(deployment.time), label: `${shortRevision(deployment.revision)} ${deploymentTitle(deployment)}`, isBad: bad.has(deployment.id) }));
}
