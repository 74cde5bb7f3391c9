/** Moments at which something is to be looked at though nothing has happened, by either of the clocks. */
import type { Instant } from '../../runtime/turn/clock.ts';
import { ordinal, volatileTable } from '../../runtime/turn/table.ts';
import type { Rows } from './context.ts';
import { type Ordered, ordered } from './ordered.ts';

export interface Moment {
  clock: keyof Instant;
  /** ms; a part of one counts as a whole. */
  at: number;
}

/** clock → moment/name → name. */
const alarms = volatileTable<Ordered<string>>('alarms');
const CLOCKS: (keyof Instant)[] = ['wallMs', 'monoMs'];

/** One name may have several; each rings once. */
export const setAlarm = (rows: Rows, { clock, at }: Moment, name: string): void => {
  const key = `${ordinal(Math.ceil(at))}/${name}`;
  const held = alarms.get(rows, clock) ?? ordered<string>();
  if (held.has(key)) return;
  const next = held.clone();
  next.set(key, name);
  alarms.put(rows, next, clock);
};

/** Whether any moment has come. */
export const isAnyDue = (rows: Rows, now: Instant): boolean =>
  CLOCKS.some((clock) => {
    const first = alarms.get(rows, clock)?.minKey();
    return first !== undefined && Number(first.slice(0, first.indexOf('/'))) <= now[clock];
  });

/** Names whose moment has come. */
export const takeAlarms = (rows: Rows, now: Instant): string[] =>
  CLOCKS.flatMap((clock) => {
    const held = alarms.get(rows, clock);
    const first = held?.minKey();
    const end = ordinal(Math.floor(now[clock]) + 1);
    if (held === null || first === undefined || first >= end) return [];
    const names: string[] = [];
    for (const [key, name] of held.entries()) {
      if (key >= end) break;
      names.push(name);
    }
    const next = held.clone();
    next.deleteRange(first, end, false);
    alarms.put(rows, next, clock);
    return names;
  });
