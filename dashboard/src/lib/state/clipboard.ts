// The clipboard, which browsers give to pages only that came by https or from this machine.
import { toasts } from './toasts.svelte';

/** Copies a text, and says so. `note` is what else there is to say of it. */
export async function copy(text: string, note = ''): Promise<boolean> {
	try {
		await navigator.clipboard.writeText(text);
		toasts.say(`Copied${note}`, note ? 'warn' : 'ok');
		return true;
	} catch {
		toasts.say('The browser does not let this page copy: it gives the clipboard to pages by https only', 'fail');
		return false;
	}
}
