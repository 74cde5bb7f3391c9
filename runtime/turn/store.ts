/**
 * The store door: ordered rows under text keys, each with a version. Reads come from a snapshot; a commit names the
 * versions it was decided upon and is answered by an outcome. LMDB and the simulator answer reads at once; a remote
 * database may say `UNREAD`, is told to fetch, and the turn decides again.
 */
import type { Bytes } from '../protocol/bytes.ts';
import type { LichenError } from '../protocol/errors.ts';

/** ASCII, so that the order of bytes and that of JavaScript's strings are one. */
export type Key = string;

export interface Row {
  /** Rises with every write of the key and never comes back, not even after a deletion; 0 stands for "no such row". */
  version: number;
  value: Bytes | null;
}

/** Keys in [from, to), bytewise. */
export interface Range {
  from: Key;
  to: Key;
  limit: number;
  reverse: boolean;
}

export const UNREAD = Symbol('unread');

export type Query = { key: Key } | { range: Range };

export interface Snapshot {
  get(key: Key): Row | typeof UNREAD;
  range(range: Range): { key: Key; row: Row }[] | typeof UNREAD;
  /** Brings these into the snapshot, then calls. Never called on a store that answers at once. */
  fetch(queries: Query[], done: () => void): void;
}

export interface Commit {
  /** null deletes. */
  writes: Map<Key, Bytes | null>;
  /** Rows as they were read, by whose versions a lost race is noticed. */
  expected: ReadonlyMap<Key, Pick<Row, 'version'>>;
  /** Who writes; a shard has one owner, and a store that another has taken over answers `conflict`. */
  owner: string;
}

export type Outcome = { kind: 'committed' } | { kind: 'conflict' } | { kind: 'failed'; error: LichenError };

export interface Store {
  snapshot(): Snapshot;
  /** A value as it is committed now, without a copy: it may be something else after the next read. */
  lend(key: Key): Bytes | null | typeof UNREAD;
  /** All or nothing. `committed` means really on disk. One commit at a time. */
  commit(commit: Commit, answer: (outcome: Outcome) => void): void;
  close(): void;
}
