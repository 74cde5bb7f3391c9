import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { machineClock, virtualClock, whileAlive } from '../../../sim/world/clock.ts';
import { runs } from '../../support/properties.ts';

describe('virtual time', () => {
  test('carries out events by their moment, and those of one moment in the order in which they were set', () => {
    const plan = fc.array(fc.record({ atMs: fc.nat(50), undone: fc.boolean() }), { maxLength: 200 });
    fc.assert(
      fc.property(plan, (events) => {
        const clock = virtualClock();
        const seen: number[] = [];
        const undos = events.map(({ atMs }, i) => clock.at(atMs, () => seen.push(i)));
        events.forEach(({ undone }, i) => undone && undos[i]?.());
        clock.runTo(1000);
        const expected = events.flatMap(({ undone }, i) => (undone ? [] : [i])).sort((a, b) => events[a]!.atMs - events[b]!.atMs || a - b);
        expect(seen).toEqual(expected);
      }),
      runs(200),
    );
  });

  test('stands still until what follows at once is done', () => {
    const clock = virtualClock();
    const seen: string[] = [];
    clock.at(5, () => {
      clock.soon(() => {
        seen.push(`soon at ${clock.nowMs}`);
        clock.at(5, () => seen.push(`again at ${clock.nowMs}`));
      });
      seen.push('first');
    });
    clock.at(6, () => seen.push('later'));
    clock.runTo(10);
    expect(seen).toEqual(['first', 'soon at 5', 'again at 5', 'later']);
    expect([clock.nowMs, clock.next()]).toEqual([10, null]);
  });

  test('goes step by step to the next moment', () => {
    const clock = virtualClock();
    const seen: number[] = [];
    for (const atMs of [3, 3, 7]) clock.at(atMs, () => seen.push(atMs));
    clock.at(5, () => seen.push(5))();
    clock.step();
    expect([seen, clock.next()]).toEqual([[3, 3], 7]);
  });
});

test('a machine whose life is over is not called any more', () => {
  const clock = virtualClock();
  let alive = true;
  const own = machineClock(
    clock,
    (atMs) => ({ wallMs: atMs + 1000, monoMs: atMs }),
    whileAlive(() => alive),
  );
  const seen: number[] = [];
  own.after(5, () => seen.push(own.now().wallMs));
  own.after(10, () => seen.push(10));
  clock.runTo(7);
  alive = false;
  clock.runTo(20);
  expect(seen).toEqual([1005]);
});
