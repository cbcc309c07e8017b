// Keys of one letter. A page says what its own do; those of everywhere and of lists are in frame/Keys.svelte.
type Handler = (key: string, event: KeyboardEvent) => void;

const handlers: Handler[] = [];
let isOn = $state(localStorage.getItem('keys') !== 'off');

export const keys = {
	/** They can be switched off (WCAG 2.1.4). */
	get isOn() {
		return isOn;
	},
	set isOn(value: boolean) {
		isOn = value;
		localStorage.setItem('keys', value ? 'on' : 'off');
	},
	press(event: KeyboardEvent): void {
		handlers.at(-1)?.(event.key, event);
	}
};

/** To be called while a page is made; its keys go with it. */
export function pageKeys(handler: Handler): void {
	$effect(() => {
		handlers.push(handler);
		return () => void handlers.splice(handlers.indexOf(handler), 1);
	});
}
