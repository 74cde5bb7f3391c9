/**
 * What a decision reads from and writes to: the snapshot beneath, its own writes above. Nothing of it is real before
 * the commit. Volatile tables (sessions, timers under way) live here too, so that they change exactly when rows do.
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

interface Layer<Effect> {
  writes: Map<Key, Bytes | null> | null;
  memory: Memory | null;
  effects: Effect[] | null;
}

const emptyLayer = <Effect>(): Layer<Effect> => ({ writes: null, memory: null, effects: null });
const isEmpty = (layer: Layer<unknown>): boolean => layer.writes === null && layer.memory === null && layer.effects === null;
/** Stands for a deleted volatile row. */
const GONE = Symbol('gone');
const NO_ROWS: ReadonlyMap<string, unknown> = new Map();
const NO_TABLES: ReadonlySet<string> = new Set();

export class Draft<Effect> {
  readonly #snapshot: Snapshot;
  readonly #memory: Memory;
  /**
   * Rows as they were first read: the same bytes each time, so that whoever decodes them need do so once a turn, and
   * the first version, so that a newer one that a remote store shows later on makes the commit a conflict.
   */
  #rows: Map<Key, Row> | null = null;
  #whole: Layer<Effect> = emptyLayer();
  #event: Layer<Effect> = emptyLayer();

  constructor(snapshot: Snapshot, memory: Memory) {
    this.#snapshot = snapshot;
    this.#memory = memory;
  }

  get(key: Key): Bytes | null {
    const written = this.#written(key);
    if (written !== undefined) return written;
    const held = this.#rows?.get(key);
    if (held !== undefined) return held.value;
    const row = this.#snapshot.get(key);
    if (row === UNREAD) throw new Unread({ key });
    this.#rows ??= new Map();
    this.#rows.set(key, row);
    return row.value;
  }

  #written(key: Key): Bytes | null | undefined {
    const newest = this.#event.writes?.get(key);
    return newest === undefined ? this.#whole.writes?.get(key) : newest;
  }

  put(key: Key, value: Bytes): void {
    this.#write(key, value);
  }

  remove(key: Key): void {
    this.#write(key, null);
  }

  #write(key: Key, value: Bytes | null): void {
    this.#event.writes ??= new Map();
    this.#event.writes.set(key, value);
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
      this.#rows ??= new Map();
      if (!this.#rows.has(key)) this.#rows.set(key, row);
      if (row.value !== null && pending?.has(key) !== true) out.push({ key, value: row.value });
    }
    if (pending === null) return out;
    for (const [key, value] of pending) if (value !== null) out.push({ key, value });
    out.sort((a, b) => (a.key < b.key ? -1 : 1));
    return (reverse ? out.reverse() : out).slice(0, limit);
  }

  /** What is written below a prefix and between two keys; null: nothing. */
  #pending(prefix: string, from: Key, to: Key): Map<Key, Bytes | null> | null {
    let pending: Map<Key, Bytes | null> | null = null;
    for (const { writes } of [this.#whole, this.#event]) {
      if (writes === null) continue;
      for (const [key, value] of writes) {
        if (!key.startsWith(prefix) || key < from || key >= to) continue;
        pending ??= new Map();
        pending.set(key, value);
      }
    }
    return pending;
  }

  recall(table: string, key: string): unknown {
    let value = this.#event.memory?.get(table)?.get(key);
    if (value === undefined) value = this.#whole.memory?.get(table)?.get(key);
    if (value === undefined) value = this.#memory.get(table)?.get(key);
    return value === GONE ? undefined : value;
  }

  remember(table: string, key: string, value: unknown): void {
    this.#event.memory ??= new Map();
    rowsOf(this.#event.memory, table).set(key, value === undefined ? GONE : value);
  }

  /** As of now: what is remembered later need not be in it. */
  recallAll(table: string): ReadonlyMap<string, unknown> {
    const base = this.#memory.get(table) ?? NO_ROWS;
    const changes = [this.#whole.memory?.get(table), this.#event.memory?.get(table)].filter((rows) => rows !== undefined);
    if (changes.length === 0) return base;
    const merged = new Map(base);
    for (const rows of changes) for (const [key, value] of rows) merged.set(key, value);
    for (const [key, value] of merged) if (value === GONE) merged.delete(key);
    return merged;
  }

  /** Names of the tables, durable and volatile, in which the events before this one have written in this turn. */
  tablesBefore(): ReadonlySet<string> {
    return tablesIn(this.#whole);
  }

  /** As `tablesBefore`, of the present event. */
  tablesNow(): ReadonlySet<string> {
    return tablesIn(this.#event);
  }

  emit(effect: Effect): void {
    this.#event.effects ??= [];
    this.#event.effects.push(effect);
  }

  /** The event is decided: its layer joins the whole. */
  keep(): void {
    if (isEmpty(this.#event)) return;
    if (isEmpty(this.#whole)) this.#whole = this.#event;
    else merge(this.#event, this.#whole);
    this.#event = emptyLayer();
  }

  /** The event was refused half-way: nothing of it stays. */
  discard(): void {
    if (!isEmpty(this.#event)) this.#event = emptyLayer();
  }

  hasRows(): boolean {
    return this.#whole.writes !== null;
  }

  toCommit(owner: string): Commit {
    const expected = new Map<Key, number>();
    for (const [key, { version }] of this.#rows ?? []) expected.set(key, version);
    return { writes: this.#whole.writes ?? new Map(), expected, owner };
  }

  /** Called once, after the commit. */
  settle(): readonly Effect[] {
    for (const [table, changes] of this.#whole.memory ?? []) {
      const rows = rowsOf(this.#memory, table);
      for (const [key, value] of changes) {
        if (value === GONE) rows.delete(key);
        else rows.set(key, value);
      }
    }
    return this.#whole.effects ?? [];
  }
}

const rowsOf = (memory: Memory, table: string): Map<string, unknown> => {
  const held = memory.get(table);
  if (held !== undefined) return held;
  const rows = new Map<string, unknown>();
  memory.set(table, rows);
  return rows;
};

/** A durable row's key begins with the name of its table. */
const tablesIn = ({ writes, memory }: Layer<unknown>): ReadonlySet<string> => {
  if (writes === null && memory === null) return NO_TABLES;
  const tables = new Set(memory?.keys());
  for (const key of writes?.keys() ?? []) tables.add(key.slice(0, key.indexOf('/')));
  return tables;
};

const merge = <Effect>(from: Layer<Effect>, into: Layer<Effect>): void => {
  if (from.writes !== null) {
    into.writes ??= new Map();
    for (const [key, value] of from.writes) into.writes.set(key, value);
  }
  if (from.memory !== null) {
    into.memory ??= new Map();
    for (const [table, rows] of from.memory) {
      const target = rowsOf(into.memory, table);
      for (const [key, value] of rows) target.set(key, value);
    }
  }
  if (from.effects === null) return;
  into.effects ??= [];
  for (const effect of from.effects) into.effects.push(effect);
};
