/**
 * The store door over a virtual disk. A row gives back the same bytes each time, so that whoever decodes them need do so
 * once. Nothing in it depends on time or chance: what becomes of a commit is decided by the medium that it is written to.
 */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { Commit, Key, Range, Row, Snapshot, Store } from '../../runtime/turn/store.ts';
import { KeyOrder } from './key-order.ts';

export const SCHEMA_NUMBER = '2';
const NO_ROW: Row = { version: 0, value: null };
/** Beyond any key. */
const END = '\uffff';
/** Lies among the objects anyway. */
const TINY_BYTES = 64;

const tableOf = (key: Key): string => key.slice(0, key.indexOf('/') + 1);

const PAGE_BYTES = 64 * 1024;
/** What passes shares memory with what passes (`room` in bytes.ts), and what stays with what stays: one of them would hold all the others. */
let page = new Uint8Array(0);
let pageFrom = 0;

const forLong = (value: Bytes): Bytes => {
  const { length } = value;
  if (length > PAGE_BYTES / 16) return value;
  if (pageFrom + length > page.length) {
    page = new Uint8Array(PAGE_BYTES);
    pageFrom = 0;
  }
  page.set(value, pageFrom);
  pageFrom += length;
  return page.subarray(pageFrom - length, pageFrom);
};

/** One that is left of all that passed with it would hold their memory, ten times its own. */
const itsOwn = (value: Bytes): Bytes => (value.length > TINY_BYTES && value.buffer.byteLength > value.length ? value.slice() : value);

/** What stays when a process is gone. */
export class Disk {
  #rows = new Map<Key, Row>();
  /** Table → its keys, once somebody has looked. */
  readonly #orders = new Map<string, KeyOrder>();
  #number = 0;
  /** Rows as they were before each of the newest commits, the newest last; kept when `remembers` is above 0. */
  readonly #undo: [Key, Row | undefined][][] = [];
  remembers = 0;
  /** Whoever opened a store over it last. */
  owner = '';
  schema = SCHEMA_NUMBER;
  readonly #alike: () => readonly { disk: Disk }[];

  /** `alike`: whose disks come to hold the same rows. What is byte for byte a row of theirs is kept in memory once. */
  constructor(alike: () => readonly { disk: Disk }[] = () => []) {
    this.#alike = alike;
  }

  get(key: Key): Row {
    return this.#rows.get(key) ?? NO_ROW;
  }

  range({ from, to, limit, reverse }: Range): { key: Key; row: Row }[] {
    const out: { key: Key; row: Row }[] = [];
    if (limit <= 0) return out;
    this.#orderOf(from, to).walk(from, to, reverse, (key) => {
      out.push({ key, row: this.get(key) });
      return out.length < limit;
    });
    return out;
  }

  #orderOf(from: Key, to: Key): KeyOrder {
    const table = tableOf(from);
    // Across tables only tests look.
    if (table === '' || !to.startsWith(table)) return new KeyOrder([...this.#rows.keys()]);
    const held = this.#orders.get(table);
    if (held !== undefined) return held;
    const made = new KeyOrder([...this.#rows.keys()].filter((key) => key.startsWith(table)));
    this.#orders.set(table, made);
    return made;
  }

  write(writes: Commit['writes']): void {
    const version = ++this.#number;
    const before: [Key, Row | undefined][] = [];
    for (const [key, value] of writes) {
      const former = this.#rows.get(key);
      if (this.remembers > 0) before.push([key, former]);
      // What is written over is written over again: only what is new is worth a place among what stays.
      this.#set(key, value === null ? undefined : { version, value: former === undefined ? this.#kept(key, value) : itsOwn(value) });
    }
    if (this.remembers === 0) return;
    this.#undo.push(before);
    if (this.#undo.length > this.remembers) this.#undo.shift();
  }

  #kept(key: Key, value: Bytes): Bytes {
    for (const { disk } of this.#alike()) {
      const held = disk === this ? null : disk.#rows.get(key)?.value;
      if (held && (held === value || equal(held, value))) return held;
    }
    return value.length <= TINY_BYTES ? value : forLong(value);
  }

  #set(key: Key, row: Row | undefined): void {
    const size = this.#rows.size;
    if (row === undefined) this.#rows.delete(key);
    else this.#rows.set(key, row);
    if (this.#rows.size === size) return;
    const order = this.#orders.get(tableOf(key));
    if (row === undefined) order?.delete(key);
    else order?.add(key);
  }

  /** Takes the newest commits back; returns how many there were to take. */
  forget(commits: number): number {
    for (let taken = 0; taken < commits; taken++) {
      const before = this.#undo.pop();
      if (before === undefined) return taken;
      for (const [key, row] of before) this.#set(key, row);
    }
    return commits;
  }

  copy(): Disk {
    const disk = new Disk(this.#alike);
    disk.#rows = new Map(this.#rows);
    disk.#number = this.#number;
    disk.remembers = this.remembers;
    return disk;
  }

  *entries(prefix: string): Generator<[Key, Bytes]> {
    const to = `${prefix}${END}`;
    for (const { key, row } of this.range({ from: prefix, to, limit: Number.MAX_SAFE_INTEGER, reverse: false }))
      if (row.value !== null) yield [key, row.value];
  }

  get size(): number {
    return this.#rows.size;
  }
}

/** `lost`: the power goes before it is on the disk. `unanswered`: it is there, and the power goes before anyone hears of it. */
export type Fate = { kind: 'durable'; afterMs: number } | { kind: 'refused'; error: LichenError } | { kind: 'lost' | 'unanswered' };

export interface Medium {
  /** Called once for each commit, before anything is written. */
  fate(commit: Commit): Fate;
  /** It is durable. */
  kept(commit: Commit): void;
  after(ms: number, call: () => void): void;
}

/** Reads what is committed; nothing can be written through it. */
export const readOnly = (disk: Disk): Snapshot => ({
  get: (key) => disk.get(key),
  range: (range) => disk.range(range),
  fetch: () => {
    throw new LichenError('internal', 'a store that answers at once is never told to fetch');
  },
});

export const bytesOf = ({ writes }: Commit): number => {
  let bytes = 0;
  for (const [key, value] of writes) bytes += key.length + (value?.length ?? 0);
  return bytes;
};

/** Errors: `storage-broken` when the disk is of another schema. */
export const openStore = (disk: Disk, medium: Medium, owner: string): Store => {
  if (disk.schema !== SCHEMA_NUMBER) throw new LichenError('storage-broken', `schema ${disk.schema}, expected ${SCHEMA_NUMBER}`);
  disk.owner = owner;
  const isStale = ({ expected }: Commit): boolean => {
    for (const [key, { version }] of expected) if (disk.get(key).version !== version) return true;
    return false;
  };
  const snapshot = readOnly(disk);
  return {
    snapshot: () => snapshot,
    lend: (key) => disk.get(key).value,
    commit: (commit, answer) => {
      if (disk.owner !== commit.owner || isStale(commit)) {
        answer({ kind: 'conflict' });
        return;
      }
      const fate = medium.fate(commit);
      if (fate.kind === 'lost') return;
      if (fate.kind === 'refused') {
        answer({ kind: 'failed', error: fate.error });
        return;
      }
      const write = (): void => {
        disk.write(commit.writes);
        medium.kept(commit);
        if (fate.kind === 'durable') answer({ kind: 'committed' });
      };
      // A power cut while it is being written: it was never there.
      if (fate.kind === 'durable' && fate.afterMs > 0) medium.after(fate.afterMs, write);
      else write();
    },
    close: () => {},
  };
};
