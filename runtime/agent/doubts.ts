/**
 * A piece that came and is something else is refused, it alone: its gateway hears of it and is asked for it again later;
 * when that says so again, others are tried before it, and the board says who it was.
 */
import { doubtAnew, isLie, shunnedUntil } from '../core/doubt.ts';
import { anchors, type Doubt, doubts, liars, links, ONE, shunned } from '../core/tables.ts';
import { type Bytes, hex } from '../protocol/bytes.ts';
import { encodeAs } from '../protocol/noun.ts';
import { want } from '../protocol/nouns/messages.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Work } from './events.ts';

const present = (work: Work, key: string): Doubt | null => {
  const held = doubts.get(work, key);
  return held !== null && held.by === links.get(work, ONE)?.gateway?.gateway ? held : null;
};

/** The gateway of this session is not asked for it now. */
export const isDoubted = (work: Work, key: string, now: Instant): boolean => (present(work, key)?.untilMonoMs ?? 0) > now.monoMs;

export const isShunned = (work: Work, gateway: string, now: Instant): boolean => (shunned.get(work, gateway) ?? 0) > now.monoMs;

/** For people: who gave something else for it; empty: nobody did. */
export const doubtOf = (work: Work, key: string): string => {
  const held = present(work, key);
  const name = links.get(work, ONE)?.gateway?.name;
  return held === null || name === undefined ? '' : `gateway ${name} gave something else for ${key.slice(0, 12)}`;
};

/** `why` is for the journal. */
export const doubt = (work: Work, board: Board, hash: Bytes, why: string, now: Instant): void => {
  const gateway = links.get(work, ONE)?.gateway ?? null;
  if (gateway === null) return;
  const key = hex(hash);
  const next = doubtAnew(doubts.get(work, key), gateway.gateway, board.pace.patienceMs, now.monoMs);
  doubts.put(work, next, key);
  work.emit({ kind: 'publish', topic: 'doubt', payload: encodeAs(want, { v: 1, hashes: [hash] }, 'want') });
  work.emit({ kind: 'journal', line: `chunk refused: ${why}, from gateway ${gateway.name}` });
  if (!isLie(next)) return;
  const anchor = anchors.get(work, ONE);
  const wallMs = anchor === null ? 0 : Math.round(anchor.wallMs + now.monoMs - anchor.monoMs);
  const times = (liars.get(work, gateway.gateway)?.times ?? 0) + 1;
  // A row of the store for each would let a liar wear the card out.
  if (!isShunned(work, gateway.gateway, now)) liars.put(work, { name: gateway.name, about: hash, times, wallMs }, gateway.gateway);
  shunned.put(work, shunnedUntil(now.monoMs), gateway.gateway);
};

/** It came and is right. */
export const trust = (work: Work, hash: string): void => {
  if (doubts.get(work, hash) !== null) doubts.remove(work, hash);
};
