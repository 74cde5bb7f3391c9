/**
 * What was worked out of an object, for as long as the object lives and it is among those asked for lately. Weak alone
 * would hold all that was ever read of a store that keeps its rows in memory, many times their size.
 */
export interface Memo<K extends object, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
}

/** Of one kind. Beyond it what is asked for is decoded again, some 10 µs each. */
const MOST = 1024;

/** Holds the newest `most` at least, twice as many at most. */
export const memo = <K extends object, V>(most: number = MOST): Memo<K, V> => {
  let young = new WeakMap<K, V>();
  let old = young;
  let added = 0;
  const set = (key: K, value: V): void => {
    if (++added > most) {
      old = young;
      young = new WeakMap();
      added = 1;
    }
    young.set(key, value);
  };
  return {
    get: (key) => {
      const held = young.get(key);
      if (held !== undefined) return held;
      const older = old.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
  };
};
