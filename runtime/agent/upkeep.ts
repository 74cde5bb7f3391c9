/** The owner's standing word on the upkeep of the board: whose it is, which is the newest, and what of it holds. */
import { allowances } from '../core/neighbour-tables.ts';
import { upkeeps, upkeepWishes } from '../core/system-tables.ts';
import { documents, ONE, pairings } from '../core/tables.ts';
import { objectionToUpkeep } from '../core/update.ts';
import { type Bytes, equal, hex } from '../protocol/bytes.ts';
import { asLichenError, refuse } from '../protocol/errors.ts';
import { fingerprint } from '../protocol/ids.ts';
import { unseal } from '../protocol/noun.ts';
import { type Upkeep, upkeepNoun } from '../protocol/nouns/upkeep.ts';
import type { Instant } from '../turn/clock.ts';
import { documentOf, needDocuments } from './documents.ts';
import type { Board, Work } from './events.ts';

/** The owner's word, if it is its owner's, for this board, and none was obeyed that is newer. */
export const openUpkeep = (work: Work, board: Board, named: Bytes): Upkeep => {
  const { value, signer, hash } = unseal(board.crypto, upkeepNoun, documentOf(work, named));
  if (!equal(hash, named)) refuse('unassigned', "the owner's word is not the one that was assigned");
  const held = upkeeps.get(work, ONE);
  const owner = pairings.get(work, ONE)?.owner ?? held?.owner ?? null;
  const objection = objectionToUpkeep(value, fingerprint(board.crypto, signer), { board: board.id, owner, version: held?.version ?? 0 });
  if (objection !== null) refuse('wrong-signer', objection);
  return value;
};

/** From now on no older one is. */
export const obeyUpkeep = (work: Work, { owner, version, neighbours }: Upkeep): void => {
  const held = upkeeps.get(work, ONE);
  if (held !== null && held.version >= version) return;
  upkeeps.put(work, { owner, version }, ONE);
  if (neighbours !== undefined) allowances.put(work, { allowed: neighbours }, ONE);
};

/** What is named by itself holds also where no system is given. */
export const tickUpkeep = (work: Work, board: Board, now: Instant): void => {
  const wish = upkeepWishes.get(work, ONE);
  if (wish === null || wish.looked || !needDocuments(work, [wish.upkeep], now)) return;
  try {
    obeyUpkeep(work, openUpkeep(work, board, wish.upkeep));
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `the owner's word ${hex(wish.upkeep)} is not taken: ${error.message}` });
    // What another signed may stand in its place.
    documents.remove(work, hex(wish.upkeep));
  }
  upkeepWishes.put(work, { ...wish, looked: true }, ONE);
};
