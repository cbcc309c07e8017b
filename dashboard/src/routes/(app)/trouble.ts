// Functions that are in trouble now, since when, and with which version it began: whatever was deployed since.
import type { Deployment, FailureGroup, FunctionStats } from '$lib/api';

/** By this time back the node judges whether a function is in trouble. */
const JUDGED_MS = 3600e3;

export interface Trouble {
	of: FunctionStats;
	/** The place of its failures that began first, of those that go on. None: it is slow, or its executions are not recorded. */
	onset?: FailureGroup | undefined;
	/** Its failures go back further than was looked. */
	isOlder: boolean;
	/** The version that is live came after the last failure: it may be mended. */
	isOver: boolean;
}

/** Says of functions that fail or are slow how that began. `lookedBackTo` is how far back the failures go. */
export function troubles(functions: FunctionStats[], failures: FailureGroup[], lookedBackTo: number, now: number): Trouble[] {
	return functions.map((of) => {
		const going = failures.filter((group) => group.function === of.function && now - Date.parse(group.last) < JUDGED_MS);
		const last = Math.max(...going.map((group) => Date.parse(group.last)));
		const onset = going.reduce<FailureGroup | undefined>((one, other) => (one && Date.parse(one.first) <= Date.parse(other.first) ? one : other), undefined);
		return {
			of,
			onset,
			isOlder: !!onset && Date.parse(onset.first) - lookedBackTo < JUDGED_MS,
			isOver: !!onset && !!of.version_since && last < Date.parse(of.version_since)
		};
	});
}

/** Whether it began with the version that is live. */
export const isOfLiveVersion = ({ of, onset, isOlder }: Trouble): boolean => !isOlder && onset?.version === of.version;

/** The deployment that brought the version with which these failures began. */
export const broughtBy = (group: FailureGroup, deployments: Deployment[]): Deployment | undefined =>
	deployments.find((one) => one.status === 'live' && Date.parse(one.time) <= Date.parse(group.first) && brought(one, group));

/** Whether a deployment brought the version with which these failures began. */
export const brought = (deployment: Deployment | undefined, group: FailureGroup): boolean =>
	!!deployment?.changes.some((change) => change.function === group.function && change.to === group.version);

/** Ids of the deployments that brought what fails now, as long as that is live. */
export const culprits = (all: Trouble[], deployments: Deployment[]): ReadonlySet<string> =>
	new Set(all.flatMap((one) => (isOfLiveVersion(one) && one.onset && !one.isOver ? (broughtBy(one.onset, deployments)?.id ?? []) : [])));
