/**
 * What the board has to look at, and when.
 *
 * Its concerns are level-triggered: looked at anew, each does what is still to be done and nothing else. So a concern that
 * was looked at and changed nothing does nothing upon the same rows before one of the moments with which it compares the
 * clock, and it names them itself. Once anything is written, all are looked at, but for the few tables of which it is
 * known who looks at them. That holds for a commit that fails, too: what is kept of all this is a volatile row, and comes
 * true with the rows that it speaks of.
 */
import { askings, names, neighbours, sharings } from '../core/neighbour-tables.ts';
import {
  type Attention,
  assignments,
  attentions,
  cadences,
  chains,
  type Dues,
  fetches,
  flows,
  lastReports,
  lastShared,
  lefts,
  looks,
  meters,
  ONE,
  outbox,
  probes,
  readings,
  recordings,
  renewings,
} from '../core/tables.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Work } from './events.ts';

export interface Concern {
  act(work: Work, board: Board, now: Instant): void;
  /** At which it may do what it would not do before; those of the past may be among them. */
  moments(work: Work, board: Board, now: Instant): number[];
  /** Those of the tables set aside that others write for it. */
  reads?: readonly string[];
}

export interface Concerns {
  /** Of a tick alone. */
  tick: readonly Concern[];
  /** Of every turn. */
  turn: readonly Concern[];
}

/** Tables that one concern alone looks at, or none, before it acts. */
const ASIDE: ReadonlySet<string> = new Set(
  [
    ...[meters, cadences, readings, recordings, flows, outbox, chains, assignments],
    ...[probes, looks, renewings, lastReports, lastShared, fetches, lefts, attentions],
    ...[neighbours, names, sharings, askings],
  ].map(({ name }) => name),
);

const isChange = (tables: readonly string[]): boolean => {
  for (const table of tables) if (!ASIDE.has(table)) return true;
  return false;
};

const isFor = ({ reads }: Concern, tables: readonly string[]): boolean => {
  if (reads !== undefined) for (const table of tables) if (reads.includes(table)) return true;
  return false;
};

const isForAny = (concerns: readonly Concern[], tables: readonly string[]): boolean => {
  for (const concern of concerns) if (isFor(concern, tables)) return true;
  return false;
};

const AT_ONCE = 0;
const ALL_DUE: Dues = { monoMs: [], soonestMonoMs: AT_ONCE };
const NEW: Attention = { settled: false, tick: ALL_DUE, turn: ALL_DUE, restMonoMs: AT_ONCE };

const held = (work: Work): Attention => attentions.get(work, ONE) ?? NEW;

/** The soonest from `fromMonoMs` on. */
const soonest = (moments: readonly number[], fromMonoMs: number): number => {
  let found = Number.POSITIVE_INFINITY;
  for (const moment of moments) if (moment >= fromMonoMs && moment < found) found = moment;
  return found;
};

/** Of these the ones that somebody has written for are due at once. */
const told = (concerns: readonly Concern[], dues: Dues, tables: readonly string[]): Dues => {
  if (tables.length === 0 || !isForAny(concerns, tables)) return dues;
  return { monoMs: concerns.map((concern, i) => (isFor(concern, tables) ? AT_ONCE : (dues.monoMs[i] ?? AT_ONCE))), soonestMonoMs: AT_ONCE };
};

/**
 * Each that is due acts, and what one of them has changed is seen by those after it. Says when they have to be looked at
 * next, should they have changed nothing.
 */
const actDue = (concerns: readonly Concern[], dues: Dues, work: Work, board: Board, now: Instant): Dues => {
  const monoMs = concerns.map((concern, i) => {
    const dueMonoMs = dues.monoMs[i] ?? AT_ONCE;
    if (now.monoMs < dueMonoMs && !isChange(work.tablesNow())) return dueMonoMs;
    concern.act(work, board, now);
    // What is past has been looked at now, and did nothing; what is now may be the last moment at which nothing is done.
    return soonest(concern.moments(work, board, now), now.monoMs);
  });
  return { monoMs, soonestMonoMs: soonest(monoMs, AT_ONCE) };
};

/** What a tick does, as far as it would do anything. */
export const tick = (work: Work, board: Board, concerns: Concerns, now: Instant): void => {
  const before = held(work);
  const tables = work.tablesBefore();
  const dues = before.settled && !isChange(tables) ? told(concerns.tick, before.tick, tables) : ALL_DUE;
  if (now.monoMs < dues.soonestMonoMs) return;
  attentions.put(work, { ...before, settled: true, tick: actDue(concerns.tick, dues, work, board, now) }, ONE);
};

/** After the events of a turn. Tells from when on a tick may do something: whoever sends them can leave out those before. */
export const conclude = (work: Work, board: Board, concerns: Concerns, now: Instant): void => {
  const before = held(work);
  const tables = work.tablesBefore();
  const isChanged = isChange(tables);
  const tick = told(concerns.tick, before.tick, tables);
  let settled = before.settled && !isChanged;
  let turn = isChanged ? ALL_DUE : told(concerns.turn, before.turn, tables);
  if (now.monoMs >= turn.soonestMonoMs) {
    turn = actDue(concerns.turn, turn, work, board, now);
    if (isChange(work.tablesNow())) {
      settled = false;
      turn = ALL_DUE;
    }
  }
  const restMonoMs = Math.min(settled ? tick.soonestMonoMs : AT_ONCE, turn.soonestMonoMs);
  if (restMonoMs === before.restMonoMs && settled === before.settled && tick === before.tick && turn === before.turn) return;
  attentions.put(work, { settled, tick, turn, restMonoMs }, ONE);
  if (restMonoMs !== before.restMonoMs) work.emit({ kind: 'rest', untilMonoMs: restMonoMs });
};
