/** What the store could not keep is told again: the world does not say twice that an instance ended. */
import type { Event } from './events.ts';

export const RETELL_MS = 1000;

/** Ticks come by themselves, and content that did not arrive is asked for again. */
export const retold = (events: Event[]): Event[] =>
  events.filter((event) => event.kind !== 'tick' && event.kind !== 'wake' && (event.kind !== 'message' || event.topic !== 'chunk'));
