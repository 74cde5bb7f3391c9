/**
 * Promise 4, as it happens: a `stop` instance never runs in two places; a `continue` one stops doing so soon after both
 * boards are at homes that hear each other. How long an instance ran at all is added up for its bill.
 */
import type { Court } from './court.ts';
import { type BoardCase, canSettle, type GatewayCase, type InstanceCase, isGood, isThere, type LeaseCase, type Pair } from './scene.ts';

export interface Overlap {
  began(atMs: number, board: BoardCase, lease: LeaseCase): void;
  ended(atMs: number, board: BoardCase, lease: LeaseCase): void;
  /** Two machines go by this board's name: where it runs is not one place any more. */
  excuse(board: BoardCase): void;
  /** Where this board stands has changed. */
  changed(atMs: number, board: BoardCase): void;
  /** Where some gateway stands has changed. */
  gatewaysChanged(atMs: number): void;
  finish(atMs: number): void;
}

/** It did not lose what it knew of the others' leases, nor was it told another history of them. */
const isInformed = ({ forgotMs, isDeceived }: GatewayCase): boolean => forgotMs === null && !isDeceived;

const isTold = (board: BoardCase): boolean => {
  const { home } = board;
  return canSettle(board) && home !== null && board.isHomeSure && isThere(home) && isGood(home) && isInformed(home);
};

const hear = (a: GatewayCase | null, b: GatewayCase | null): boolean => a !== null && b !== null && (a === b || !a.apart.has(b.id));

const couldKnow = ({ a, b }: Pair): boolean => isTold(a.board) && isTold(b.board) && hear(a.board.home, b.board.home);

const instanceOf = ({ scene }: Court, { document }: LeaseCase): InstanceCase | null =>
  document === null ? null : scene.instance(`${document.request}/${document.index}`);

const newPair = (instance: InstanceCase, a: Pair['a'], b: Pair['b'], sinceMs: number): Pair => ({ instance, a, b, sinceMs, boundMs: null });

const mustNotBe = ({ a, b }: Pair): boolean => a.lease.document?.onIsolation === 'stop' || b.lease.document?.onIsolation === 'stop';

export const openOverlap = (court: Court): Overlap => {
  const { limits, docket } = court;
  const pairs = new Set<Pair>();
  const accuseStop = (atMs: number, { instance, a, b, sinceMs }: Pair): void =>
    docket.accuse('overlap-stop', atMs, instance.id, `a stop instance ran on ${a.board.id} and ${b.board.id}, ${atMs - sinceMs} ms so far`);
  const judge = (atMs: number, { instance, a, b, boundMs }: Pair): void => {
    if (boundMs === null) return;
    docket.tally.worstOverlapMs = Math.max(docket.tally.worstOverlapMs, atMs - boundMs);
    if (atMs - boundMs <= limits.overlapMs) return;
    const what = `it ran on ${a.board.id} and ${b.board.id} for ${atMs - boundMs} ms while their homes heard each other, the bound is ${limits.overlapMs}`;
    docket.accuse('overlap-too-long', atMs, instance.id, what);
  };
  const refresh = (atMs: number, pair: Pair): void => {
    if (mustNotBe(pair) && atMs > pair.sinceMs) accuseStop(atMs, pair);
    if (couldKnow(pair)) pair.boundMs ??= atMs;
    else {
      judge(atMs, pair);
      pair.boundMs = null;
    }
  };
  const drop = (pair: Pair): void => {
    pairs.delete(pair);
    pair.a.board.pairs.delete(pair);
    pair.b.board.pairs.delete(pair);
  };
  const close = (atMs: number, pair: Pair): void => {
    judge(atMs, pair);
    drop(pair);
    if (!mustNotBe(pair)) return;
    docket.tally.overlapStopMs += atMs - pair.sinceMs;
    // One may end and the other begin at one moment.
    if (atMs > pair.sinceMs) accuseStop(atMs, pair);
  };
  return {
    began: (atMs, board, lease) => {
      const instance = instanceOf(court, lease);
      if (instance === null || board.card.isCloned || instance.running.has(lease)) return;
      if (instance.active++ === 0) instance.activeMs = atMs;
      for (const [other, place] of instance.running) {
        if (place === board) continue;
        const pair = newPair(instance, { lease: other, board: place }, { lease, board }, atMs);
        for (const set of [pairs, place.pairs, board.pairs]) set.add(pair);
        docket.tally.overlaps++;
        refresh(atMs, pair);
      }
      instance.running.set(lease, board);
    },
    ended: (atMs, board, lease) => {
      const instance = instanceOf(court, lease);
      if (instance?.running.delete(lease) !== true) return;
      if (--instance.active === 0) instance.unionMs += atMs - instance.activeMs;
      for (const pair of [...board.pairs]) if (pair.a.lease === lease || pair.b.lease === lease) close(atMs, pair);
    },
    excuse: (board) => {
      for (const pair of [...board.pairs]) drop(pair);
    },
    changed: (atMs, board) => {
      for (const pair of board.pairs) refresh(atMs, pair);
    },
    gatewaysChanged: (atMs) => {
      for (const pair of pairs) refresh(atMs, pair);
    },
    finish: (atMs) => {
      for (const pair of [...pairs]) close(atMs, pair);
    },
  };
};
