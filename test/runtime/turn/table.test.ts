import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { text, uint } from '../../../runtime/protocol/schema.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import type { Row, Snapshot } from '../../../runtime/turn/store.ts';
import { ordinal, table, volatileTable } from '../../../runtime/turn/table.ts';
import { MemoryDisk, openMemoryStore } from '../../support/memory-store.ts';

const things = table('thing', v.strictObject({ size: uint, name: text }));
const fresh = (): Draft<never> => new Draft<never>(openMemoryStore().snapshot(), new Map());

describe('a table', () => {
  test('gives back what was put, by a key of several parts', () => {
    const draft = fresh();
    things.put(draft, { size: 1, name: 'a' }, 'x', 'y');
    expect(things.get(draft, 'x', 'y')).toEqual({ size: 1, name: 'a' });
    expect(things.get(draft, 'x')).toBeNull();
    things.remove(draft, 'x', 'y');
    expect(things.get(draft, 'x', 'y')).toBeNull();
  });

  test('lists below a whole part of the key only', () => {
    const draft = fresh();
    for (const key of [
      ['a', '1'],
      ['ab', '1'],
      ['a', '2'],
    ])
      things.put(draft, { size: 0, name: '' }, ...key);
    expect(things.all(draft, 'a').map(({ key }) => key)).toEqual(['a/1', 'a/2']);
    expect(things.all(draft).map(({ key }) => key)).toEqual(['a/1', 'a/2', 'ab/1']);
  });

  test('pages by number in the order of numbers', () => {
    const draft = fresh();
    for (const n of [9, 10, 100, 2]) things.put(draft, { size: n, name: '' }, ordinal(n));
    expect(things.page(draft, ordinal(2), 2).map(({ value }) => value.size)).toEqual([9, 10]);
    expect(things.page(draft, '', 9).map(({ value }) => value.size)).toEqual([2, 9, 10, 100]);
  });

  test('refuses what its schema does not admit, written or read', () => {
    const draft = fresh();
    expect(() => things.put(draft, { size: -1, name: '' }, 'x')).toThrow(expect.objectContaining({ code: 'bad-schema' }));
    draft.put('thing/x', new Uint8Array([0xa0]));
    expect(() => things.get(draft, 'x')).toThrow(expect.objectContaining({ code: 'bad-schema' }));
  });

  test('parses a row once in a turn, and anew in the next', () => {
    const disk = new MemoryDisk();
    const writing = new Draft<never>(openMemoryStore({ disk }).snapshot(), new Map());
    things.put(writing, { size: 1, name: 'a' }, 'x');
    writing.keep();
    disk.write(writing.toCommit('me'));
    const [one, other] = [1, 2].map(() => new Draft<never>(openMemoryStore({ disk }).snapshot(), new Map()));
    expect(things.get(one!, 'x')).toBe(things.get(one!, 'x'));
    expect(things.get(other!, 'x')).not.toBe(things.get(one!, 'x'));
    expect(things.get(other!, 'x')).toEqual({ size: 1, name: 'a' });
  });

  test('parses nothing that it wrote, nor twice what the store gives as the same bytes, however it is read', () => {
    const rows = new Map<string, Row>();
    const range = (): { key: string; row: Row }[] => [...rows].map(([key, row]) => ({ key, row }));
    const same: Snapshot = { get: (key) => rows.get(key) ?? { version: 0, value: null }, range, fetch: () => {} };
    const writing = new Draft<never>(same, new Map());
    const given = { size: 1, name: 'a' };
    things.put(writing, given, 'x');
    const written = things.get(writing, 'x');
    writing.keep();
    for (const [key, value] of writing.toCommit('me').writes) rows.set(key, { version: 1, value });
    rows.set('thing/y', { version: 1, value: encodeAs(v.strictObject({ size: uint, name: text }), { size: 2, name: 'b' }, 'thing') });
    const reads = [1, 2].map(() => {
      const reading = new Draft<never>(same, new Map());
      return [
        things.get(reading, 'x'),
        things.get(reading, 'y'),
        ...things.all(reading).map(({ value }) => value),
        ...things.page(reading, '', 2).map(({ value }) => value),
      ];
    });
    const [x, y] = reads[0] ?? [];
    expect(x).toBe(written);
    expect([x, y]).toEqual([given, { size: 2, name: 'b' }]);
    for (const read of reads) expect(read.every((value, i) => value === (i % 2 === 0 ? x : y))).toBe(true);
    // What was put is not what is kept: whoever has it may go on with it.
    given.size = 7;
    expect(things.get(new Draft<never>(same, new Map()), 'x')).toEqual({ size: 1, name: 'a' });
  });

  test('that is seldom read writes the same, and is parsed when it is', () => {
    const schema = v.strictObject({ size: uint, name: v.optional(text) });
    const [often, seldom] = [table('row', schema), table('row', schema, 'seldom')];
    const [one, other] = [fresh(), fresh()];
    const given = { name: 'a', size: 1 };
    often.put(one, given, 'x');
    seldom.put(other, given, 'x');
    expect(other.get('row/x')).toEqual(one.get('row/x'));
    given.size = 7;
    expect(seldom.get(other, 'x')).toEqual({ size: 1, name: 'a' });
    expect(seldom.get(other, 'x')).toBe(seldom.get(other, 'x'));
    expect(() => seldom.put(other, { size: -1 }, 'y')).toThrow(expect.objectContaining({ code: 'bad-schema' }));
  });

  test('of volatile rows gives back the very value', () => {
    const rows = volatileTable<{ list: Set<string> }>('v');
    const draft = fresh();
    const value = { list: new Set(['a']) };
    rows.put(draft, value, 'k');
    expect(rows.get(draft, 'k')).toBe(value);
    expect(rows.all(draft)).toEqual([{ key: 'k', value }]);
    rows.remove(draft, 'k');
    expect([rows.get(draft, 'k'), rows.all(draft)]).toEqual([null, []]);
  });
});
