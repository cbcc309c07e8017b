// One timer for all times that are shown: each second, so that what is younger than 100 s is right.
let now = $state(Date.now());
setInterval(() => {
	if (!document.hidden) now = Date.now();
}, 1000);
document.addEventListener('visibilitychange', () => (now = Date.now()));

export const clock = {
	get now() {
		return now;
	}
};
