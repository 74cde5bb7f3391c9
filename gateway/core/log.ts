/** This gateway's own log and its copies of the others'. A head is signed once a turn, over all that the turn appended. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { openCheckpoint, signCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { GatewayId } from '../../runtime/protocol/ids.ts';
import { append, EMPTY, type Frontier, rootOf } from '../../runtime/protocol/merkle.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import { type EntryKind, entryBytes, entrySchema, type LogEntry, type Vector } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { frontiers, heads, logRows } from './tables.ts';

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
  return entry;
};

/** Signs the head if the log grew since the last one. */
export const signHead = (rows: Rows, context: Context): void => {
  const frontier = frontierOf(rows, context.me);
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

/** The first signed head that lies beyond `from` by at most `limit` entries, the farthest such; null if none. */
export const headAfter = (rows: Rows, author: string, from: number, limit: number): { size: number; note: string } | null => {
  const found = rows
    .scan(`head/${author}/`, { after: `head/${author}/${ordinal(from)}`, limit: 2 * limit })
    .map(({ key }) => Number(key.slice(`head/${author}/`.length)));
  const size = found.filter((candidate) => candidate - from <= limit).at(-1) ?? found[0];
  const head = size === undefined ? null : heads.get(rows, author, ordinal(size));
  return size === undefined || head === null ? null : { size, note: head.note };
};

export const headOf = (rows: Rows, author: string): string | null => heads.get(rows, author, ordinal(sizeOf(rows, author)))?.note ?? null;

/**
 * Stores a batch of another gateway's log if its head is signed by `key` and covers exactly the tree that results.
 * Returns the entries that are new. Errors: `fork` when two histories are signed, `bad-signature`, `conflict` (a gap).
 */
export const appendForeign = (
  rows: Rows,
  context: Context,
  author: GatewayId,
  key: Bytes,
  from: number,
  batch: Bytes[],
  note: string,
): LogEntry[] => {
  const frontier = frontierOf(rows, author);
  if (from > frontier.size) refuse('conflict', `entries from ${from}, but ${frontier.size} are held`);
  const fresh = batch.slice(frontier.size - from);
  if (fresh.length === 0) return [];
  const entries = fresh.map((data) => decodeAs(entrySchema, data, 'entry'));
  const grown = fresh.reduce((tree, data) => append(context.crypto, tree, data), frontier);
  const head = openCheckpoint(context.crypto, note, author, key);
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
