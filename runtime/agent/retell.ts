/**
 * What the store could not keep is told again: the world does not say twice that an instance ended. A store that stays as
 * it is must not cost more and more, so all of it waits together, longer each time, and of what is said again and again
 * only the newest word is kept.
 */
import type { Event } from './events.ts';

const FIRST_MS = 1000;
const MOST_MS = 30_000;

/** When it first happened: what was used is not used until it could be written down. */
const stamped = (event: Event, monoMs: number): Event =>
  event.kind === 'exited' || event.kind === 'stopped' ? { ...event, atMonoMs: event.atMonoMs ?? monoMs } : event;

/** Ticks come by themselves, and content that did not arrive is asked for again. */
const isTold = (event: Event): boolean =>
  event.kind !== 'tick' && event.kind !== 'wake' && event.kind !== 'stuck' && (event.kind !== 'message' || event.topic !== 'chunk');

/** Events of which a newer one says all that the older one did; null: it speaks for itself alone. */
const subjectOf = (event: Event): string | null =>
  event.kind === 'message' ? `message ${event.topic}` : event.kind === 'sampled' || event.kind === 'card-seen' ? event.kind : null;

const joined = (waiting: Event[], more: Event[], monoMs: number): Event[] => {
  const all = [...waiting, ...more.filter(isTold).map((event) => stamped(event, monoMs))];
  const newest = new Map(all.map((event): [string | null, Event] => [subjectOf(event), event]));
  return all.filter((event) => subjectOf(event) === null || newest.get(subjectOf(event)) === event);
};

export interface RetellDoors {
  monoMs(): number;
  after(ms: number, call: () => void): void;
  submit(event: Event): void;
}

/** Called with the events of each commit that failed. */
export const openRetelling = (doors: RetellDoors): ((events: Event[]) => void) => {
  let waiting: Event[] = [];
  let isWaiting = false;
  let delayMs = 0;
  let failedMonoMs = 0;
  const tell = (): void => {
    isWaiting = false;
    const events = waiting;
    waiting = [];
    for (const event of events) doors.submit(event);
  };
  return (events) => {
    const monoMs = doors.monoMs();
    waiting = joined(waiting, events, monoMs);
    if (isWaiting) return;
    isWaiting = true;
    const goesOn = delayMs > 0 && monoMs - failedMonoMs <= delayMs + MOST_MS;
    delayMs = goesOn ? Math.min(2 * delayMs, MOST_MS) : FIRST_MS;
    failedMonoMs = monoMs;
    doors.submit({ kind: 'stuck', forMs: delayMs });
    doors.after(delayMs, tell);
  };
};
