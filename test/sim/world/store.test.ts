/** The virtual disk keeps the contract of the store door; and what only a virtual one can do. */
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../../runtime/protocol/bytes.ts';
import type { Outcome } from '../../../runtime/turn/store.ts';
import { Disk, type Fate, openStore } from '../../../sim/world/store.ts';
import { type Medium, storeContract } from '../../contract/store.ts';
import { manualClock } from '../../support/world.ts';

const medium = (afterMs: number): Medium => {
  const disk = new Disk();
  return {
    open: (owner) => {
      const clock = manualClock();
      const after = (ms: number, call: () => void): void => void clock.after(ms, call);
      return {
        store: openStore(disk, { fate: () => ({ kind: 'durable', afterMs }), kept: () => {}, after }, owner),
        settle: () => clock.pass(afterMs),
      };
    },
    close: async () => {},
    spoilSchema: async () => {
      disk.schema = 'another';
    },
  };
};

describe('on a virtual disk', () => storeContract({ medium: () => medium(0) }));
describe('on a virtual disk that takes its time', () => storeContract({ medium: () => medium(5) }));

describe('a commit', () => {
  const written = (fate: Fate): { disk: Disk; outcomes: Outcome[] } => {
    const disk = new Disk();
    const outcomes: Outcome[] = [];
    const store = openStore(disk, { fate: () => fate, kept: () => {}, after: (_ms, call) => call() }, 'me');
    store.commit({ writes: new Map([['a', utf8('1')]]), expected: new Map(), owner: 'me' }, (outcome) => outcomes.push(outcome));
    return { disk, outcomes };
  };

  test('that is lost with the power is neither there nor answered', () => {
    const { disk, outcomes } = written({ kind: 'lost' });
    expect([disk.get('a').value, outcomes]).toEqual([null, []]);
  });

  test('that was durable when the power went is there, and nobody heard of it', () => {
    const { disk, outcomes } = written({ kind: 'unanswered' });
    expect([disk.get('a').value, outcomes]).toEqual([utf8('1'), []]);
  });
});

describe('a disk', () => {
  const filled = (): Disk => {
    const disk = new Disk();
    disk.remembers = 3;
    for (const [i, key] of ['a', 'b', 'a', 'c', 'a'].entries()) disk.write(new Map([[key, utf8(`${i}`)]]));
    return disk;
  };
  const rows = (disk: Disk): string[] => [...disk.entries('')].map(([key, value]) => `${key}=${new TextDecoder().decode(value)}`);

  test('holds of what is written nothing that lies beside it in memory', () => {
    const disk = new Disk();
    const passing = new Uint8Array(4096).fill(1);
    const row = passing.subarray(100, 300);
    disk.write(new Map([['a', row]]));
    expect(disk.get('a').value).toEqual(row);
    expect(disk.get('a').value?.buffer).not.toBe(passing.buffer);
    disk.write(new Map([['a', row]]));
    expect(disk.get('a').value).toEqual(row);
    expect(disk.get('a').value?.buffer.byteLength, 'written over').toBe(row.length);
  });

  test('forgets its newest commits, as many as it remembers', () => {
    expect(rows(filled())).toEqual(['a=4', 'b=1', 'c=3']);
    for (const [commits, left, taken] of [
      [1, ['a=2', 'b=1', 'c=3'], 1],
      [2, ['a=2', 'b=1'], 2],
      [9, ['a=0', 'b=1'], 3],
    ] as const) {
      const disk = filled();
      expect(disk.forget(commits)).toBe(taken);
      expect(rows(disk)).toEqual(left);
    }
  });

  test('and its copy go their own ways', () => {
    const disk = filled();
    const copy = disk.copy();
    disk.write(new Map([['b', null]]));
    copy.write(new Map([['d', utf8('new')]]));
    expect([rows(disk), rows(copy)]).toEqual([
      ['a=4', 'c=3'],
      ['a=4', 'b=1', 'c=3', 'd=new'],
    ]);
  });
});

test('disks that are alike hold what is byte for byte the same once, and nothing else', () => {
  const alike: { disk: Disk }[] = [];
  const [a, b] = [new Disk(() => alike), new Disk(() => alike)];
  alike.push({ disk: a }, { disk: b });
  a.write(
    new Map([
      ['same', utf8('1')],
      ['other', utf8('2')],
    ]),
  );
  b.write(
    new Map([
      ['same', utf8('1')],
      ['other', utf8('3')],
      ['alone', utf8('1')],
    ]),
  );
  expect(b.get('same').value).toBe(a.get('same').value);
  expect([b.get('other').value, b.get('alone').value]).toEqual([utf8('3'), utf8('1')]);
  a.write(new Map([['same', null]]));
  expect([a.get('same').value, b.get('same').value]).toEqual([null, utf8('1')]);
});

/** Taken out again, each after the next one was written. */
const GONE = new Set([499, 999, 1199, 1499, 1999, 2499]);

test('rows of a place in a table come in order while others are written beside them, few or many', () => {
  const disk = new Disk();
  const key = (author: string, n: number): string => `log/${author}/${String(n).padStart(8, '0')}`;
  const inPlace = (author: string, from = 0): string[] =>
    disk.range({ from: key(author, from), to: `log/${author}/\uffff`, limit: 9_999, reverse: false }).map((row) => row.key);
  const one = utf8('1');
  for (let n = 0; n < 3000; n++) {
    disk.write(new Map(['b', 'a', 'c'].map((author) => [key(author, n), one])));
    if (n % 500 !== 0 && n !== 1200) continue;
    if (n > 0) disk.write(new Map([[key('a', n - 1), null]]));
    const left = Array.from({ length: n + 1 }, (_, i) => i).filter((i) => !GONE.has(i));
    expect(inPlace('a')).toEqual(left.map((i) => key('a', i)));
    expect(inPlace('b', n)).toEqual([key('b', n)]);
  }
  expect(disk.range({ from: 'log/', to: 'log/\uffff', limit: 9_999, reverse: true })).toHaveLength(9000 - GONE.size);
});
