/** Maps in the order of their text keys. A clone costs nothing until one of the two is written to, so a decision that is thrown away leaves nothing behind. */
import { EmptyBTree } from 'sorted-btree';

export interface Ordered<V> {
  clone(): Ordered<V>;
  has(key: string): boolean;
  get(key: string): V | undefined;
  set(key: string, value: V): unknown;
  delete(key: string): boolean;
  /** From `low` on, below `high`. */
  deleteRange(low: string, high: string, includeHigh: false): unknown;
  minKey(): string | undefined;
  keys(): Iterable<string>;
  /** From `low` on, if given. */
  entries(low?: string): Iterable<[string, V]>;
}

// The class itself is the default export of a CommonJS module, which each tool hands out in another way.
export const ordered = <V>(): Ordered<V> => EmptyBTree.clone();
