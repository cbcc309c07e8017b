// Moments, in UTC like everything that the node writes.
import { span } from './numbers';

export const clock = (time: string | number, withMillis = false): string => new Date(time).toISOString().slice(11, withMillis ? 23 : 19);

export const absolute = (time: string | number): string => `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** "12 min ago", "in 3 min" or "now". */
export function relative(time: string | number, now: number): string {
	const ago = now - new Date(time).getTime();
	if (Math.abs(ago) < 1000) return 'now';
	return ago > 0 ? `${span(ago)} ago` : `in ${span(-ago)}`;
}

const MINUTE_MS = 60e3;
/** Steps of an axis of time, in minutes: up to a day they divide it. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880, 7200, 14400];

/** Round times between two, at most so many. */
export function roundTimes(from: number, to: number, most: number): number[] {
	const step = MINUTE_MS * (STEPS.find((minutes) => (to - from) / (minutes * MINUTE_MS) <= most) ?? 43200);
	const first = Math.ceil(from / step);
	return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) }, (_, i) => (first + i) * step);
}
