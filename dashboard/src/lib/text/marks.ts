// Deployments as marks of a chart over time.
import type { Deployment, FailureGroup } from '$lib/api';
import { deploymentTitle, shortRevision } from './names';

export interface Mark {
	at: number;
	label: string;
	isBad?: boolean;
}

/** Those that went live; one that brought failures is bad. */
export function marksOf(deployments: Deployment[], failures: FailureGroup[] = []): Mark[] {
	const bad = new Set(failures.map((group) => group.deployment));
	return deployments
		.filter((deployment) => deployment.status === 'live')
		.map((deployment) => ({ at: Date.parse(deployment.time), label: `${shortRevision(deployment.revision)} ${deploymentTitle(deployment)}`, isBad: bad.has(deployment.id) }));
}
