import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../../runtime/protocol/bytes.ts';
import { LichenError, refuse } from '../../../runtime/protocol/errors.ts';
import type { Draft } from '../../../runtime/turn/draft.ts';
import type { Outcome } from '../../../runtime/turn/store.ts';
import type { Core } from '../../../runtime/turn/turn.ts';
import { MemoryDisk, type MemoryOptions, openMemoryStore } from '../../support/memory-store.ts';
import { runs } from '../../support/properties.ts';
import { drive, manualClock } from '../../support/world.ts';

type Op =
  | { do: 'put' | 'append'; key: string; value: string }
  | { do: 'remove' | 'tell'; key: string }
  | { do: 'list' }
  | { do: 'remember'; key: string }
  | { do: 'refuse' }
  | { do: 'crash' };

type Work = Draft<string>;

const textAt = (draft: Work, key: string): string => fromUtf8(draft.get(key) ?? utf8('-'));

const perform = (draft: Work, op: Op): void => {
  if (op.do === 'put') draft.put(op.key, utf8(op.value));
  else if (op.do === 'append') draft.put(op.key, utf8(textAt(draft, op.key) + op.value));
  else if (op.do === 'remove') draft.remove(op.key);
  else if (op.do === 'tell') draft.emit(`${op.key}=${textAt(draft, op.key)} ${String(draft.recall('count', op.key))}`);
  else if (op.do === 'list')
    draft.emit(
      draft
        .scan('k/')
        .map(({ key, value }) => `${key}=${fromUtf8(value)}`)
        .join(),
    );
  else if (op.do === 'remember') draft.remember('count', op.key, Number(draft.recall('count', op.key) ?? 0) + 1);
  else if (op.do === 'refuse') refuse('stale', 'asked to');
  else throw new TypeError('a slip of the pen');
};

/** Does what each event says, and tells of refusals. */
const core: Core<Op[], string> = {
  decide: (draft, ops) => {
    for (const op of ops) perform(draft, op);
  },
  refused: (draft, ops, error) => draft.emit(`refused ${ops.length}: ${error.code}`),
  conclude: () => {},
};

const put = (key: string, value = '1'): Op => ({ do: 'put', key, value });
const tell = (key: string): Op => ({ do: 'tell', key });

const start = (
  options: MemoryOptions = {},
  more: { batch?: number; conflictsMax?: number; core?: Core<Op[], string>; defect?: (thrown: unknown, ops: Op[]) => void } = {},
) => {
  const clock = manualClock();
  const store = openMemoryStore(options);
  return { clock, store, ...drive({ core, store, clock, ...more }) };
};

describe('a turn', () => {
  test('commits what many submits decided in one, in their order', () => {
    const { submit, store, effects } = start();
    submit([put('a')], [{ do: 'append', key: 'a', value: '2' }], [{ do: 'append', key: 'a', value: '3' }, tell('a')]);
    expect(store.commits).toHaveLength(1);
    expect(store.disk.dump()).toEqual({ a: Buffer.from('123').toString('hex') });
    expect(effects).toEqual(['a=123 undefined']);
  });

  test('takes no more than a batch at a time, and all in the end', () => {
    const { submit, store, effects, turn } = start({}, { batch: 2 });
    submit(...['a', 'b', 'c', 'd', 'e'].map((key) => [put(key), tell(key)]));
    expect(store.commits.map(({ writes }) => [...writes.keys()])).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    expect(effects.map((effect) => effect[0])).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(turn.idle()).toBe(true);
  });

  test('of a refused event keeps nothing but its refusal, and all of the others', () => {
    const { submit, store, effects } = start();
    submit([put('a'), tell('a')], [put('a', 'lost'), put('b'), tell('b'), { do: 'refuse' }], [tell('a'), put('c')]);
    expect(Object.keys(store.disk.dump())).toEqual(['a', 'c']);
    expect(effects).toEqual(['a=1 undefined', 'refused 4: stale', 'a=1 undefined']);
  });

  test('takes a slip of the code for a refusal of that one event', () => {
    const { submit, effects, store } = start();
    submit([put('a'), { do: 'crash' }], [put('b')]);
    expect([effects, Object.keys(store.disk.dump())]).toEqual([['refused 2: internal'], ['b']]);
  });

  /** Of what is decided well nothing can be concluded, if there is a slip in it. */
  const inconclusive = (): Core<Op[], string> => {
    let decided: Op[] = [];
    return {
      ...core,
      decide: (draft, ops) => {
        decided.push(...ops);
        for (const op of ops) if (op.do !== 'crash') perform(draft, op);
      },
      conclude: (draft) => {
        const all = decided;
        decided = [];
        for (const op of all) if (op.do === 'crash') perform(draft, op);
      },
    };
  };
  const unrefusable = (): Core<Op[], string> => ({ ...core, refused: (draft) => perform(draft, { do: 'crash' }) });

  test.each([
    ['cannot be refused', unrefusable()],
    ['lets nothing be concluded', inconclusive()],
  ])('leaves out the one event that %s, and keeps all others in their order', (_what, failing) => {
    const defects: unknown[] = [];
    const { submit, effects, store, turn } = start(
      {},
      { core: failing, defect: (thrown, ops) => defects.push([String(thrown), ops.length]) },
    );
    submit([put('a'), tell('a')], [put('b'), { do: 'crash' }], [put('c'), { do: 'remember', key: 'c' }, tell('c')]);
    expect([effects, Object.keys(store.disk.dump())]).toEqual([
      ['a=1 undefined', 'c=1 1'],
      ['a', 'c'],
    ]);
    expect(defects).toEqual([[expect.stringMatching(/^TypeError/), 2]]);
    submit([put('d'), tell('d')]);
    expect([effects.at(-1), turn.idle()]).toEqual(['d=1 undefined', true]);
  });

  test('concludes once, after the last event and upon what all of them wrote', () => {
    const concluding: Core<Op[], string> = { ...core, conclude: (draft) => perform(draft, { do: 'list' }) };
    const { submit, effects } = start({}, { core: concluding });
    submit([put('k/1')], [put('k/2')]);
    expect(effects).toEqual(['k/1=1,k/2=1']);
  });

  test('lets no effect out before its commit is answered', () => {
    const held: (() => void)[] = [];
    const { submit, effects, store, turn } = start({ commitsLater: (call) => held.push(call) });
    submit([put('a'), tell('a'), { do: 'remember', key: 'a' }]);
    expect([effects, store.disk.dump(), turn.idle()]).toEqual([[], {}, false]);
    held.shift()?.();
    expect(effects).toEqual(['a=1 undefined']);
    expect(turn.idle()).toBe(true);
  });

  test('has one commit under way; what comes meanwhile goes into the next', () => {
    const held: (() => void)[] = [];
    const { submit, effects, store, clock } = start({ commitsLater: (call) => held.push(call) });
    submit([put('a')]);
    submit([{ do: 'append', key: 'a', value: '2' }]);
    submit([tell('a')]);
    expect(store.commits).toHaveLength(1);
    held.shift()?.();
    clock.settle();
    expect(store.commits).toHaveLength(2);
    expect(effects).toEqual([]);
    held.shift()?.();
    expect(effects).toEqual(['a=12 undefined']);
  });

  test('with nothing to write asks the store for nothing and lets effects out', () => {
    const { submit, store, effects } = start();
    submit([tell('a')]);
    expect([store.commits, effects]).toEqual([[], ['a=- undefined']]);
  });

  test('an event that an effect submits is decided in a turn of its own', () => {
    const clock = manualClock();
    const store = openMemoryStore();
    const driven = drive({
      core,
      store,
      clock,
      released: (effect) => {
        if (effect.startsWith('a=')) driven.turn.submit([put('b')]);
      },
    });
    driven.submit([put('a'), tell('a')]);
    expect(store.commits.map(({ writes }) => [...writes.keys()])).toEqual([['a'], ['b']]);
  });
});

describe('a conflict', () => {
  test('throws the decision away and makes it again upon fresh rows', () => {
    const disk = new MemoryDisk();
    const outcome = (nth: number): Outcome | null => {
      if (nth > 1) return null;
      disk.write({ writes: new Map([['a', utf8('theirs')]]) });
      return { kind: 'conflict' };
    };
    const { submit, effects } = start({ disk, outcome });
    submit([{ do: 'append', key: 'a', value: '+' }, { do: 'remember', key: 'a' }, tell('a')]);
    expect(effects).toEqual(['a=theirs+ 1']);
    expect(disk.dump()).toEqual({ a: Buffer.from('theirs+').toString('hex') });
  });

  test('is found by the version of what was read, also while it is being fetched', () => {
    const disk = new MemoryDisk();
    const fetches: (() => void)[] = [];
    const { submit, store, effects } = start({ disk, readsLater: (call) => fetches.push(call) });
    submit([{ do: 'append', key: 'a', value: '+' }, tell('b'), tell('a')]);
    fetches.shift()?.();
    disk.write({ writes: new Map([['a', utf8('theirs')]]) });
    while (fetches.length > 0) fetches.shift()?.();
    expect(store.commits).toHaveLength(2);
    expect(effects).toEqual(['b=- undefined', 'a=theirs+ undefined']);
  });

  test('without end is another owner: told, and nothing of it leaves', () => {
    const { submit, effects, failures, turn, store } = start({ outcome: () => ({ kind: 'conflict' }) }, { conflictsMax: 2 });
    const events: Op[][] = [[put('a'), tell('a')], [put('b')]];
    submit(...events);
    expect(store.commits).toHaveLength(3);
    expect(failures).toEqual([{ error: expect.objectContaining({ code: 'conflict' }), events }]);
    expect([effects, store.disk.dump(), turn.idle()]).toEqual([[], {}, true]);
  });

  test('with an owner who took the store over ends the same way', () => {
    const { submit, store, failures } = start({ owner: 'test' });
    store.disk.owner = 'somebody else';
    submit([put('a')]);
    expect(failures.map(({ error }) => error.code)).toEqual(['conflict']);
  });
});

describe('a failure of the store', () => {
  const full: Outcome = { kind: 'failed', error: new LichenError('storage-full', 'no room') };

  test('is told with the events that it hit; no effect and no memory of theirs stays', () => {
    const { submit, effects, failures, store } = start({ outcome: (nth) => (nth === 1 ? full : null) });
    const lost: Op[][] = [[put('a'), { do: 'remember', key: 'm' }, tell('a')]];
    submit(...lost);
    expect(failures).toEqual([{ error: full.error, events: lost }]);
    expect(effects).toEqual([]);
    submit([put('b'), tell('m')]);
    expect(effects).toEqual(['m=- undefined']);
    expect(Object.keys(store.disk.dump())).toEqual(['b']);
  });

  test('leaves alone what came after', () => {
    const { submit, effects, failures } = start({ outcome: (nth) => (nth === 1 ? full : null) }, { batch: 1 });
    submit([put('a'), tell('a')], [put('b'), tell('b')]);
    expect([effects, failures.length]).toEqual([['b=1 undefined'], 1]);
  });
});

describe('a store that answers later', () => {
  const key = fc.constantFrom('k/1', 'k/2', 'k/3', 'other');
  const op: fc.Arbitrary<Op> = fc.oneof(
    fc.record({ do: fc.constantFrom('put' as const, 'append' as const), key, value: fc.constantFrom('x', 'y') }),
    fc.record({ do: fc.constantFrom('remove' as const, 'tell' as const, 'remember' as const), key }),
    fc.constant<Op>({ do: 'list' }),
    { weight: 1, arbitrary: fc.constant<Op>({ do: 'refuse' }) },
  );
  const events = fc.array(fc.array(op, { maxLength: 4 }), { maxLength: 12 });
  const when = fc.record({
    readsLater: fc.boolean(),
    commitsLater: fc.boolean(),
    batch: fc.integer({ min: 1, max: 5 }),
    conflicts: fc.uniqueArray(fc.nat(12), { maxLength: 6 }),
  });

  test('is told to fetch, and the turn goes on by itself', () => {
    const { submit, store, effects } = start({ readsLater: (call) => call() });
    submit([tell('a'), { do: 'list' }, tell('a'), put('a')]);
    expect(store.fetches).toEqual([[{ key: 'a' }], [{ range: expect.objectContaining({ from: 'k/' }) }]]);
    expect(effects).toEqual(['a=- undefined', '', 'a=- undefined']);
  });

  test('comes to the same rows and effects as one that answers at once, whatever conflicts on the way (property)', () => {
    fc.assert(
      fc.property(events, when, (given, { readsLater, commitsLater, batch, conflicts }) => {
        const plain = start({}, { batch: 1000 });
        plain.submit(...given);
        const clock = manualClock();
        const later = {
          ...(readsLater ? { readsLater: clock.soon } : {}),
          ...(commitsLater ? { commitsLater: clock.soon } : {}),
          outcome: (nth: number): Outcome | null => (conflicts.includes(nth) ? { kind: 'conflict' } : null),
        };
        const store = openMemoryStore(later);
        const other = drive({ core, store, clock, batch, conflictsMax: 12 });
        other.submit(...given);
        expect(other.turn.idle()).toBe(true);
        expect(other.effects).toEqual(plain.effects);
        expect(store.disk.dump()).toEqual(plain.store.disk.dump());
      }),
      runs(300),
    );
  });
});
