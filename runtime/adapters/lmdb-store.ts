/**
 * The store door on LMDB. `overlappingSync: false` is the one setting under which, over replayed power cuts, nothing
 * acknowledged was lost and nothing corrupted; a synchronous transaction returns after the data is on disk, and on a
 * full disk throws cleanly where an awaited put would end the process.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { type Bytes, fromUtf8, utf8 } from '../protocol/bytes.ts';
import { LichenError } from '../protocol/errors.ts';
import type { Commit, Key, Outcome, Range, Row, Snapshot, Store } from '../turn/store.ts';

const OWNER = 'store/owner';
const SCHEMA = 'store/schema';
/** Of the layout of keys and versions here; the nouns carry their own `v`. */
const SCHEMA_NUMBER = '1';

type Db = RootDatabase<Buffer, string>;

const rowOf = (db: Db, key: Key): Row => {
  const entry = db.getEntry(key);
  return entry === undefined ? { version: 0, value: null } : { version: entry.version ?? 0, value: copy(entry.value) };
};

/** LMDB hands out views of a shared buffer. */
const copy = (value: Buffer): Bytes => new Uint8Array(value);

const rangeOf = (db: Db, range: Range): { key: Key; row: Row }[] => {
  const [start, end] = range.reverse ? [range.to, range.from] : [range.from, range.to];
  const options = {
    start,
    end,
    reverse: range.reverse,
    versions: true,
    ...(range.limit < Number.MAX_SAFE_INTEGER ? { limit: range.limit } : {}),
  };
  // Read to the end at once: an iterator left open holds its pages, and the file grows without bound.
  return [...db.getRange(options)].map(({ key, value, version }) => ({ key, row: { version: version ?? 0, value: copy(value) } }));
};

const translate = (thrown: unknown): LichenError => {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new LichenError(/ENOSPC|MDB_MAP_FULL|No space/i.test(message) ? 'storage-full' : 'storage-broken', message);
};

export interface LmdbOptions {
  /** The database file; its directory is made. */
  path: string;
  owner: string;
  /** Only the durability test sets this to false, to show that it would notice. */
  durable?: boolean;
}

/** Errors: `storage-broken` when the file is not ours or of another schema. */
export const openLmdbStore = (options: LmdbOptions): Store => {
  mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
  const durable = options.durable ?? true;
  const db: Db = open<Buffer, string>({
    path: options.path,
    encoding: 'binary',
    useVersions: true,
    overlappingSync: false,
    noSync: !durable,
    maxReaders: 8,
    remapChunks: false,
    cache: false,
  });
  const claim = (): void => {
    const schema = db.get(SCHEMA);
    if (schema !== undefined && fromUtf8(schema) !== SCHEMA_NUMBER)
      throw new LichenError('storage-broken', `schema ${fromUtf8(schema)}, expected ${SCHEMA_NUMBER}`);
    db.put(SCHEMA, Buffer.from(SCHEMA_NUMBER), 1);
    db.put(OWNER, Buffer.from(utf8(options.owner)), 1);
  };
  db.transactionSync(claim);

  const write = (commit: Commit): boolean => {
    const owner = db.get(OWNER);
    if (owner === undefined || fromUtf8(owner) !== commit.owner) return false;
    for (const [key, version] of commit.expected) if (rowOf(db, key).version !== version) return false;
    for (const [key, value] of commit.writes) {
      if (value === null) db.remove(key);
      else db.put(key, Buffer.from(value), rowOf(db, key).version + 1);
    }
    return true;
  };

  const commit = (wanted: Commit): Outcome => {
    try {
      return db.transactionSync(() => write(wanted)) ? { kind: 'committed' } : { kind: 'conflict' };
    } catch (thrown) {
      return { kind: 'failed', error: translate(thrown) };
    }
  };

  const snapshot: Snapshot = {
    get: (key) => rowOf(db, key),
    range: (range) => rangeOf(db, range),
    fetch: (_queries, done) => done(),
  };

  return {
    // One process writes, between turns only: what is read during a turn cannot change under it.
    snapshot: () => snapshot,
    commit: (wanted, answer) => answer(commit(wanted)),
    close: () => {
      void db.close();
    },
  };
};
