/** This gateway's own log and its copies of the others'. A head is signed when peers are to be sent what was appended. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { type Checkpoint, keyNamed, openCheckpoint, readCheckpoint, signCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import type { GatewayId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { append, EMPTY, type Frontier, rootOf } from '../../runtime/protocol/merkle.ts';
import type { EntryKind, LogEntry, Vector } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { ordinal, volatileTable } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { closeEntry, openEntry } from './opened.ts';
import { frontiers, heads, logRows } from './tables.ts';

/** A quarter of a peer frame, as one entry more has up to 128 KiB; and half of what a frame may count. */
const HEAD_EVERY_BYTES = LIMITS.peerFrameBytes / 4;
const HEAD_EVERY_ENTRIES = LIMITS.peerBatchEntries / 2;
const FRAME_OVERHEAD_BYTES = 4 * 1024;
/** CBOR's head of a byte string. */
const ENTRY_OVERHEAD_BYTES = 5;
export interface LogBatch {
  entries: Bytes[];
  /** The signed head that they lead to. */
  size: number;
  note: string;
}

/** Author → the batch by which its log grew last, as peers want it, too. */
const newest = volatileTable<LogBatch>('newest');
/** The newest of what was appended since the last head, and what was before it: how many, and of how many bytes in all. */
interface Unsigned {
  data: Bytes;
  before: Unsigned | null;
  entries: number;
  bytes: number;
}

/** What a crash forgets of it is taken up again from the rows. */
const unsigned = volatileTable<Unsigned>('unsigned');

const after = (before: Unsigned | null, data: Bytes): Unsigned => ({
  ...{ data, before },
  ...{ entries: (before?.entries ?? 0) + 1, bytes: (before?.bytes ?? 0) + data.length },
});

/** In their order. */
const entriesIn = (newest: Unsigned): Bytes[] => {
  const entries: Bytes[] = [];
  for (let one: Unsigned | null = newest; one !== null; one = one.before) entries.push(one.data);
  return entries.reverse();
};
/** Whether the own log's rows beyond its last head were looked for; empty after a restart. */
const takenUp = volatileTable<true>('taken-up');

type Tips = ReadonlyMap<string, Frontier>;
/** Author → where its log ends. The rows say it, too; this gateway's own one only when a head is signed. */
const tips = volatileTable<Tips>('tips');

const tipsOf = (rows: Rows): Tips => {
  const held = tips.get(rows, 'tips');
  if (held !== null) return held;
  const found = new Map(frontiers.all(rows).map(({ key, value }) => [key, value]));
  tips.put(rows, found, 'tips');
  return found;
};

const frontierOf = (rows: Rows, author: string): Frontier => tipsOf(rows).get(author) ?? EMPTY;

const moveTip = (rows: Rows, author: string, to: Frontier): void => tips.put(rows, new Map(tipsOf(rows)).set(author, to), 'tips');

export const sizeOf = (rows: Rows, author: string): number => frontierOf(rows, author).size;

const vectors = new WeakMap<Tips, Vector>();

/** Author → entries held, durable once the turn is committed. The same object for as long as no log has grown. */
export const vectorOf = (rows: Rows): Vector => {
  const held = tipsOf(rows);
  const vector = vectors.get(held) ?? Object.fromEntries([...held.keys()].sort().map((author) => [author, held.get(author)?.size ?? 0]));
  vectors.set(held, vector);
  return vector;
};

/** Appends to this gateway's log; the entry's place in it is returned. */
export const appendOwn = (rows: Rows, context: Context, kind: EntryKind, body: Bytes, now: Instant): LogEntry => {
  // A start whose first commit failed has taken nothing up, and what stands there must not be written over.
  takeUp(rows, context);
  const frontier = frontierOf(rows, context.me);
  const entry: LogEntry = { v: 1, author: context.me, seq: frontier.size, wallMs: now.wallMs, kind, body };
  const data = closeEntry(entry);
  rows.put(`${logRows}/${context.me}/${ordinal(entry.seq)}`, data);
  moveTip(rows, context.me, append(context.crypto, frontier, data));
  const next = after(unsigned.get(rows, context.me), data);
  unsigned.put(rows, next, context.me);
  // Not only when peers are to be sent it: they take what lies between two heads in one frame.
  if (next.entries >= HEAD_EVERY_ENTRIES || next.bytes >= HEAD_EVERY_BYTES) signHead(rows, context);
  return entry;
};

/** Signs the head if the log grew since the last one. */
export const signHead = (rows: Rows, context: Context): void => {
  const appended = unsigned.get(rows, context.me);
  if (appended === null) return;
  unsigned.remove(rows, context.me);
  const frontier = frontierOf(rows, context.me);
  const entries = entriesIn(appended);
  const head = { author: context.me, size: frontier.size, root: rootOf(context.crypto, frontier) };
  const note = signCheckpoint(context.crypto, head, context.signer);
  frontiers.put(rows, frontier, context.me);
  heads.put(rows, { note }, context.me, ordinal(frontier.size));
  newest.put(rows, { entries, size: frontier.size, note }, context.me);
};

/** After a start, once: what was appended and not signed over any more. */
export const takeUp = (rows: Rows, context: Context): void => {
  const { me } = context;
  if (takenUp.get(rows, me) !== null) return;
  takenUp.put(rows, true, me);
  const entries = entriesOf(rows, me, sizeOf(rows, me), Number.MAX_SAFE_INTEGER);
  if (entries.length === 0) return;
  moveTip(
    rows,
    me,
    entries.reduce((tree, data) => append(context.crypto, tree, data), frontierOf(rows, me)),
  );
  const appended = entries.reduce<Unsigned | null>(after, null);
  if (appended !== null) unsigned.put(rows, appended, me);
  signHead(rows, context);
};

/** As far as a head is signed; of others' logs no more is ever held. */
export const signedSize = (rows: Rows, author: string): number => sizeOf(rows, author) - (unsigned.get(rows, author)?.entries ?? 0);

export const entriesOf = (rows: Rows, author: string, from: number, limit: number): Bytes[] =>
  rows
    .scan(`${logRows}/${author}/`, { limit, ...(from > 0 ? { after: `${logRows}/${author}/${ordinal(from - 1)}` } : {}) })
    .map(({ value }) => value);

/** How many of the entries a peer frame has room for. */
const fitting = (entries: Bytes[]): number => {
  let bytes = 0;
  for (const [i, entry] of entries.entries()) {
    bytes += entry.length + ENTRY_OVERHEAD_BYTES;
    if (bytes > LIMITS.peerFrameBytes - FRAME_OVERHEAD_BYTES) return i;
  }
  return entries.length;
};

/** Signed heads beyond `from`, in order, at most `limit`. */
const headsAfter = (rows: Rows, author: string, from: number, limit: number): { size: number; note: string }[] =>
  heads
    .page(rows, `${author}/${ordinal(from)}`, limit)
    .filter(({ key }) => key.startsWith(`${author}/`))
    .map(({ key, value }) => ({ size: Number(key.slice(author.length + 1)), note: value.note }));

/**
 * Entries from `from` up to the farthest signed head that a peer frame has room for; null if none. A batch ends where
 * the author's key changed: the entries before may be what makes the new key known.
 */
export const batchAfter = (rows: Rows, author: string, from: number): LogBatch | null => {
  const last = newest.get(rows, author);
  if (last !== null && last.size - last.entries.length === from && last.size === sizeOf(rows, author)) return last;
  const entries = entriesOf(rows, author, from, LIMITS.peerBatchEntries);
  const end = from + fitting(entries);
  const found = headsAfter(rows, author, from, end - from + 1);
  const [first] = found;
  if (first === undefined) return null;
  const key = keyNamed(first.note);
  const change = found.findIndex(({ note }) => keyNamed(note) !== key);
  // What lies between two heads that follow each other is bounded where they are signed, so one step always fits.
  const { size, note } = found.slice(0, change < 0 ? found.length : change).findLast((head) => head.size <= end) ?? first;
  return { entries: entries.slice(0, size - from), size, note };
};

/** The head that was signed when the log had this size. */
export const headAt = (rows: Rows, author: string, size: number): string | null => heads.get(rows, author, ordinal(size))?.note ?? null;

export const headOf = (rows: Rows, author: string): string | null => headAt(rows, author, sizeOf(rows, author));

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
  // In a mesh every batch comes as often as there are peers; its head was verified when it came first.
  const repeated = fresh.length === 0 && heads.get(rows, author, ordinal(from + batch.length))?.note === note;
  if (repeated && keys.length > 0) return [];
  const head = openHead(context, note, author, keys);
  // Known already, or another history: of one size there is one head.
  if (head.author === author && heads.get(rows, author, ordinal(head.size)) !== null && !isHeadOf(rows, author, head))
    refuse('fork', `${author} signed two heads of size ${head.size}`);
  if (fresh.length === 0) return [];
  const entries = fresh.map(openEntry);
  const grown = fresh.reduce((tree, data) => append(context.crypto, tree, data), frontier);
  if (head.author !== author || head.size !== grown.size) refuse('bad-signature', `the head does not cover entries up to ${grown.size}`);
  if (!equal(head.root, rootOf(context.crypto, grown)))
    refuse('fork', `the log of ${author} does not lead to its signed head at ${head.size}`);
  entries.forEach((entry, i) => {
    if (entry.author !== author || entry.seq !== frontier.size + i) refuse('bad-schema', `entry ${entry.seq} is out of its place`);
    rows.put(`${logRows}/${author}/${ordinal(entry.seq)}`, fresh[i] ?? new Uint8Array());
  });
  frontiers.put(rows, grown, author);
  moveTip(rows, author, grown);
  heads.put(rows, { note }, author, ordinal(grown.size));
  newest.put(rows, { entries: fresh, size: grown.size, note }, author);
  return entries;
};
