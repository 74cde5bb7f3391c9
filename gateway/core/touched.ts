/**
 * What has changed since the gateway last looked at it, so that a turn costs what it changed and not what is held. The
 * tables tell it of every write that could change an answer (`watched`); after a restart, and where it is rare or hard
 * to say what follows from a change, everything is looked at.
 */
import { ordinal, volatileTable } from '../../runtime/turn/table.ts';
import type { Rows } from './context.ts';
import { type Ordered, ordered } from './ordered.ts';
import type { Standing, Tried } from './rollout.ts';

type Touch = { what: 'board'; board: string } | { what: 'request'; request: string } | { what: 'instance'; instance: string };

const touches = volatileTable<Touch>('touches');
/** Whose whole was looked at since everything changed; empty after a restart. */
const settled = volatileTable<true>('settled');

/** Boards of one owner, in the order of their ids, with how a system did on each. */
export interface Fleet {
  boards: ({ board: string } & Tried)[];
  standing: Standing;
}

type Looker = 'placing' | 'telling';

/** (request, index), in the order in which instances are placed. */
export const instanceOf = (request: string, index: number): string => `${request}/${ordinal(index)}`;

export const ofInstance = (instance: string): { request: string; index: number } => {
  const [request = '', index] = instance.split('/');
  return { request, index: Number(index) };
};

export const touchBoard = (rows: Rows, board: string): void => touches.put(rows, { what: 'board', board }, `board/${board}`);

export const touchRequest = (rows: Rows, request: string): void => touches.put(rows, { what: 'request', request }, `request/${request}`);

export const touchInstance = (rows: Rows, instance: string): void =>
  touches.put(rows, { what: 'instance', instance }, `instance/${instance}`);

/** What requests wait for → the requests. */
const awaited = volatileTable<Ordered<true>>('awaited');

/** The request cannot be placed before this has come. */
export const awaitFor = (rows: Rows, request: string, what: string): void => {
  const held = awaited.get(rows, what) ?? ordered<true>();
  if (held.has(request)) return;
  const next = held.clone();
  next.set(request, true);
  awaited.put(rows, next, what);
};

/** Whoever waited for it is looked at again. */
export const touchAwaited = (rows: Rows, what: string): void => {
  const held = awaited.get(rows, what);
  if (held === null) return;
  awaited.remove(rows, what);
  for (const request of held.keys()) touchRequest(rows, request);
};

/** Something upon which every placement may depend: who acts, who is in reach, what may be run. */
export const touchPlacing = (rows: Rows): void => settled.remove(rows, 'placing');

/** owner/publisher/release → how far that has come through the owner's boards, as long as nothing of it changes. */
export const fleets = volatileTable<Fleet>('fleets');

/** Something upon which it may depend which boards are given which system. */
export const touchFleets = (rows: Rows): void => {
  for (const { key } of fleets.all(rows)) fleets.remove(rows, key);
  touchTelling(rows);
};

/** Something upon which everything may depend: who is who. */
export const touchAll = (rows: Rows): void => {
  touchFleets(rows);
  settled.remove(rows, 'placing');
  settled.remove(rows, 'telling');
};

/** Whether `looker` has to look at everything; until the next such change it has not. */
export const takeWhole = (rows: Rows, looker: Looker): boolean => {
  if (settled.get(rows, looker) !== null) return false;
  settled.put(rows, true, looker);
  return true;
};

/** Something that any board may have to hear of. */
export const touchTelling = (rows: Rows): void => settled.remove(rows, 'telling');

export interface Touched {
  boards: Set<string>;
  requests: Set<string>;
  instances: Set<string>;
}

/** Whether anything was touched that nobody has looked at. */
export const isTouched = (rows: Rows): boolean =>
  settled.get(rows, 'placing') === null || settled.get(rows, 'telling') === null || touches.any(rows);

export const touched = (rows: Rows): Touched => {
  const found: Touched = { boards: new Set(), requests: new Set(), instances: new Set() };
  for (const { value } of touches.all(rows)) {
    if (value.what === 'board') found.boards.add(value.board);
    else if (value.what === 'request') found.requests.add(value.request);
    else found.instances.add(value.instance);
  }
  return found;
};

export const takeTouched = (rows: Rows): Touched => {
  const found = touched(rows);
  for (const { key } of touches.all(rows)) touches.remove(rows, key);
  return found;
};
