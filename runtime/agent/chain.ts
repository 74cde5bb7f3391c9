/**
 * The one chain of a board's records. With the power may go what was written last, while others have heard of it: so each
 * boot leaves out numbers that lost records may bear, and what the board is shown of its own that it does not remember
 * stays what it is, beside the chain. docs/spec/metering.md, "Chains".
 */
import { chains, closings, ONE, outbox } from '../core/tables.ts';
import type { LeaseId } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { ChainPoint } from '../protocol/nouns/lease.ts';
import { below } from '../turn/entropy.ts';
import { ordinal } from '../turn/table.ts';
import type { Board, Work } from './events.ts';

/** More records than a store loses with the power: a card forgets seconds, not hours. */
const LEAP = 1024;
/** Of two boots of which the first was forgotten wholly both leap from the same record, and must not land on one number. */
const LEAP_SPREAD = 8192;

const EMPTY = {
  ...{ end: { seq: 0, hash: new Uint8Array(32) }, next: 1, pruned: 0, held: 0 },
  ...{ lost: 0, amnesia: false, bootId: '' },
};

export const chainOf = (work: Work) => chains.get(work, ONE) ?? EMPTY;

export const beginBoot = (work: Work, board: Board): void => {
  const chain = chains.get(work, ONE);
  const { bootId } = board;
  if (chain === null) return chains.put(work, { ...EMPTY, bootId }, ONE);
  if (chain.bootId === bootId) return;
  const leapt = chain.end.seq + LEAP + below(board.entropy, LEAP_SPREAD);
  chains.put(work, { ...chain, next: Math.max(chain.next, leapt), bootId }, ONE);
};

/** Whether the board remembers it. Of what it has let go it knows no more than that others hold it. */
export const isOwn = (work: Work, { seq }: ChainPoint): boolean => {
  const { end, pruned } = chainOf(work);
  return seq <= pruned || seq === end.seq || outbox.get(work, ordinal(seq)) !== null;
};

/** Goes on above a record that it signed and forgot, and says so in the next one. */
export const ownUp = (work: Work, { seq }: ChainPoint): void => {
  const chain = chainOf(work);
  const next = Math.max(chain.next, seq + 1);
  chains.put(work, { ...chain, next, lost: Math.max(chain.lost, seq), amnesia: chain.amnesia || seq > chain.lost }, ONE);
};

/** Record `seq` was the last word on a lease. */
export const noteClosed = (work: Work, lease: LeaseId, seq: number): void => {
  closings.put(work, lease, ordinal(seq));
  const known = closings.all(work);
  for (const { key } of known.slice(0, Math.max(0, known.length - LIMITS.closedLeases))) closings.remove(work, key);
};

/** Number of the record that closed it; null: none did, as far as this board remembers. */
export const closedBy = (work: Work, lease: LeaseId): number | null => {
  const found = closings.all(work).find(({ value }) => value === lease);
  return found === undefined ? null : Number(found.key);
};
