/**
 * How far a board's chain is known here, and how far a peer holds it, too. What stands in another's log is held twice
 * with its coming; what stands in this gateway's own is held here alone until a peer has countersigned a head above it.
 */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { usageNoun } from '../../runtime/protocol/nouns/board.ts';
import type { ChainPoint } from '../../runtime/protocol/nouns/lease.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { gateways } from './directory.ts';
import { entriesOf, sizeOf } from './log.ts';
import { openEntry } from './opened.ts';
import { boardSessions, cosigned, lone, requestPlaces, requests, usageHeads, usageLives, usageSeen } from './tables.ts';

const START: ChainPoint = { seq: 0, hash: new Uint8Array(32) };

/** The highest record of a chain, the boot in which it was signed, by name and by hash, and the first record of that boot. */
export interface End extends ChainPoint {
  life: string;
  bootId: string;
  first: number;
}

/** Ends of chains that were asked for, or moved, since the start. */
const ends = volatileTable<End>('chain-ends');

/** A record that was verified when it was taken in. */
const UNASKED: Crypto = { sha256: () => START.hash, verify: () => true };

const findEnd = (rows: Rows, board: string, record: Bytes): End => {
  const { seq, bootId } = unseal(UNASKED, usageNoun, record).value;
  const found = usageLives.all(rows, board).find(({ value }) => value.last === seq);
  const { key, value } = found ?? refuse('internal', `no hash of record ${seq} of ${board}`);
  const end = { seq, hash: value.hash, life: key.slice(board.length + 1), bootId, first: value.first };
  ends.put(rows, end, board);
  return end;
};

/** Null while the chain is empty. */
export const usageEnd = (rows: Rows, board: string): End | null => {
  const known = ends.get(rows, board);
  if (known !== null) return known;
  const record = usageHeads.get(rows, board);
  return record === null ? null : findEnd(rows, board, record);
};

export const usageHead = (rows: Rows, board: string): ChainPoint => {
  const { seq, hash } = usageEnd(rows, board) ?? START;
  return { seq, hash };
};

/** The highest record so far. */
export const moveHead = (rows: Rows, board: string, to: End, record: Bytes): void => {
  usageHeads.put(rows, record, board);
  ends.put(rows, to, board);
};

/** The board's own signature under the end of its chain; null while that is empty. */
export const usageProof = (rows: Rows, board: string): Bytes | null => usageHeads.get(rows, board);

/** Up to which record a peer holds the chain. A federation of one has no peer and says so by calling all replicated. */
export const replicatedOf = (rows: Rows, board: string): number => lone.get(rows, board)?.replicated ?? usageHead(rows, board).seq;

/** Boards in session that can be told more than before. */
const risen = volatileTable<true>('risen');

export const takeRisen = (rows: Rows): string[] => {
  const boards = [...risen.rows(rows).keys()];
  for (const board of boards) risen.remove(rows, board);
  return boards;
};

/** A peer holds the board's chain up to `seq`, which is known here. */
export const heldElsewhere = (rows: Rows, board: string, seq: number): void => {
  const row = lone.get(rows, board);
  if (row !== null && seq >= usageHead(rows, board).seq) lone.remove(rows, board);
  else if (row !== null && seq > row.replicated) lone.put(rows, { replicated: seq }, board);
  if (boardSessions.get(rows, board) !== null) risen.put(rows, true, board);
};

interface Own {
  board: string;
  seq: number;
}

/** Place in this gateway's log → the record there that is held here alone. Found in the log again after a restart. */
const own = volatileTable<Own>('own');
/** How much of this gateway's log a peer holds. */
const copied = volatileTable<number>('copied');

const isAlone = (rows: Rows, context: Context): boolean => gateways(rows, context).length === 1;

/** Record `seq` of the board came to stand at `place` of this gateway's log. */
export const heldAlone = (rows: Rows, context: Context, board: string, seq: number, place: number): void => {
  if (isAlone(rows, context)) return;
  if (lone.get(rows, board) === null) lone.put(rows, { replicated: seq - 1 }, board);
  own.put(rows, { board, seq }, String(place));
};

const PAGE = 512;

/** Verified when it was taken in. */
const read = (context: Context, body: Bytes) => unseal({ ...context.crypto, verify: () => true }, usageNoun, body);

/** What a restart forgot. */
const findOwn = (rows: Rows, context: Context, from: number): void => {
  for (let at = from; at < sizeOf(rows, context.me); at += PAGE) {
    for (const bytes of entriesOf(rows, context.me, at, PAGE)) {
      const entry = openEntry(bytes);
      if (entry.kind !== 'usage') continue;
      const { value, hash } = read(context, entry.body);
      const { board, seq } = value;
      const seen = usageSeen.get(rows, board, hex(hash));
      // A record that contradicts the chain is kept as evidence and is no part of it.
      if (seq > replicatedOf(rows, board) && seen !== null) own.put(rows, { board, seq }, String(entry.seq));
    }
  }
};

const copiedSize = (rows: Rows, context: Context): number => {
  const known = copied.get(rows, 'size');
  if (known !== null) return known;
  const size = Math.max(0, ...cosigned.all(rows).map(({ value }) => value.size));
  findOwn(rows, context, size);
  copied.put(rows, size, 'size');
  return size;
};

/** A peer holds this gateway's log up to `size`. */
const copiedUpTo = (rows: Rows, context: Context, size: number): void => {
  const from = copiedSize(rows, context);
  if (size <= from) return;
  const reached = new Map<string, number>();
  for (let place = from; place < size; place++) {
    const record = own.get(rows, String(place));
    if (record === null) continue;
    own.remove(rows, String(place));
    reached.set(record.board, record.seq);
  }
  for (const [board, seq] of reached) heldElsewhere(rows, board, seq);
  copied.put(rows, size, 'size');
};

/** A peer has countersigned this gateway's head at `size` with `note`. */
export const countersignedUpTo = (rows: Rows, context: Context, peer: string, size: number, note: string): void => {
  // First: how much was held before is read from what was countersigned before.
  copiedUpTo(rows, context, size);
  cosigned.put(rows, { size, note }, peer);
};

/** Whether the newest document of a request is on some other disk, too. A federation of one calls all copied. */
export const isCopied = (rows: Rows, context: Context, request: string): boolean => {
  const [held, own] = [requests.get(rows, request), requestPlaces.get(rows, request)];
  if (held === null || own === null || isAlone(rows, context) || !equal(own.hash, held.hash)) return true;
  return own.place < copiedSize(rows, context);
};

/** Once there is no peer left that could hold anything. */
export const copyAlone = (rows: Rows, context: Context): void => {
  if (isAlone(rows, context)) copiedUpTo(rows, context, sizeOf(rows, context.me));
};
