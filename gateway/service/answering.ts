/** How a call of the API is answered. */
import type { Instant } from '../../runtime/turn/clock.ts';
import type { ApiAnswer, ApiInput, Service, Work } from './events.ts';

export type Answer = (work: Work, service: Service, input: ApiInput, now: Instant) => ApiAnswer;

export const json = (value: unknown): ApiAnswer => ({ json: value });
