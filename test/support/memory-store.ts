/**
 * The store door in memory. It answers at once as LMDB does, or says `UNREAD` and brings rows and outcomes later as a
 * remote database does; commits can be made to conflict or to fail. Nothing in it depends on time or chance.
 */
import { LichenError } from '../../runtime/protocol/errors.ts';
import {
  type Commit,
  type Key,
  type Outcome,
  type Query,
  type Range,
  type Row,
  type Snapshot,
  type Store,
  UNREAD,
} from '../../runtime/turn/store.ts';

export const SCHEMA_NUMBER = '2';
const NO_ROW: Row = { version: 0, value: null };

/** What stays when the process is gone; a store is opened over it. Keys are ASCII, so that the order of strings is that of bytes. */
export class MemoryDisk {
  readonly rows = new Map<Key, Row>();
  /** Keys of `rows` in order. */
  #keys: Key[] = [];
  /** Of commits ever made: each row's version is that of the commit that wrote it. */
  number = 0;
  owner = '';
  schema = SCHEMA_NUMBER;

  /** Bytes of the reader's own, as a disk would give. */
  get(key: Key): Row {
    const row = this.rows.get(key);
    return row === undefined ? NO_ROW : { version: row.version, value: row.value && new Uint8Array(row.value) };
  }

  range({ from, to, limit, reverse }: Range): { key: Key; row: Row }[] {
    const keys = this.#keys.slice(this.#place(from), Math.max(this.#place(from), this.#place(to)));
    return (reverse ? keys.reverse() : keys).slice(0, limit).map((key) => ({ key, row: this.get(key) }));
  }

  write({ writes }: Pick<Commit, 'writes'>): void {
    this.number++;
    for (const [key, value] of writes) {
      const at = this.#place(key);
      const held = this.#keys[at] === key;
      if (value === null) {
        this.rows.delete(key);
        if (held) this.#keys.splice(at, 1);
      } else {
        this.rows.set(key, { version: this.number, value: new Uint8Array(value) });
        if (!held) this.#keys.splice(at, 0, key);
      }
    }
  }

  /** Rows as hex, for comparing two stores. */
  dump(): Record<string, string> {
    return Object.fromEntries(this.#keys.map((key) => [key, Buffer.from(this.get(key).value ?? []).toString('hex')]));
  }

  /** As it is now: a power cut later goes back to here. */
  copy(): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [key, row] of this.rows) disk.rows.set(key, row);
    disk.#keys = [...this.#keys];
    Object.assign(disk, { number: this.number, owner: this.owner, schema: this.schema });
    return disk;
  }

  /** The first place whose key is not below `key`. */
  #place(key: Key): number {
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export type Schedule = (call: () => void) => void;

export interface MemoryOptions {
  disk?: MemoryDisk;
  owner?: string;
  /** Reads say `UNREAD` until fetched, and each fetch waits for this. Absent: reads answer at once. */
  readsLater?: Schedule;
  /** Outcomes wait for this. Absent: a commit answers at once. */
  commitsLater?: Schedule;
  /** Decides what becomes of the n-th commit, from 1; null lets it through. */
  outcome?: (nth: number, commit: Commit) => Outcome | null;
}

export interface MemoryStore extends Store {
  readonly disk: MemoryDisk;
  /** Commits asked for, whatever became of them. */
  readonly commits: Commit[];
  readonly fetches: Query[][];
}

const now: Schedule = (call) => call();

const readNow = (disk: MemoryDisk): Snapshot => ({
  get: (key) => disk.get(key),
  range: (range) => disk.range(range),
  fetch: () => {
    throw new LichenError('internal', 'a store that answers at once is never told to fetch');
  },
});

/** What was fetched stays as it was then, whatever is committed meanwhile: a decision sees one answer to one question. */
const readLater = (disk: MemoryDisk, schedule: Schedule, fetches: Query[][]): Snapshot => {
  const rows = new Map<Key, Row>();
  const ranges = new Map<string, { key: Key; row: Row }[]>();
  return {
    get: (key) => rows.get(key) ?? UNREAD,
    range: (range) => ranges.get(JSON.stringify(range)) ?? UNREAD,
    fetch: (queries, done) => {
      fetches.push(queries);
      schedule(() => {
        for (const query of queries) {
          if ('key' in query) rows.set(query.key, disk.get(query.key));
          else ranges.set(JSON.stringify(query.range), disk.range(query.range));
        }
        done();
      });
    },
  };
};

/** Errors: `storage-broken` when the disk is of another schema. */
export const openMemoryStore = (options: MemoryOptions = {}): MemoryStore => {
  const disk = options.disk ?? new MemoryDisk();
  const commits: Commit[] = [];
  const fetches: Query[][] = [];
  if (disk.schema !== SCHEMA_NUMBER) throw new LichenError('storage-broken', `schema ${disk.schema}, expected ${SCHEMA_NUMBER}`);
  disk.owner = options.owner ?? 'test';

  const write = (commit: Commit): Outcome => {
    if (disk.owner !== commit.owner) return { kind: 'conflict' };
    for (const [key, { version }] of commit.expected) if (disk.get(key).version !== version) return { kind: 'conflict' };
    disk.write(commit);
    return { kind: 'committed' };
  };

  return {
    disk,
    commits,
    fetches,
    snapshot: () => (options.readsLater === undefined ? readNow(disk) : readLater(disk, options.readsLater, fetches)),
    lend: (key) => (options.readsLater === undefined ? disk.get(key).value : UNREAD),
    commit: (commit, answer) => {
      const nth = commits.push(commit);
      (options.commitsLater ?? now)(() => answer(options.outcome?.(nth, commit) ?? write(commit)));
    },
    close: () => {},
  };
};
