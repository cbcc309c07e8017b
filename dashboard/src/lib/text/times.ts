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
