/** What is looked at when, and in which order. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inOrder } from '../../../gateway/core/agenda.ts';
import { setAlarm, takeAlarms } from '../../../gateway/core/alarms.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import { openMemoryStore } from '../../support/memory-store.ts';
import { runs } from '../../support/properties.ts';

const fresh = (): Draft<never> => new Draft<never>(openMemoryStore().snapshot(), new Map());

describe('an alarm', () => {
  test('rings once, when its moment has come by its own clock', () => {
    const rows = fresh();
    setAlarm(rows, { clock: 'monoMs', at: 100 }, 'mono');
    setAlarm(rows, { clock: 'wallMs', at: 100.5 }, 'wall');
    expect(takeAlarms(rows, { wallMs: 100, monoMs: 99 })).toEqual([]);
    expect(takeAlarms(rows, { wallMs: 100, monoMs: 100 })).toEqual(['mono']);
    expect(takeAlarms(rows, { wallMs: 100.9, monoMs: 9999 })).toEqual([]);
    expect(takeAlarms(rows, { wallMs: 101, monoMs: 9999 })).toEqual(['wall']);
    expect(takeAlarms(rows, { wallMs: 9999, monoMs: 9999 })).toEqual([]);
  });

  test('of a decision that was thrown away does not ring, and one that rang in it rings again', () => {
    const rows = fresh();
    setAlarm(rows, { clock: 'monoMs', at: 1 }, 'kept');
    rows.keep();
    setAlarm(rows, { clock: 'monoMs', at: 2 }, 'discarded');
    expect(takeAlarms(rows, { wallMs: 0, monoMs: 5 })).toEqual(['kept', 'discarded']);
    rows.discard();
    expect(takeAlarms(rows, { wallMs: 0, monoMs: 5 })).toEqual(['kept']);
  });

  test('rings in the order of the moments, whatever their order was (property)', () => {
    const moments = fc.uniqueArray(fc.nat(10_000), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(moments, fc.nat(10_000), (all, now) => {
        const rows = fresh();
        for (const at of all) setAlarm(rows, { clock: 'wallMs', at }, String(at));
        const due = all.filter((at) => at <= now).sort((a, b) => a - b);
        expect(takeAlarms(rows, { wallMs: now, monoMs: 0 })).toEqual(due.map(String));
        expect(takeAlarms(rows, { wallMs: 10_000, monoMs: 0 })).toHaveLength(all.length - due.length);
      }),
      runs(50),
    );
  });
});

describe('instances that were touched and those that wait', () => {
  const letters = fc.uniqueArray(fc.constantFrom(...'abcdefghij'), { maxLength: 8 }).map((names) => names.sort());

  test('come in one order, each once, as touched if it is (property)', () => {
    fc.assert(
      fc.property(letters, letters, (touched, waiting) => {
        const taken = [...inOrder(touched, waiting, () => true)];
        expect(taken.map(({ instance }) => instance)).toEqual([...new Set([...touched, ...waiting])].sort());
        for (const { instance, waits } of taken) expect(waits).toBe(!touched.includes(instance));
      }),
      runs(50),
    );
  });

  test('stop waiting when there is no more room, and those that were touched do not (property)', () => {
    fc.assert(
      fc.property(letters, letters, fc.nat(8), (touched, waiting, room) => {
        let left = room;
        const taken = [...inOrder(touched, waiting, () => left-- > 0)];
        expect(taken.filter(({ waits }) => !waits).map(({ instance }) => instance)).toEqual(touched);
        expect(taken.filter(({ waits }) => waits).length).toBeLessThanOrEqual(room);
      }),
      runs(50),
    );
  });
});
