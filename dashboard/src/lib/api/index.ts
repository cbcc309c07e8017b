export { del, get, ifThere, limited, limitTo, post, put, url, type Answer, type Query } from './client';
export { asProblem, Problem } from './problem';
export type * from './types';
