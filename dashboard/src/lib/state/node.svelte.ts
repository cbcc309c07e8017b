// What is told of the node on every page: what is live, and whether it answers. Pushed where the node does that, else asked for.
import { asProblem, get, ifThere, url, type NodeStatus, type Principal, type Problem, type Scope } from '$lib/api';
import { follow } from '$lib/api/events';
import type { HealthPart } from '$lib/api';

const POLL_MS = 4000;
const SCOPES: Scope[] = ['read', 'deploy', 'admin'];

class Node {
	status = $state.raw<NodeStatus>();
	me = $state.raw<Principal>();
	/** What is degraded; null where the node does not tell it as a list. */
	health = $state.raw<HealthPart[] | null>(null);
	/** Why what is shown is not of now. */
	problem = $state.raw<Problem>();
	/** When the node was heard of last. */
	at = $state(0);
	/** When it is asked again, while it does not answer. */
	nextTry = $state(0);
	/** Grows with each deployment, so that views that show some read this and load again. */
	turn = $state(0);

	#stop: (() => void) | undefined;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#isPushed = false;

	/** Whether the token may do what needs this scope. */
	may(scope: Scope): boolean {
		return !!this.me && SCOPES.indexOf(this.me.scope) >= SCOPES.indexOf(scope);
	}

	async start(): Promise<void> {
		this.stop();
		await this.look();
		this.#stop = follow(
			url('/api/admin/status/tail'),
			{
				status: (data) => this.#take(data as NodeStatus),
				deployment: () => void this.#deployed(),
				health: (data) => this.#takeHealth(data)
			},
			{
				onOpen: () => {
					this.#isPushed = true;
					void this.look();
				},
				onLost: () => {
					this.#isPushed = false;
					this.#again();
				}
			}
		);
	}

	stop(): void {
		this.#stop?.();
		this.#stop = undefined;
		clearTimeout(this.#timer);
	}

	/** Forgets whose session it was. */
	forget(): void {
		Object.assign(this, { me: undefined, status: undefined, health: null, problem: undefined, at: 0 });
	}

	/** Asks now. */
	async look(): Promise<void> {
		clearTimeout(this.#timer);
		try {
			this.me ??= await get('/api/admin/whoami');
			this.#take(await get('/api/admin/status'));
		} catch (error) {
			this.problem = asProblem(error);
		}
		if (!this.#isPushed || this.problem) this.#again();
	}

	async lookAtHealth(): Promise<void> {
		this.#takeHealth(await ifThere(get('/api/admin/health')).catch(() => null));
	}

	#take(status: NodeStatus): void {
		const isNew = this.status && this.status.live?.id !== status.live?.id;
		Object.assign(this, { status, problem: undefined, at: Date.now() });
		if (isNew) this.turn += 1;
	}

	#takeHealth(data: unknown): void {
		this.health = (data as { parts?: HealthPart[] } | null)?.parts ?? null;
	}

	#deployed(): void {
		this.turn += 1;
		if (!this.#isPushed) void this.look();
	}

	#again(): void {
		clearTimeout(this.#timer);
		this.nextTry = Date.now() + POLL_MS;
		this.#timer = setTimeout(() => void this.look(), POLL_MS);
	}
}

export const node = new Node();
