/**
 * What a decision reads from and writes to: the snapshot beneath, its own writes above. No row of it is real before the
 * commit. Volatile tables (sessions, timers under way) change in place, as nobody else looks at them meanwhile, and are
 * taken back with whatever does not come true: so they change exactly when rows do.
 *
 * Most turns look and write nothing, so what holds reads and writes is made when the first one comes.
 */
import type { Bytes } from '../protocol/bytes.ts';
import { type Commit, type Key, type Query, type Range, type Row, type Snapshot, UNREAD } from './store.ts';

/** Thrown out of a decision that read what the snapshot does not hold yet; the turn fetches and decides again. */
export class Unread extends Error {
  readonly query: Query;
  constructor(query: Query) {
    super('unread');
    this.query = query;
  }
}

export type Memory = Map<string, Map<string, unknown>>;

/** How a volatile row was before; `undefined`: there was none. */
interface Former {
  rows: Map<string, unknown>;
  key: string;
  value: unknown;
}

const NO_ROWS: ReadonlyMap<string, unknown> = new Map();
const NO_TABLES: readonly string[] = [];
const NO_EFFECTS: readonly never[] = [];

/** A durable row's key begins with the name of its table. */
const tableOf = (key: Key): string => key.slice(0, key.indexOf('/'));

export class Draft<Effect> {
  readonly #snapshot: Snapshot;
  readonly #memory: Memory;
  /**
   * Rows as they were first read: the same bytes each time, so that whoever decodes them need do so once a turn, and
   * the first version, so that a newer one that a remote store shows later on makes the commit a conflict.
   */
  #read: Map<Key, Row> | null = null;
  #writes: Map<Key, Bytes | null> | null = null;
  /** Table → its keys among the writes, which a scan looks through. */
  #written: Map<string, Key[]> | null = null;
  /** Of the present event: what it wrote over; `undefined`: nothing. */
  #over: [Key, Bytes | null | undefined][] | null = null;
  #former: Former[] | null = null;
  #effects: Effect[] | null = null;
  /** Where the present event began in these two. */
  #formerMark = 0;
  #effectsMark = 0;
  #tablesBefore = NO_TABLES;
  #tablesNow = NO_TABLES;

  constructor(snapshot: Snapshot, memory: Memory) {
    this.#snapshot = snapshot;
    this.#memory = memory;
  }

  get(key: Key): Bytes | null {
    const written = this.#writes?.get(key);
    if (written !== undefined) return written;
    const held = this.#read?.get(key);
    if (held !== undefined) return held.value;
    const row = this.#snapshot.get(key);
    if (row === UNREAD) throw new Unread({ key });
    this.#read ??= new Map();
    this.#read.set(key, row);
    return row.value;
  }

  /** `told`: the name by which `tablesNow` speaks of it, when not that of its table. */
  put(key: Key, value: Bytes, table = tableOf(key), told = table): void {
    this.#write(key, value, table, told);
  }

  remove(key: Key, table = tableOf(key)): void {
    this.#write(key, null, table, table);
  }

  #write(key: Key, value: Bytes | null, table: string, told: string): void {
    this.#writes ??= new Map();
    this.#over ??= [];
    const before = this.#writes.get(key);
    this.#over.push([key, before]);
    this.#writes.set(key, value);
    this.#touch(told);
    if (before !== undefined) return;
    this.#written ??= new Map();
    const keys = this.#written.get(table);
    if (keys === undefined) this.#written.set(table, [key]);
    else keys.push(key);
  }

  #touch(table: string): void {
    if (this.#tablesNow.includes(table)) return;
    this.#tablesNow = this.#tablesNow.length === 0 ? [table] : [...this.#tablesNow, table];
  }

  /** Rows whose key begins with `prefix`, in order; `after` is a whole key, and what comes after it is read, whichever way. */
  scan(prefix: string, options: { limit?: number; after?: Key; reverse?: boolean } = {}): { key: Key; value: Bytes }[] {
    const { limit = Number.MAX_SAFE_INTEGER, after, reverse = false } = options;
    const from = after === undefined || reverse ? prefix : `${after}\u0000`;
    const to = after !== undefined && reverse ? after : `${prefix}\uffff`;
    const pending = this.#pending(prefix, from, to);
    // Each of them may take one row of the snapshot away.
    const range: Range = { from, to, limit: Math.min(limit + (pending?.size ?? 0), Number.MAX_SAFE_INTEGER), reverse };
    const rows = this.#snapshot.range(range);
    if (rows === UNREAD) throw new Unread({ range });
    const out: { key: Key; value: Bytes }[] = [];
    for (const { key, row } of rows) {
      this.#read ??= new Map();
      if (!this.#read.has(key)) this.#read.set(key, row);
      if (row.value !== null && pending?.has(key) !== true) out.push({ key, value: row.value });
    }
    if (pending === null) return out;
    for (const [key, value] of pending) if (value !== null) out.push({ key, value });
    out.sort((a, b) => (a.key < b.key ? -1 : 1));
    return (reverse ? out.reverse() : out).slice(0, limit);
  }

  /** What is written below a prefix and between two keys; null: nothing. A prefix names its table whole. */
  #pending(prefix: string, from: Key, to: Key): Map<Key, Bytes | null> | null {
    let pending: Map<Key, Bytes | null> | null = null;
    for (const key of this.#written?.get(tableOf(prefix)) ?? []) {
      if (!key.startsWith(prefix) || key < from || key >= to) continue;
      const value = this.#writes?.get(key);
      if (value === undefined) continue;
      pending ??= new Map();
      pending.set(key, value);
    }
    return pending;
  }

  recall(table: string, key: string): unknown {
    return this.#memory.get(table)?.get(key);
  }

  remember(table: string, key: string, value: unknown): void {
    let rows = this.#memory.get(table);
    if (rows === undefined) {
      rows = new Map();
      this.#memory.set(table, rows);
    }
    this.#former ??= [];
    this.#former.push({ rows, key, value: rows.get(key) });
    if (value === undefined) rows.delete(key);
    else rows.set(key, value);
    this.#touch(table);
  }

  /** As it is now; to change the table while walking through it is to walk through the change. */
  recallAll(table: string): ReadonlyMap<string, unknown> {
    return this.#memory.get(table) ?? NO_ROWS;
  }

  /** Names of the tables, durable and volatile, in which the events before this one have written in this turn. */
  tablesBefore(): readonly string[] {
    return this.#tablesBefore;
  }

  /** As `tablesBefore`, of the present event. */
  tablesNow(): readonly string[] {
    return this.#tablesNow;
  }

  emit(effect: Effect): void {
    this.#effects ??= [];
    this.#effects.push(effect);
  }

  /** The event is decided: what it wrote joins what those before it did. */
  keep(): void {
    this.#over = null;
    this.#formerMark = this.#former?.length ?? 0;
    this.#effectsMark = this.#effects?.length ?? 0;
    if (this.#tablesNow.length === 0) return;
    if (this.#tablesBefore.length === 0) this.#tablesBefore = this.#tablesNow;
    else this.#tablesBefore = [...this.#tablesBefore, ...this.#tablesNow.filter((table) => !this.#tablesBefore.includes(table))];
    this.#tablesNow = NO_TABLES;
  }

  /** The event was refused half-way: nothing of it stays. */
  discard(): void {
    const over = this.#over ?? [];
    for (let i = over.length - 1; i >= 0; i--) {
      const [key, before] = over[i] ?? ['', undefined];
      if (before === undefined) this.#writes?.delete(key);
      else this.#writes?.set(key, before);
    }
    this.#over = null;
    this.#restore(this.#formerMark);
    if (this.#effects !== null) this.#effects.length = this.#effectsMark;
    this.#tablesNow = NO_TABLES;
  }

  /** The turn comes to nothing: what it remembered is as it was before. */
  abandon(): void {
    this.#restore(0);
  }

  #restore(mark: number): void {
    const former = this.#former ?? [];
    for (let i = former.length - 1; i >= mark; i--) {
      const one = former[i];
      if (one?.value === undefined) one?.rows.delete(one.key);
      else one.rows.set(one.key, one.value);
    }
    former.length = mark;
  }

  hasRows(): boolean {
    return this.#writes !== null && this.#writes.size > 0;
  }

  toCommit(owner: string): Commit {
    return { writes: this.#writes ?? new Map(), expected: this.#read ?? new Map(), owner };
  }

  /** What leaves once the commit is there. */
  get effects(): readonly Effect[] {
    return this.#effects ?? NO_EFFECTS;
  }
}
