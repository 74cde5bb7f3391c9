/** What the store could not keep is told again: the world does not say twice that an instance ended. */
import type { Event } from './events.ts';

export const RETELL_MS = 1000;

/** When it first happened: what was used is not used until it could be written down. */
const stamped = (event: Event, monoMs: number): Event =>
  event.kind === 'exited' || event.kind === 'stopped' ? { ...event, atMonoMs: event.atMonoMs ?? monoMs } : event;

/** Ticks come by themselves, and content that did not arrive is asked for again. */
export const retold = (events: Event[], monoMs: number): Event[] =>
  events
    .filter((event) => event.kind !== 'tick' && event.kind !== 'wake' && (event.kind !== 'message' || event.topic !== 'chunk'))
    .map((event) => stamped(event, monoMs));
