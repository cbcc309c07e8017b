// Numbers, spans and sizes as people read them.

export const count = (value: number): string => (value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : Math.round(value).toLocaleString('en-US'));

/** A part of one as per cent. */
export function percent(part: number): string {
	if (part === 0) return '0 %';
	if (part < 0.001) return '< 0.1 %';
	return `${(part * 100).toFixed(part < 0.1 ? 1 : 0)} %`;
}

/** A duration in microseconds. */
export function duration(us: number | null | undefined): string {
	if (us == null) return '–';
	if (us < 1e3) return `${Math.round(us)} µs`;
	if (us < 1e6) return `${(us / 1e3).toFixed(us < 1e4 ? 1 : 0)} ms`;
	if (us < 6e7) return `${(us / 1e6).toFixed(us < 1e7 ? 2 : 1)} s`;
	return span(us / 1e3);
}

/** A long time in milliseconds: one unit, the largest that says enough. */
export function span(ms: number): string {
	const seconds = Math.max(0, Math.round(ms / 1000));
	if (seconds < 100) return `${seconds} s`;
	if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
	if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
	return `${Math.floor(seconds / 86400)} d`;
}

export function size(bytes: number): string {
	if (bytes < 1024) return `${bytes} B`;
	if (bytes < 1048576) return `${(bytes / 1024).toFixed(bytes < 10240 ? 1 : 0)} KiB`;
	return `${(bytes / 1048576).toFixed(bytes < 10485760 ? 1 : 0)} MiB`;
}

/** The smallest round number that is not below this one: the top of a chart. */
export function roundUp(value: number): number {
	if (value <= 0) return 1;
	const power = 10 ** Math.floor(Math.log10(value));
	const step = [1, 1.5, 2, 3, 4, 5, 8, 10].find((step) => step * power >= value) ?? 10;
	return step * power;
}

export const plural = (value: number, one: string, many = `${one}s`): string => `${count(value)} ${value === 1 ? one : many}`;
