/** For how long what a majority granted holds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { holdsUntil, PARTING_MS, partsFrom, renewsAfterMs } from '../../../runtime/core/hold.ts';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { majorityOf } from '../../../runtime/protocol/nouns/grant.ts';
import { idOf } from '../../support/federation.ts';
import { runs } from '../../support/properties.ts';

const NAMES = ['gateway a', 'gateway b', 'gateway c'].map((name) => idOf<GatewayId>(name));
const guarded = (guardians: number) => ({ leaseMs: 60_000, guardians: NAMES.slice(0, guardians) });
const asked = (...moments: (number | null)[]): Map<string, number> =>
  new Map(NAMES.flatMap((name, i) => (moments[i] == null ? [] : [[name, moments[i]]])));

describe('a lease holds', () => {
  test('while a majority of its guardians granted: 1 of 1, 2 of 2, 2 of 3 [guardians-3]', () => {
    expect([1, 2, 3].map(majorityOf)).toEqual([1, 2, 2]);
    expect(holdsUntil(guarded(1), asked(5))).toBe(60_005);
    expect(holdsUntil(guarded(2), asked(5, 9))).toBe(60_005);
    expect(holdsUntil(guarded(3), asked(5, 9))).toBe(60_005);
    expect(holdsUntil(guarded(3), asked(5, 9, 7))).toBe(60_007);
  });

  test('for no time without one', () => {
    for (const [guardians, moments] of [
      [1, []],
      [2, [5]],
      [3, [null, 5]],
    ] as const)
      expect(holdsUntil(guarded(guardians), asked(...moments))).toBe(Number.NEGATIVE_INFINITY);
  });

  test('no matter what others granted', () => {
    expect(holdsUntil(guarded(1), new Map([[NAMES[1]!, 5]]))).toBe(Number.NEGATIVE_INFINITY);
  });

  test('at no moment at which fewer than a majority of grants are younger than it (property)', () => {
    const moments = fc.array(fc.option(fc.nat(200_000)), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), moments, fc.nat(300_000), (guardians, sent, nowMs) => {
        const { leaseMs } = guarded(guardians);
        const young = sent.slice(0, guardians).filter((moment) => moment !== null && nowMs < moment + leaseMs).length;
        expect(nowMs < holdsUntil(guarded(guardians), asked(...sent))).toBe(young >= majorityOf(guardians));
      }),
      runs(500),
    );
  });
});

test('it is left in good time, and renewed thrice as often as it must be', () => {
  expect(partsFrom(60_000)).toBe(60_000 - PARTING_MS);
  expect(renewsAfterMs(60_000, true)).toBe(20_000);
  expect(renewsAfterMs(60_000, false)).toBe(5_000);
});
