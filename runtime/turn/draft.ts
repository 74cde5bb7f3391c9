/**
 * What a decision reads from and writes to: the snapshot beneath, its own writes above. Nothing of it is real before
 * the commit. Volatile tables (sessions, timers under way) live here too, so that they change exactly when rows do.
 */
import type { Bytes } from '../protocol/bytes.ts';
import { type Commit, type Key, type Query, type Range, type Snapshot, UNREAD } from './store.ts';

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
  writes: Map<Key, Bytes | null>;
  memory: Map<string, Map<string, unknown>>;
  effects: Effect[];
}

const emptyLayer = <Effect>(): Layer<Effect> => ({ writes: new Map(), memory: new Map(), effects: [] });
/** Stands for a deleted volatile row. */
const GONE = Symbol('gone');

export class Draft<Effect> {
  readonly #snapshot: Snapshot;
  readonly #memory: Memory;
  readonly #expected = new Map<Key, number>();
  /** Rows read one by one: the same bytes each time, so that whoever decodes them need do so once a turn. */
  readonly #read = new Map<Key, Bytes | null>();
  #whole: Layer<Effect> = emptyLayer();
  #event: Layer<Effect> = emptyLayer();

  constructor(snapshot: Snapshot, memory: Memory) {
    this.#snapshot = snapshot;
    this.#memory = memory;
  }

  get(key: Key): Bytes | null {
    const written = this.#event.writes.get(key) ?? (this.#event.writes.has(key) ? null : this.#whole.writes.get(key));
    if (written !== undefined) return written;
    const held = this.#read.get(key);
    if (held !== undefined) return held;
    const row = this.#snapshot.get(key);
    if (row === UNREAD) throw new Unread({ key });
    this.#expect(key, row.version);
    this.#read.set(key, row.value);
    return row.value;
  }

  /** The first version counts: should a remote store show a newer one later on, the commit is to be a conflict. */
  #expect(key: Key, version: number): void {
    if (!this.#expected.has(key)) this.#expected.set(key, version);
  }

  put(key: Key, value: Bytes): void {
    this.#event.writes.set(key, value);
  }

  remove(key: Key): void {
    this.#event.writes.set(key, null);
  }

  /** Rows whose key begins with `prefix`, in order; `after` is a whole key, and what comes after it is read, whichever way. */
  scan(prefix: string, options: { limit?: number; after?: Key; reverse?: boolean } = {}): { key: Key; value: Bytes }[] {
    const { limit = Number.MAX_SAFE_INTEGER, after, reverse = false } = options;
    const from = after === undefined || reverse ? prefix : `${after}\u0000`;
    const to = after !== undefined && reverse ? after : `${prefix}\uffff`;
    const pending = [...this.#whole.writes, ...this.#event.writes].filter(([key]) => key.startsWith(prefix) && key >= from && key < to);
    // Each of them may take one row of the snapshot away.
    const range: Range = { from, to, limit: Math.min(limit + pending.length, Number.MAX_SAFE_INTEGER), reverse };
    const rows = this.#snapshot.range(range);
    if (rows === UNREAD) throw new Unread({ range });
    const merged = new Map<Key, Bytes | null>();
    for (const { key, row } of rows) {
      this.#expect(key, row.version);
      merged.set(key, row.value);
    }
    for (const [key, value] of pending) merged.set(key, value);
    const out = [...merged].flatMap(([key, value]) => (value === null ? [] : [{ key, value }]));
    if (pending.length === 0) return out;
    out.sort((a, b) => (a.key < b.key ? -1 : 1));
    return (reverse ? out.reverse() : out).slice(0, limit);
  }

  recall(table: string, key: string): unknown {
    for (const layer of [this.#event.memory, this.#whole.memory, this.#memory]) {
      const rows = layer.get(table);
      if (rows?.has(key)) {
        const value = rows.get(key);
        return value === GONE ? undefined : value;
      }
    }
    return undefined;
  }

  remember(table: string, key: string, value: unknown): void {
    const rows = this.#event.memory.get(table) ?? new Map<string, unknown>();
    rows.set(key, value === undefined ? GONE : value);
    this.#event.memory.set(table, rows);
  }

  recallAll(table: string): [string, unknown][] {
    const merged = new Map(this.#memory.get(table));
    for (const layer of [this.#whole.memory, this.#event.memory]) for (const [key, value] of layer.get(table) ?? []) merged.set(key, value);
    return [...merged].filter(([, value]) => value !== GONE);
  }

  emit(effect: Effect): void {
    this.#event.effects.push(effect);
  }

  /** The event is decided: its layer joins the whole. */
  keep(): void {
    merge(this.#event, this.#whole);
    this.#event = emptyLayer();
  }

  /** The event was refused half-way: nothing of it stays. */
  discard(): void {
    this.#event = emptyLayer();
  }

  toCommit(owner: string): Commit {
    return { writes: this.#whole.writes, expected: this.#expected, owner };
  }

  /** Called once, after the commit. */
  settle(): Effect[] {
    for (const [table, changes] of this.#whole.memory) {
      const rows = this.#memory.get(table) ?? new Map<string, unknown>();
      for (const [key, value] of changes) {
        if (value === GONE) rows.delete(key);
        else rows.set(key, value);
      }
      this.#memory.set(table, rows);
    }
    return this.#whole.effects;
  }
}

const merge = <Effect>(from: Layer<Effect>, into: Layer<Effect>): void => {
  for (const [key, value] of from.writes) into.writes.set(key, value);
  for (const [table, rows] of from.memory) {
    const target = into.memory.get(table) ?? new Map<string, unknown>();
    for (const [key, value] of rows) target.set(key, value);
    into.memory.set(table, target);
  }
  into.effects.push(...from.effects);
};
