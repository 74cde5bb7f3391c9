/**
 * The store door on LMDB. `overlappingSync: false` is the one setting under which, over replayed power cuts, nothing
 * acknowledged was lost and nothing corrupted; a synchronous transaction returns after the data is on disk, and on a
 * full disk throws cleanly where an awaited put would end the process.
 */
import { closeSync, existsSync, fstatSync, fsyncSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { type Bytes, fromUtf8, utf8 } from '../protocol/bytes.ts';
import { LichenError } from '../protocol/errors.ts';
import type { Commit, Key, Outcome, Range, Row, Snapshot, Store } from '../turn/store.ts';

/** Its version is the number of the newest commit, and every row has that of the commit that wrote it: none comes back. */
const OWNER = 'store/owner';
const SCHEMA = 'store/schema';
/** Of the layout of keys and versions here; the nouns carry their own `v`. */
const SCHEMA_NUMBER = '2';

type Db = RootDatabase<Buffer, string>;

const rowOf = (db: Db, key: Key): Row => {
  const entry = db.getEntry(key);
  return entry === undefined ? { version: 0, value: null } : { version: entry.version ?? 0, value: copy(entry.value) };
};

/** LMDB hands out views of a shared buffer. */
const copy = (value: Buffer): Bytes => new Uint8Array(value);

const rangeOf = (db: Db, range: Range): { key: Key; row: Row }[] => {
  // LMDB counts the bound at which it begins in, and the other one out.
  const bounds = range.reverse
    ? { start: range.to, end: range.from, reverse: true, exclusiveStart: true, inclusiveEnd: true }
    : { start: range.from, end: range.to };
  const options = { ...bounds, versions: true, ...(range.limit < Number.MAX_SAFE_INTEGER ? { limit: range.limit } : {}) };
  // Read to the end at once: an iterator left open holds its pages, and the file grows without bound.
  return [...db.getRange(options)].map(({ key, value, version }) => ({ key, row: { version: version ?? 0, value: copy(value) } }));
};

const withFile = <T>(path: string, flags: string, use: (file: number) => T): T => {
  const file = openSync(path, flags, 0o600);
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
};

/** LMDB says the system's words; a quota and a limit on the size of files are a full disk, too. */
const FULL = /ENOSPC|MDB_MAP_FULL|No space|EDQUOT|quota exceeded|EFBIG|File too large/i;
/** What LMDB also says when only a part of a write found room (`mdb_page_flush` in mdb.c). */
const SHORT = /Input\/output error/i;
const PROBE_BYTES = 64 * 1024;

/** Whether as much as a small commit could be written where the file would grow, found by trying it beside the file. */
const hasRoom = (path: string): boolean => {
  const trial = `${path}.room`;
  try {
    const size = withFile(path, 'r', (file) => fstatSync(file).size);
    return withFile(trial, 'w', (file) => {
      const written = writeSync(file, new Uint8Array(PROBE_BYTES), 0, PROBE_BYTES, size);
      fsyncSync(file);
      return written === PROBE_BYTES;
    });
  } catch {
    return false;
  } finally {
    rmSync(trial, { force: true });
  }
};

const translate = (thrown: unknown, path: string): LichenError => {
  if (thrown instanceof LichenError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const full = FULL.test(message) || (SHORT.test(message) && !hasRoom(path));
  return new LichenError(full ? 'storage-full' : 'storage-broken', message);
};

/** `mm_magic` of the first meta page (lmdb's mdb.c); behind the page's header. */
const MAGIC = Buffer.from('dec0efbe', 'hex');
const MAGIC_AT = 24;

/** LMDB takes what is not a database for one, and the process ends by a signal. */
const checkFile = (path: string): void => {
  if (!existsSync(path)) return;
  const head = Buffer.alloc(MAGIC_AT + MAGIC.length);
  const length = withFile(path, 'r', (file) => readSync(file, head, 0, head.length, 0));
  if (length > 0 && !head.subarray(MAGIC_AT).equals(MAGIC)) throw new LichenError('storage-broken', `${path} is not an LMDB file`);
};

export interface LmdbOptions {
  /** The database file; its directory is made. */
  path: string;
  /**
   * Whoever opens takes the store over: what an earlier owner commits from then on is a conflict, so of two processes on
   * one file only the newer writes. null: only looks, and takes nothing over.
   */
  owner: string | null;
  /** Only the durability test sets this to false, to show that it would notice. */
  durable?: boolean;
}

const openDb = ({ path, durable = true }: LmdbOptions): Db => {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  checkFile(path);
  return open<Buffer, string>({
    path,
    encoding: 'binary',
    useVersions: true,
    overlappingSync: false,
    noSync: !durable,
    maxReaders: 8,
    remapChunks: false,
    cache: false,
  });
};

const claim = (db: Db, owner: string | null): void => {
  const schema = db.get(SCHEMA)?.toString('latin1') ?? SCHEMA_NUMBER;
  if (schema !== SCHEMA_NUMBER) throw new LichenError('storage-broken', `schema ${schema}, expected ${SCHEMA_NUMBER}`);
  if (owner === null) return;
  const { version } = rowOf(db, OWNER);
  db.put(SCHEMA, Buffer.from(SCHEMA_NUMBER), version + 1);
  db.put(OWNER, Buffer.from(utf8(owner)), version + 1);
};

/** Without it the file's name may be gone after a power cut, whatever was synced into the file. */
const syncFolder = (path: string): void => withFile(dirname(path), 'r', fsyncSync);

const openClaimed = (options: LmdbOptions): Db => {
  try {
    const isNew = !existsSync(options.path);
    const db = openDb(options);
    try {
      db.transactionSync(() => claim(db, options.owner));
      if (isNew) syncFolder(options.path);
      return db;
    } catch (thrown) {
      void db.close();
      throw thrown;
    }
  } catch (thrown) {
    throw translate(thrown, options.path);
  }
};

/** Errors: `storage-broken` when the file is not ours or of another schema, `storage-full`. */
export const openLmdbStore = (options: LmdbOptions): Store => {
  const db = openClaimed(options);

  const write = (commit: Commit): boolean => {
    const owner = db.getEntry(OWNER);
    if (owner === undefined || fromUtf8(owner.value) !== commit.owner) return false;
    for (const [key, { version }] of commit.expected) if (rowOf(db, key).version !== version) return false;
    const number = (owner.version ?? 0) + 1;
    for (const [key, value] of commit.writes) {
      if (value === null) db.remove(key);
      else db.put(key, Buffer.from(value), number);
    }
    db.put(OWNER, owner.value, number);
    return true;
  };

  const commit = (wanted: Commit): Outcome => {
    try {
      return db.transactionSync(() => write(wanted)) ? { kind: 'committed' } : { kind: 'conflict' };
    } catch (thrown) {
      return { kind: 'failed', error: translate(thrown, options.path) };
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
    lend: (key) => {
      const view = db.getBinaryFast(key);
      // The buffer is longer than what is in it, and only says that it is not.
      return view === undefined ? null : view.subarray(0, view.length);
    },
    commit: (wanted, answer) => answer(commit(wanted)),
    close: () => {
      void db.close();
    },
  };
};
