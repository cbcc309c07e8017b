// What is told of the node on every page: who is signed in, what is live, and whether it answers. Asked for once, and then pushed.
import { asProblem, get, limitTo, url, type DeploymentSummary, type HealthPart, type HealthReport, type NodeStatus, type Principal, type Problem, type Scope } from '$lib/api';
import { follow } from '$lib/api/events';

/** A node that does not answer is asked again after this time. */
const WAIT_MS = 4000;
/** What the node says at the end of what is followed, when it stops. */
const STOPS = 'the node stops';
export type Ended = '' | 'ended' | 'over' | 'revoked' | 'restarted';
const SCOPES: Scope[] = ['read', 'deploy', 'admin'];

class Node {
	status = $state.raw<NodeStatus>();
	/** Who is signed in; null: nobody. */
	me = $state.raw<Principal | null>();
	/** What is degraded. */
	health = $state.raw<HealthPart[]>([]);
	/** Why what is shown is not of now. */
	problem = $state.raw<Problem>();
	/** When the node was heard of last. */
	at = $state(0);
	/** When it is asked again, while it does not answer. */
	nextTry = $state(0);
	/** Grows with each deployment, so that views that show some read this and load again. */
	turn = $state(0);

	/** Why nobody is signed in any more: a word of the sign-in page. */
	why: Ended = '';

	#stop: (() => void) | undefined;
	/** When the session ends by itself. */
	#ends = Infinity;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** Whether the token may do what needs this scope. */
	may(scope: Scope): boolean {
		return !!this.me && SCOPES.indexOf(this.me.scope) >= SCOPES.indexOf(scope);
	}

	/** Whether the token is good for the whole node, and not only for some functions. */
	get isWhole(): boolean {
		return !!this.me && !this.me.functions;
	}

	/** The folder where functions are saved; none: they come from git. */
	get folder(): string | undefined {
		return /^directory (.+)/.exec(this.status?.source ?? '')?.[1];
	}

	/** Whether functions come from such a folder. */
	get isFolder(): boolean {
		return this.folder !== undefined;
	}

	/** Whether it is known what stands above every page: what is degraded, and why the source is not live. */
	get isKnown(): boolean {
		return !!this.status || !!this.problem || (!!this.me && !this.isWhole);
	}

	stop(): void {
		this.#stop?.();
		this.#stop = undefined;
		clearTimeout(this.#timer);
	}

	/** Forgets whose session it was. */
	forget(): void {
		this.stop();
		Object.assign(this, { me: undefined, status: undefined, health: [], problem: undefined, at: 0, why: '' });
	}

	/** Asks now, and has all changes pushed from then on. */
	async look(): Promise<void> {
		clearTimeout(this.#timer);
		try {
			const { who } = await get('/_picloud/session');
			limitTo(who?.functions ?? undefined);
			this.me = who ?? null;
			if (!who) return this.#end();
			this.#ends = who.session ? Date.parse(who.session.ends) : Infinity;
			this.why = 'ended';
			if (this.isWhole) {
				const [status, health] = await Promise.all([get('/api/admin/status'), get('/api/admin/health').catch(() => undefined)]);
				if (health) this.health = health.parts;
				this.#take(status);
				this.#follow();
			}
			const wasAway = !!this.problem;
			Object.assign(this, { problem: undefined, at: Date.now() });
			if (wasAway) back();
		} catch (error) {
			this.problem = asProblem(error);
			this.#again();
		}
	}

	/** Says why the session is over, as far as that is known here. */
	#end(): void {
		if (Date.now() >= this.#ends) this.why = 'over';
		else if (this.problem?.isUnanswered) this.why = 'restarted';
		this.stop();
	}

	#follow(): void {
		this.#stop ??= follow(
			url('/api/admin/status/tail'),
			{
				status: (data) => this.#take(data as NodeStatus),
				health: (data) => (this.health = (data as HealthReport).parts),
				deployment: (data) => (this.turn += (data as DeploymentSummary).status === 'live' ? 0 : 1),
				// The session has ended, or the node stops.
				ended: (data) => {
					this.why = (data as { reason: string }).reason === STOPS ? 'restarted' : 'revoked';
					this.stop();
					void this.look();
				}
			},
			{
				onLost: () => {
					this.stop();
					this.#again();
				}
			}
		);
	}

	#take(status: NodeStatus): void {
		const isNew = this.status && this.status.live?.id !== status.live?.id;
		const hasDatabase = !!this.status?.database.problem && !status.database.problem;
		Object.assign(this, { status, at: Date.now() });
		if (isNew) this.turn += 1;
		if (hasDatabase) back();
	}

	#again(): void {
		clearTimeout(this.#timer);
		this.nextTry = Date.now() + WAIT_MS;
		this.#timer = setTimeout(() => void this.look(), WAIT_MS);
	}
}

/** Tells views that what failed can be asked for again. */
const back = () => dispatchEvent(new Event('back'));

export const node = new Node();
