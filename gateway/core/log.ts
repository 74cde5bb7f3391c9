/** This gateway's own log and its copies of the others'. A head is signed once a turn, over all that the turn appended. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { type Checkpoint, keyNamed, openCheckpoint, readCheckpoint, signCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import type { GatewayId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { append, EMPTY, type Frontier, rootOf } from '../../runtime/protocol/merkle.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import { type EntryKind, entryBytes, entrySchema, type LogEntry, type Vector } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { ordinal, volatileTable } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { frontiers, heads, logRows } from './tables.ts';

/** A quarter of a peer frame, as one entry more has up to 128 KiB; and half of what a frame may count. */
const HEAD_EVERY_BYTES = LIMITS.peerFrameBytes / 4;
const HEAD_EVERY_ENTRIES = LIMITS.peerBatchEntries / 2;
const FRAME_OVERHEAD_BYTES = 4 * 1024;
/** CBOR's head of a byte string. */
const ENTRY_OVERHEAD_BYTES = 5;
/** Appended since the last head; what a crash forgets of it was signed over at the end of its turn. */
const unsigned = volatileTable<{ entries: number; bytes: number }>('unsigned');
const SIGNED = { entries: 0, bytes: 0 };

export const sizeOf = (rows: Rows, author: string): number => frontiers.get(rows, author)?.size ?? 0;

/** Author → entries held, durable once the turn is committed. */
export const vectorOf = (rows: Rows): Vector => Object.fromEntries(frontiers.all(rows).map(({ key, value }) => [key, value.size]));

const frontierOf = (rows: Rows, author: string): Frontier => frontiers.get(rows, author) ?? EMPTY;

/** Appends to this gateway's log; the entry's place in it is returned. */
export const appendOwn = (rows: Rows, context: Context, kind: EntryKind, body: Bytes, now: Instant): LogEntry => {
  const frontier = frontierOf(rows, context.me);
  const entry: LogEntry = { v: 1, author: context.me, seq: frontier.size, wallMs: now.wallMs, kind, body };
  const data = entryBytes(entry);
  rows.put(`${logRows}/${context.me}/${ordinal(entry.seq)}`, data);
  frontiers.put(rows, append(context.crypto, frontier, data), context.me);
  const { entries, bytes } = unsigned.get(rows, context.me) ?? SIGNED;
  unsigned.put(rows, { entries: entries + 1, bytes: bytes + data.length }, context.me);
  // Not at the end of the turn only: a peer takes what lies between two heads in one frame.
  if (entries + 1 >= HEAD_EVERY_ENTRIES || bytes + data.length >= HEAD_EVERY_BYTES) signHead(rows, context);
  return entry;
};

/** Signs the head if the log grew since the last one. */
export const signHead = (rows: Rows, context: Context): void => {
  const frontier = frontierOf(rows, context.me);
  unsigned.put(rows, SIGNED, context.me);
  if (frontier.size === 0 || heads.get(rows, context.me, ordinal(frontier.size)) !== null) return;
  const note = signCheckpoint(
    context.crypto,
    { author: context.me, size: frontier.size, root: rootOf(context.crypto, frontier) },
    context.signer,
  );
  heads.put(rows, { note }, context.me, ordinal(frontier.size));
};

export const entriesOf = (rows: Rows, author: string, from: number, limit: number): Bytes[] =>
  rows
    .scan(`${logRows}/${author}/`, { limit, ...(from > 0 ? { after: `${logRows}/${author}/${ordinal(from - 1)}` } : {}) })
    .map(({ value }) => value);

export interface LogBatch {
  entries: Bytes[];
  /** The signed head that they lead to. */
  size: number;
  note: string;
}

/** What lies between two heads that follow each other is bounded where they are signed, so one step always fits. */
const fitting = (sizes: number[], entries: Bytes[], from: number): number | undefined => {
  let [bytes, end] = [0, from];
  for (const entry of entries) {
    bytes += entry.length + ENTRY_OVERHEAD_BYTES;
    if (bytes > LIMITS.peerFrameBytes - FRAME_OVERHEAD_BYTES) break;
    end++;
  }
  return sizes.filter((size) => size <= end).at(-1);
};

/**
 * Entries from `from` up to the farthest signed head that a peer frame has room for; null if none. A batch ends where
 * the author's key changed: the entries before may be what makes the new key known.
 */
export const batchAfter = (rows: Rows, author: string, from: number): LogBatch | null => {
  const after = { after: `head/${author}/${ordinal(from)}`, limit: 2 * LIMITS.peerBatchEntries };
  const found = rows.scan(`head/${author}/`, after).map(({ key }) => Number(key.slice(`head/${author}/`.length)));
  const noteAt = (size: number): string => heads.get(rows, author, ordinal(size))?.note ?? refuse('internal', `no head at ${size}`);
  const [first] = found;
  if (first === undefined) return null;
  const key = keyNamed(noteAt(first));
  const change = found.findIndex((size) => keyNamed(noteAt(size)) !== key);
  const entries = entriesOf(rows, author, from, LIMITS.peerBatchEntries);
  const size = fitting(change < 0 ? found : found.slice(0, change), entries, from) ?? first;
  return { entries: entries.slice(0, size - from), size, note: noteAt(size) };
};

export const headOf = (rows: Rows, author: string): string | null => heads.get(rows, author, ordinal(sizeOf(rows, author)))?.note ?? null;

/** Whether an author's log as it is held here had this head. */
export const isHeadOf = (rows: Rows, author: string, { size, root }: Pick<Checkpoint, 'size' | 'root'>): boolean => {
  const held = heads.get(rows, author, ordinal(size));
  return held !== null && equal(readCheckpoint(held.note).root, root);
};

const openHead = (context: Context, note: string, author: string, keys: Bytes[]): Checkpoint => {
  const [key, ...others] = keys;
  if (key === undefined) return refuse('unknown-key', `gateway ${author} is in no trusted operator's document`);
  try {
    return openCheckpoint(context.crypto, note, author, key);
  } catch (thrown) {
    if (others.length === 0 || asLichenError(thrown).code !== 'bad-signature') throw thrown;
    return openHead(context, note, author, others);
  }
};

/**
 * Stores a batch of another gateway's log if its head is signed by one of `keys` and covers exactly the tree that results.
 * Returns the entries that are new. Errors: `fork` when two histories are signed, `bad-signature`, `conflict` (a gap).
 */
export const appendForeign = (
  rows: Rows,
  context: Context,
  author: GatewayId,
  keys: Bytes[],
  from: number,
  batch: Bytes[],
  note: string,
): LogEntry[] => {
  const frontier = frontierOf(rows, author);
  if (from > frontier.size) refuse('conflict', `entries from ${from}, but ${frontier.size} are held`);
  const fresh = batch.slice(frontier.size - from);
  const head = openHead(context, note, author, keys);
  // Known already, or another history: of one size there is one head.
  if (head.author === author && heads.get(rows, author, ordinal(head.size)) !== null && !isHeadOf(rows, author, head))
    refuse('fork', `${author} signed two heads of size ${head.size}`);
  if (fresh.length === 0) return [];
  const entries = fresh.map((data) => decodeAs(entrySchema, data, 'entry'));
  const grown = fresh.reduce((tree, data) => append(context.crypto, tree, data), frontier);
  if (head.author !== author || head.size !== grown.size) refuse('bad-signature', `the head does not cover entries up to ${grown.size}`);
  if (!equal(head.root, rootOf(context.crypto, grown)))
    refuse('fork', `the log of ${author} does not lead to its signed head at ${head.size}`);
  entries.forEach((entry, i) => {
    if (entry.author !== author || entry.seq !== frontier.size + i) refuse('bad-schema', `entry ${entry.seq} is out of its place`);
    rows.put(`${logRows}/${author}/${ordinal(entry.seq)}`, fresh[i] ?? new Uint8Array());
  });
  frontiers.put(rows, grown, author);
  heads.put(rows, { note }, author, ordinal(grown.size));
  return entries;
};
