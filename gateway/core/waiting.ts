/**
 * Instances that want a lease and found no board. Each is tried again on the boards that have changed since, as on all
 * others nothing is new; one that asks for a certain board on that one only. Who waits no more is found out when tried.
 */
import { volatileTable } from '../../runtime/turn/table.ts';
import type { Rows } from './context.ts';
import { type Ordered, ordered } from './ordered.ts';

/** The board that is asked for, or empty → instances. */
const waiting = volatileTable<Ordered<true>>('waiting');

export const wait = (rows: Rows, instance: string, board = ''): void => {
  const held = waiting.get(rows, board) ?? ordered<true>();
  if (held.has(instance)) return;
  const next = held.clone();
  next.set(instance, true);
  waiting.put(rows, next, board);
};

export const waitNoMore = (rows: Rows, instance: string, board = ''): void => {
  const held = waiting.get(rows, board);
  if (held === null || !held.has(instance)) return;
  const next = held.clone();
  next.delete(instance);
  waiting.put(rows, next, board);
};

/** In order; for this board, or for any. */
export const waitingFor = (rows: Rows, board = ''): Iterable<string> => waiting.get(rows, board)?.keys() ?? [];
