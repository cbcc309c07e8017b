import type { HandleClientError } from '@sveltejs/kit';

// An address that is no page has its own page; only faults of this program go to the console.
export const handleError: HandleClientError = ({ error, status, message }) => {
	if (status !== 404) console.error(error);
	return { message };
};
