/**
 * Which instances a look at the placements has to look at. For one that nothing has touched, nothing is to be done as
 * nothing was before: it has its lease, or no board had room for it and only those that have changed since may have now.
 */
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { isAnyDue, setAlarm, takeAlarms } from './alarms.ts';
import type { Context, Rows } from './context.ts';
import { boardsTouched, openOn } from './holding.ts';
import { alive } from './homing.ts';
import { forgetRooms, refreshRooms } from './rooms.ts';
import { peers, requests } from './tables.ts';
import { instanceOf, isTouched, type Touched, takeWhole, touchPlacing } from './touched.ts';
import { waitingFor } from './waiting.ts';

export interface Agenda {
  /** In the order in which they are placed. */
  instances: string[];
  /** Boards that have changed, on which those that wait are tried. */
  changed: Set<string>;
}

/** The alarm's name when it is not one instance's. */
const SILENCE = 'silence';

const instancesOf = (rows: Rows, request: string): string[] =>
  Array.from({ length: requests.get(rows, request)?.doc.replicas ?? 0 }, (_, index) => instanceOf(request, index));

const everything = (rows: Rows, context: Context, now: Instant): Agenda => {
  forgetRooms(rows);
  // Who is silent is taken for dead at one moment, though nothing happens then.
  for (const { key, value } of peers.all(rows)) {
    if (!value.up && alive(rows, context, key, now)) setAlarm(rows, { clock: 'monoMs', at: value.sinceMs + context.silenceMs }, SILENCE);
  }
  return { instances: requests.all(rows).flatMap(({ key }) => instancesOf(rows, key)), changed: new Set() };
};

const whatChanged = (rows: Rows, context: Context, touched: Touched, due: string[], now: Instant): Agenda => {
  const changed = boardsTouched(rows, touched);
  const instances = new Set([...touched.instances, ...due.filter((name) => name !== SILENCE)]);
  for (const request of touched.requests) for (const instance of instancesOf(rows, request)) instances.add(instance);
  for (const board of changed) {
    for (const { doc } of openOn(rows, board)) instances.add(instanceOf(doc.request, doc.index));
    for (const instance of waitingFor(rows, board)) instances.add(instance);
  }
  refreshRooms(rows, context, changed, now);
  return { instances: [...instances].sort(), changed };
};

const isAnyoneSilent = (rows: Rows, context: Context, now: Instant): boolean =>
  peers.all(rows).some(({ key, value }) => !value.up && !alive(rows, context, key, now));

/** The wall time of the last look. */
const looked = volatileTable<number>('looked');

const isSetBack = (rows: Rows, now: Instant): boolean => now.wallMs < (looked.get(rows, 'wall') ?? 0);

/** Whether a look would find anything that the last one has not. */
export const isLookDue = (rows: Rows, now: Instant): boolean => isTouched(rows) || isAnyDue(rows, now) || isSetBack(rows, now);

export const agendaOf = (rows: Rows, context: Context, touched: Touched, now: Instant): Agenda => {
  const due = takeAlarms(rows, now);
  if (due.includes(SILENCE) && isAnyoneSilent(rows, context, now)) touchPlacing(rows);
  // What seemed over by a clock that was ahead may not be.
  if (isSetBack(rows, now)) touchPlacing(rows);
  looked.put(rows, now.wallMs, 'wall');
  return takeWhole(rows, 'placing') ? everything(rows, context, now) : whatChanged(rows, context, touched, due, now);
};

/** Touched instances and those that wait in one order, as they want the same room; the latter only while there is `more` of it. */
export function* inOrder(
  touched: string[],
  waiting: Iterable<string>,
  more: () => boolean,
): Generator<{ instance: string; waits: boolean }> {
  const rest = waiting[Symbol.iterator]();
  const next = (): string | undefined => {
    const { done, value } = rest.next();
    return done === true ? undefined : value;
  };
  let waits = next();
  for (const instance of touched) {
    for (; waits !== undefined && waits < instance && more(); waits = next()) yield { instance: waits, waits: true };
    if (waits === instance) waits = next();
    yield { instance, waits: false };
  }
  for (; waits !== undefined && more(); waits = next()) yield { instance: waits, waits: true };
}
