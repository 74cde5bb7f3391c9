import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bytes, fromUtf8, utf8 } from '../../../runtime/protocol/bytes.ts';
import { Draft, type Memory, Unread } from '../../../runtime/turn/draft.ts';
import { type Row, type Snapshot, UNREAD } from '../../../runtime/turn/store.ts';
import { MemoryDisk, openMemoryStore } from '../../support/memory-store.ts';
import { runs } from '../../support/properties.ts';

const diskOf = (rows: Record<string, string>): MemoryDisk => {
  const disk = new MemoryDisk();
  for (const [key, value] of Object.entries(rows)) disk.write({ writes: new Map([[key, utf8(value)]]) });
  return disk;
};

const draftOver = (rows: Record<string, string>, memory: Memory = new Map()): Draft<string> =>
  new Draft<string>(openMemoryStore({ disk: diskOf(rows) }).snapshot(), memory);

const textOf = (value: Bytes | null): string | null => (value === null ? null : fromUtf8(value));
const keysOf = (found: { key: string }[]): string[] => found.map(({ key }) => key);
/** Key → the version it was read at. */
const versionsOf = (draft: Draft<string>): Record<string, number> =>
  Object.fromEntries([...draft.toCommit('me').expected].map(([key, { version }]) => [key, version]));
const writesOf = (draft: Draft<string>): Record<string, string | null> =>
  Object.fromEntries([...draft.toCommit('me').writes].map(([key, value]) => [key, textOf(value)]));

describe('a draft', () => {
  test('reads its own writes and deletions before the snapshot', () => {
    const draft = draftOver({ a: 'old', b: 'old', c: 'old' });
    draft.put('a', utf8('new'));
    draft.remove('b');
    expect(['a', 'b', 'c', 'd'].map((key) => textOf(draft.get(key)))).toEqual(['new', null, 'old', null]);
    draft.keep();
    expect(['a', 'b', 'c', 'd'].map((key) => textOf(draft.get(key)))).toEqual(['new', null, 'old', null]);
  });

  test('reads what the event wrote before what the events before it wrote', () => {
    const draft = draftOver({});
    draft.put('a', utf8('first'));
    draft.put('b', utf8('first'));
    draft.keep();
    draft.put('a', utf8('second'));
    draft.remove('b');
    expect([draft.get('a'), draft.get('b')].map(textOf)).toEqual(['second', null]);
    draft.discard();
    expect([draft.get('a'), draft.get('b')].map(textOf)).toEqual(['first', 'first']);
  });

  test('keeps nothing of an event that was discarded: no rows, no memory, no effects', () => {
    const memory: Memory = new Map();
    const draft = draftOver({ a: 'old' }, memory);
    draft.put('kept', utf8('1'));
    draft.remember('table', 'kept', 1);
    draft.emit('kept');
    draft.keep();
    draft.put('a', utf8('lost'));
    draft.remove('kept');
    draft.remember('table', 'kept', 2);
    draft.remember('table', 'lost', 2);
    draft.emit('lost');
    draft.discard();
    draft.keep();
    expect(writesOf(draft)).toEqual({ kept: '1' });
    expect([...draft.recallAll('table')]).toEqual([['kept', 1]]);
    expect(draft.effects).toEqual(['kept']);
    expect(memory).toEqual(new Map([['table', new Map([['kept', 1]])]]));
  });

  test('commits deletions too, and the last word on each key', () => {
    const draft = draftOver({ a: 'old' });
    draft.put('a', utf8('1'));
    draft.keep();
    draft.remove('a');
    draft.put('b', utf8('2'));
    draft.keep();
    expect(writesOf(draft)).toEqual({ a: null, b: '2' });
  });

  test('names the versions of all that it read, and of nothing that it only wrote', () => {
    const draft = draftOver({ a: 'x', b: 'x', 'c/1': 'x', 'c/2': 'x' });
    draft.get('a');
    draft.get('missing');
    draft.scan('c/');
    draft.put('b', utf8('y'));
    draft.get('b');
    draft.keep();
    expect(versionsOf(draft)).toEqual({ a: 1, missing: 0, 'c/1': 3, 'c/2': 4 });
    expect(draft.toCommit('me').owner).toBe('me');
  });

  test('names the version it read first, should the store show a newer one later', () => {
    let version = 1;
    const row = (): Row => ({ version: version++, value: utf8('x') });
    const moving: Snapshot = { get: row, range: () => [{ key: 'a', row: row() }], fetch: () => {} };
    const draft = new Draft<string>(moving, new Map());
    draft.get('a');
    draft.scan('a');
    draft.get('a');
    expect(versionsOf(draft)).toEqual({ a: 1 });
  });

  test('asks for what the snapshot does not hold yet', () => {
    const empty: Snapshot = { get: () => UNREAD, range: () => UNREAD, fetch: () => {} };
    const draft = new Draft<string>(empty, new Map());
    const asked = (read: () => unknown): unknown => {
      try {
        return read();
      } catch (thrown) {
        return thrown instanceof Unread ? thrown.query : thrown;
      }
    };
    expect(asked(() => draft.get('a'))).toEqual({ key: 'a' });
    expect(asked(() => draft.scan('t/', { after: 't/5', limit: 2 }))).toEqual({
      range: { from: 't/5\u0000', to: 't/\uffff', limit: 2, reverse: false },
    });
    draft.put('a', utf8('mine'));
    expect(textOf(draft.get('a'))).toBe('mine');
  });
});

describe('a scan', () => {
  const rows = { 's/z': 'x', 't/1': 'x', 't/2': 'x', 't/3': 'x', 't/4': 'x', t0: 'x' };

  test('holds what begins with the prefix and nothing else', () => {
    expect(keysOf(draftOver(rows).scan('t/'))).toEqual(['t/1', 't/2', 't/3', 't/4']);
    expect(keysOf(draftOver({}).scan('t/'))).toEqual([]);
  });

  test('merges writes and deletions of this event and of those before it', () => {
    const draft = draftOver(rows);
    draft.remove('t/2');
    draft.put('t/25', utf8('new'));
    draft.put('u/1', utf8('new'));
    draft.keep();
    draft.remove('t/25');
    draft.put('t/0', utf8('new'));
    draft.put('t/3', utf8('newer'));
    expect(draft.scan('t/').map(({ key, value }) => [key, fromUtf8(value)])).toEqual([
      ['t/0', 'new'],
      ['t/1', 'x'],
      ['t/3', 'newer'],
      ['t/4', 'x'],
    ]);
  });

  test('goes on after a key, whichever way it is read', () => {
    const draft = draftOver(rows);
    expect(keysOf(draft.scan('t/', { after: 't/2' }))).toEqual(['t/3', 't/4']);
    expect(keysOf(draft.scan('t/', { after: 't/2', reverse: true }))).toEqual(['t/1']);
    draft.put('t/2a', utf8('x'));
    draft.put('t/15', utf8('x'));
    expect(keysOf(draft.scan('t/', { after: 't/2' }))).toEqual(['t/2a', 't/3', 't/4']);
    expect(keysOf(draft.scan('t/', { after: 't/2', reverse: true }))).toEqual(['t/15', 't/1']);
  });

  test('with a limit still finds enough below its own deletions', () => {
    const draft = draftOver(rows);
    draft.remove('t/1');
    draft.remove('t/2');
    expect(keysOf(draft.scan('t/', { limit: 2 }))).toEqual(['t/3', 't/4']);
    expect(keysOf(draft.scan('t/', { limit: 1, reverse: true }))).toEqual(['t/4']);
  });

  const digit = fc.constantFrom('0', '1', '2', '3', '4', '5');
  const key = fc.tuple(fc.constantFrom('s/', 't/', 'u'), digit, digit).map((parts) => parts.join(''));
  const change = fc.record({ key, value: fc.option(fc.constantFrom('1', '2')), keep: fc.boolean() });

  test('is what a scan over the merged rows would be (property)', () => {
    const options = fc.record(
      { limit: fc.nat(6), after: key.filter((text) => text.startsWith('t/')), reverse: fc.boolean() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.dictionary(key, fc.constant('0')), fc.array(change, { maxLength: 8 }), options, (base, changes, given) => {
        const draft = draftOver(base);
        const merged = new Map<string, string>(Object.entries(base));
        for (const { key: at, value, keep } of changes) {
          if (value === null) {
            draft.remove(at);
            merged.delete(at);
          } else {
            draft.put(at, utf8(value));
            merged.set(at, value);
          }
          if (keep) draft.keep();
        }
        const ordered = [...merged].filter(([at]) => at.startsWith('t/')).sort(([a], [b]) => (a < b ? -1 : 1));
        if (given.reverse === true) ordered.reverse();
        const { after } = given;
        const rest = ordered.filter(([at]) => after === undefined || (given.reverse === true ? at < after : at > after));
        expect(draft.scan('t/', given).map(({ key: at, value }) => [at, fromUtf8(value)])).toEqual(
          rest.slice(0, given.limit ?? rest.length),
        );
      }),
      runs(300),
    );
  });
});

describe('the tables written in', () => {
  test('are told of the events before, and of the present one, until it is thrown away', () => {
    const draft = draftOver({ 't/1': 'x' });
    const told = (): string[][] => [draft.tablesBefore(), draft.tablesNow()].map((tables) => [...tables].sort());
    draft.get('t/1');
    draft.emit('nothing written');
    expect(told()).toEqual([[], []]);
    draft.put('t/1', utf8('y'));
    draft.remove('s/a/b');
    draft.remember('session', 'a', 1);
    expect(told()).toEqual([[], ['s', 'session', 't']]);
    draft.keep();
    draft.remember('other', 'a', undefined);
    expect(told()).toEqual([['s', 'session', 't'], ['other']]);
    draft.discard();
    draft.keep();
    expect(told()).toEqual([['s', 'session', 't'], []]);
  });
});

describe('volatile rows', () => {
  test('may be nothing, which is not the same as gone', () => {
    const draft = draftOver({}, new Map([['t', new Map<string, unknown>([['a', 1]])]]));
    draft.remember('t', 'a', null);
    expect(draft.recall('t', 'a')).toBeNull();
    draft.keep();
    expect([draft.recall('t', 'a'), [...draft.recallAll('t')]]).toEqual([null, [['a', null]]]);
  });

  test('that did not change are not copied', () => {
    const rows = new Map([['a', 1]]);
    const draft = draftOver({}, new Map([['t', rows]]));
    draft.remember('u', 'a', 1);
    expect(draft.recallAll('t')).toBe(rows);
  });

  const tableOf = (memory: Memory): Record<string, unknown> => Object.fromEntries(memory.get('t') ?? []);

  test('are seen at once, can be taken away, and are as before when the turn is abandoned', () => {
    const memory: Memory = new Map([['t', new Map(Object.entries({ old: 1, gone: 1 }))]]);
    const draft = draftOver({}, memory);
    draft.remember('t', 'new', 2);
    draft.remember('t', 'gone', undefined);
    draft.keep();
    draft.remember('t', 'new', 3);
    expect(draft.recall('t', 'new')).toBe(3);
    expect(draft.recall('t', 'gone')).toBeUndefined();
    expect(draft.recall('elsewhere', 'new')).toBeUndefined();
    expect([...draft.recallAll('t')]).toEqual([
      ['old', 1],
      ['new', 3],
    ]);
    draft.discard();
    expect(tableOf(memory)).toEqual({ old: 1, new: 2 });
    draft.remember('u', 'a', 1);
    draft.abandon();
    expect(tableOf(memory)).toEqual({ old: 1, gone: 1 });
    expect(memory.get('u')?.size).toBe(0);
  });

  test('taken away and set again are there', () => {
    const draft = draftOver({}, new Map([['t', new Map([['a', 1]])]]));
    draft.remember('t', 'a', undefined);
    draft.keep();
    draft.remember('t', 'a', 2);
    expect(draft.recall('t', 'a')).toBe(2);
    expect([...draft.recallAll('t')]).toEqual([['a', 2]]);
  });
});
