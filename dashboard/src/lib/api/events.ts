// Server-sent events of the node. The browser connects again by itself, and sends the id of the last event that it saw.

/** After a refusal, such as too many followers, it is asked again after this time. */
const WAIT_MS = 4000;

/**
 * Follows a stream until the function that is returned is called. `handlers` has one for each event's name. A page that nobody sees lets go of its
 * connection: browsers have six for one address, and every page of it needs some. When it is seen again, the stream is opened anew.
 */
export function follow(
	address: string,
	handlers: Record<string, (data: unknown) => void>,
	state: { onOpen?: () => void; onLost: () => void }
): () => void {
	let source: EventSource | undefined;
	let timer: ReturnType<typeof setTimeout> | undefined;
	const open = () => {
		source = new EventSource(address);
		for (const [name, handle] of Object.entries(handlers)) {
			source.addEventListener(name, (event) => handle(parse((event as MessageEvent<string>).data)));
		}
		source.onopen = () => state.onOpen?.();
		source.onerror = () => {
			// A refusal ends it; else the browser connects again.
			if (source?.readyState === EventSource.CLOSED) timer = setTimeout(() => (close(), turn()), WAIT_MS);
			state.onLost();
		};
	};
	const close = () => {
		clearTimeout(timer);
		source?.close();
		source = undefined;
	};
	const turn = () => (document.hidden ? close() : (source ?? open()));
	document.addEventListener('visibilitychange', turn);
	turn();
	return () => {
		document.removeEventListener('visibilitychange', turn);
		close();
	};
}

function parse(data: string): unknown {
	try {
		return JSON.parse(data);
	} catch {
		return data;
	}
}
