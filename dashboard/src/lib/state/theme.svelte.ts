// Light, dark, or as the system says. `data-theme` only sets `color-scheme`; all colours are pairs.
const CHOICES = ['system', 'light', 'dark'] as const;
type Choice = (typeof CHOICES)[number];

const kept = localStorage.getItem('theme');
let choice = $state<Choice>(CHOICES.find((choice) => choice === kept) ?? 'system');
show();

function show(): void {
	if (choice === 'system') delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = choice;
}

export const theme = {
	get choice() {
		return choice;
	},
	next(): void {
		choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length] ?? 'system';
		localStorage.setItem('theme', choice);
		show();
	}
};
