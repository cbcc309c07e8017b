// Server-sent events of the node. The browser connects again by itself, and sends the id of the last event that it saw.

/** Follows a stream until the function that is returned is called. `handlers` has one for each event's name. */
export function follow(
	address: string,
	handlers: Record<string, (data: unknown) => void>,
	state: { onOpen?: () => void; onLost: () => void }
): () => void {
	const source = new EventSource(address);
	for (const [name, handle] of Object.entries(handlers)) {
		source.addEventListener(name, (event) => handle(parse((event as MessageEvent<string>).data)));
	}
	source.onopen = () => state.onOpen?.();
	source.onerror = () => state.onLost();
	return () => source.close();
}

function parse(data: string): unknown {
	try {
		return JSON.parse(data);
	} catch {
		return data;
	}
}
