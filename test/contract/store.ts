/** What every implementation of the store door must do; run against the one in memory, both ways, and against LMDB. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import { type Commit, type Key, type Outcome, type Query, type Range, type Row, type Store, UNREAD } from '../../runtime/turn/store.ts';
import { runs } from '../support/properties.ts';

export interface Opened {
  store: Store;
  /** Lets what waits come to pass; nothing waits in a store that answers at once. */
  settle(): void;
}

export interface StoreHarness {
  /** A fresh medium, on which stores can be opened again and again. */
  medium(): Medium;
}

export interface Medium {
  open(owner: string): Opened;
  /** Closes and waits until the medium can be opened again. */
  close(opened: Opened): Promise<void>;
  /** Makes the medium one of another schema. */
  spoilSchema(): Promise<void>;
}

const OWNER = 'tester';

const fetched = <T>({ store, settle }: Opened, query: Query, read: (snapshot: ReturnType<Store['snapshot']>) => T | typeof UNREAD): T => {
  const snapshot = store.snapshot();
  const first = read(snapshot);
  if (first !== UNREAD) return first;
  let done = false;
  snapshot.fetch([query], () => {
    done = true;
  });
  settle();
  expect(done).toBe(true);
  const second = read(snapshot);
  if (second === UNREAD) throw new Error('what was fetched is still unread');
  return second;
};

const rowOf = (opened: Opened, key: Key): Row => fetched(opened, { key }, (snapshot) => snapshot.get(key));
const valueOf = (opened: Opened, key: Key): string | null => {
  const { value } = rowOf(opened, key);
  return value === null ? null : Buffer.from(value).toString();
};
const rangeOf = (opened: Opened, given: Partial<Range>): { key: Key; row: Row }[] => {
  const range: Range = { from: '', to: '~', limit: Number.MAX_SAFE_INTEGER, reverse: false, ...given };
  return fetched(opened, { range }, (snapshot) => snapshot.range(range));
};
const keysOf = (opened: Opened, given: Partial<Range> = {}): Key[] =>
  rangeOf(opened, given)
    .map(({ key }) => key)
    .filter((key) => !key.startsWith('store/'));

type Writes = Record<Key, string | Bytes | null>;

const commitOf = (writes: Writes, expected: Record<Key, number> = {}, owner = OWNER): Commit => ({
  writes: new Map(Object.entries(writes).map(([key, value]) => [key, typeof value === 'string' ? utf8(value) : value])),
  expected: new Map(Object.entries(expected).map(([key, version]) => [key, { version }])),
  owner,
});

const commit = ({ store, settle }: Opened, ...given: Parameters<typeof commitOf>): Outcome['kind'] => {
  const outcomes: Outcome[] = [];
  store.commit(commitOf(...given), (outcome) => outcomes.push(outcome));
  settle();
  expect(outcomes).toHaveLength(1);
  return outcomes[0]!.kind;
};

const fill = (opened: Opened, keys: Key[]): void => {
  expect(commit(opened, Object.fromEntries(keys.map((key) => [key, `of ${key}`])))).toBe('committed');
};

/** Registers the suite; call it inside a `describe`. */
export const storeContract = ({ medium }: StoreHarness): void => {
  const fresh = (): Opened => medium().open(OWNER);

  test('what is not there has version 0 and no value', () => {
    expect(rowOf(fresh(), 'a')).toEqual({ version: 0, value: null });
    expect(keysOf(fresh())).toEqual([]);
  });

  test('what is committed is read, by key and in a range', () => {
    const opened = fresh();
    fill(opened, ['b', 'a']);
    expect(valueOf(opened, 'a')).toBe('of a');
    expect(rangeOf(opened, { to: 'c' }).map(({ key, row }) => [key, Buffer.from(row.value!).toString()])).toEqual([
      ['a', 'of a'],
      ['b', 'of b'],
    ]);
    expect(rangeOf(opened, { to: 'b' })[0]!.row).toEqual(rowOf(opened, 'a'));
  });

  test('a range is in the order of bytes', () => {
    const opened = fresh();
    const keys = ['a', 'a-', 'a/', 'a/0', 'a/00', 'a/1', 'a/Z', 'a/a', 'a/~', 'a0', 'aa', 'b'];
    fill(opened, [...keys].reverse());
    expect(keysOf(opened)).toEqual(keys);
    expect(keysOf(opened, { reverse: true })).toEqual([...keys].reverse());
  });

  test('a range holds its lower bound and not its upper one, whichever way it is read', () => {
    const opened = fresh();
    fill(opened, ['a', 'b', 'c', 'd']);
    for (const reverse of [false, true]) {
      expect(keysOf(opened, { from: 'b', to: 'd', reverse }).sort()).toEqual(['b', 'c']);
      expect(keysOf(opened, { from: 'b', to: 'b', reverse })).toEqual([]);
      expect(keysOf(opened, { from: 'bb', to: 'cc', reverse })).toEqual(['c']);
      expect(keysOf(opened, { from: 'c', to: 'a', reverse })).toEqual([]);
    }
  });

  test('a key with a null behind it is the bound right after the key', () => {
    const opened = fresh();
    fill(opened, ['a', 'a-', 'a/1', 'b']);
    expect(keysOf(opened, { from: 'a\u0000' })).toEqual(['a-', 'a/1', 'b']);
    expect(keysOf(opened, { from: 'a/1\u0000' })).toEqual(['b']);
  });

  test('a prefix with the last code unit behind it bounds all that begins with the prefix', () => {
    const opened = fresh();
    fill(opened, ['t', 't/', 't/a', 't/~~~', 't0']);
    expect(keysOf(opened, { from: 't/', to: 't/\uffff' })).toEqual(['t/', 't/a', 't/~~~']);
  });

  test('a limit cuts from the end at which the range begins', () => {
    const opened = fresh();
    fill(opened, ['a', 'b', 'c']);
    expect(keysOf(opened, { limit: 2, to: 'd' })).toEqual(['a', 'b']);
    expect(keysOf(opened, { limit: 2, to: 'd', reverse: true })).toEqual(['c', 'b']);
    expect(keysOf(opened, { limit: 0, to: 'd' })).toEqual([]);
    expect(keysOf(opened, { limit: 9, to: 'd' })).toEqual(['a', 'b', 'c']);
  });

  test('any range over any rows is what a sorted list would give', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '/', '0', '-'), minLength: 1, maxLength: 4 });
    const opened = fresh();
    fc.assert(
      fc.property(
        fc.uniqueArray(word, { minLength: 1, maxLength: 8 }),
        word,
        word,
        fc.nat(5),
        fc.boolean(),
        (keys, from, to, limit, reverse) => {
          const old = Object.fromEntries(keysOf(opened).map((key) => [key, null]));
          expect(commit(opened, { ...old, ...Object.fromEntries(keys.map((key) => [key, key])) })).toBe('committed');
          const inside = [...keys].sort().filter((key) => key >= from && key < to);
          expect(keysOf(opened, { from, to, limit, reverse })).toEqual((reverse ? inside.reverse() : inside).slice(0, limit));
        },
      ),
      runs(40),
    );
  });

  test('a version rises with every write of its key', () => {
    const opened = fresh();
    const versions = ['x', 'y', 'x'].map((value) => {
      expect(commit(opened, { a: value })).toBe('committed');
      return rowOf(opened, 'a').version;
    });
    expect(versions[0]).toBeGreaterThan(0);
    expect(versions[1]).toBeGreaterThan(versions[0]!);
    expect(versions[2]).toBeGreaterThan(versions[1]!);
  });

  test('a version never comes back, not even when its row was deleted and made anew', async () => {
    const disk = medium();
    let opened = disk.open(OWNER);
    const seen = new Set<number>();
    for (let i = 0; i < 4; i++) {
      commit(opened, { a: 'x' });
      expect(seen).not.toContain(rowOf(opened, 'a').version);
      seen.add(rowOf(opened, 'a').version);
      commit(opened, { a: null });
      await disk.close(opened);
      opened = disk.open(OWNER);
    }
    const stale = Math.max(...seen);
    commit(opened, { a: 'mine' });
    expect(commit(opened, { a: 'theirs' }, { a: stale })).toBe('conflict');
    expect(valueOf(opened, 'a')).toBe('mine');
  });

  test('a commit upon an older version of anything it read is a conflict', () => {
    const opened = fresh();
    fill(opened, ['a', 'b']);
    const { version } = rowOf(opened, 'a');
    commit(opened, { a: 'newer' });
    expect(commit(opened, { b: 'mine' }, { a: version })).toBe('conflict');
    expect(commit(opened, { b: 'mine' }, { a: 0 })).toBe('conflict');
    expect(commit(opened, { b: 'mine' }, { c: 1 })).toBe('conflict');
    expect(valueOf(opened, 'b')).toBe('of b');
    expect(commit(opened, { b: 'mine' }, { a: rowOf(opened, 'a').version, c: 0 })).toBe('committed');
  });

  test('nobody but the owner commits, and who opened last is the owner', () => {
    const disk = medium();
    const first = disk.open('first');
    expect(commit(first, { a: 'x' }, {}, 'second')).toBe('conflict');
    expect(commit(first, { a: 'x' }, {}, 'first')).toBe('committed');
    const second = disk.open('second');
    expect(commit(first, { a: 'y' }, {}, 'first')).toBe('conflict');
    expect(commit(second, { a: 'z' }, {}, 'second')).toBe('committed');
    expect(valueOf(second, 'a')).toBe('z');
  });

  test('of a commit in conflict nothing is there', () => {
    const opened = fresh();
    fill(opened, ['a']);
    expect(commit(opened, { a: null, b: 'new', c: 'new' }, { a: rowOf(opened, 'a').version + 1 })).toBe('conflict');
    expect(keysOf(opened)).toEqual(['a']);
    expect(valueOf(opened, 'a')).toBe('of a');
  });

  test('nothing of a commit is read before its outcome', () => {
    const opened = fresh();
    let outcome: Outcome | null = null;
    opened.store.commit(commitOf({ a: 'x', b: 'x' }), (answer) => {
      outcome = answer;
    });
    if (outcome === null) {
      const snapshot = opened.store.snapshot();
      const seen = snapshot.get('a');
      if (seen === UNREAD) {
        // Fetched first, and still under way when the commit is.
        snapshot.fetch([{ key: 'a' }], () => {});
        expect(snapshot.get('a')).toBe(UNREAD);
      } else expect(seen.value).toBeNull();
    }
    opened.settle();
    expect(outcome).toEqual({ kind: 'committed' });
    expect([valueOf(opened, 'a'), valueOf(opened, 'b')]).toEqual(['x', 'x']);
  });

  test('bytes handed in and bytes handed out belong to whoever has them, or are the very same', () => {
    const opened = fresh();
    const mine = utf8('mine');
    commit(opened, { a: mine });
    // One that lends its bytes always gives those that were put, so that they need be decoded once only.
    if (rowOf(opened, 'a').value === mine) {
      expect(rangeOf(opened, { from: 'a' })[0]?.row.value).toBe(mine);
      return;
    }
    mine.fill(0);
    rowOf(opened, 'a').value?.fill(0);
    expect(valueOf(opened, 'a')).toBe('mine');
  });

  test('what is lent is what is committed, at once or not at all', () => {
    const opened = fresh();
    const long = new Uint8Array(100_000).fill(7);
    expect(commit(opened, { a: 'one', b: long, c: '' })).toBe('committed');
    const lent = (key: Key): Bytes | null | typeof UNREAD => {
      const bytes = opened.store.lend(key);
      return bytes === UNREAD || bytes === null ? bytes : new Uint8Array(bytes);
    };
    if (lent('a') === UNREAD) return;
    expect(lent('b')).toEqual(long);
    expect([lent('a'), lent('c'), lent('d')]).toEqual([utf8('one'), new Uint8Array(), null]);
    expect(commit(opened, { a: 'two', b: null })).toBe('committed');
    expect([lent('a'), lent('b')]).toEqual([utf8('two'), null]);
  });

  test('what is deleted is gone, and deleting what is not there does no harm', () => {
    const opened = fresh();
    fill(opened, ['a', 'b']);
    expect(commit(opened, { a: null, z: null })).toBe('committed');
    expect(rowOf(opened, 'a')).toEqual({ version: 0, value: null });
    expect(keysOf(opened)).toEqual(['b']);
    expect(commit(opened, { a: 'again' }, { a: 0 })).toBe('committed');
    expect(valueOf(opened, 'a')).toBe('again');
  });

  test('values may be empty and may be big', () => {
    const opened = fresh();
    const big = new Uint8Array(3_000_000).map((_, i) => (i * 31) & 255);
    commit(opened, { empty: new Uint8Array(0), big });
    expect(rowOf(opened, 'empty').value).toEqual(new Uint8Array(0));
    expect(Buffer.compare(rowOf(opened, 'big').value!, big)).toBe(0);
    expect(Buffer.compare(rangeOf(opened, { from: 'big', to: 'bih' })[0]!.row.value!, big)).toBe(0);
  });

  test('opened anew it holds everything, versions too', async () => {
    const disk = medium();
    const first = disk.open(OWNER);
    fill(first, ['a', 'b', 'c']);
    commit(first, { b: null, c: 'newer' });
    const before = ['a', 'b', 'c'].map((key) => rowOf(first, key));
    await disk.close(first);
    const second = disk.open(OWNER);
    expect(['a', 'b', 'c'].map((key) => rowOf(second, key))).toEqual(before);
    expect(commit(second, { c: 'newest' }, { c: before[2]!.version })).toBe('committed');
    expect(rowOf(second, 'c').version).toBeGreaterThan(before[2]!.version);
  });

  test('of another schema it is not opened', async () => {
    const disk = medium();
    await disk.close(disk.open(OWNER));
    await disk.spoilSchema();
    expect(() => disk.open(OWNER)).toThrow(expect.objectContaining({ code: 'storage-broken' }));
  });
};
