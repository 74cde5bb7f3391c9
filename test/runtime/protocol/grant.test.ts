/** What a guardian has to wait. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { outlivesMs } from '../../../runtime/protocol/nouns/grant.ts';
import { checkGuarded } from '../../../runtime/protocol/nouns/lease.ts';
import { idOf, lease } from '../../support/federation.ts';
import { runs } from '../../support/properties.ts';

const MILLION = 1_000_000;
const one = idOf<GatewayId>('gateway a');

test('is longer than any lease lasts and its end takes, however far both clocks go apart [guardians-7]', () => {
  const ppm = fc.integer({ min: -LIMITS.clockPpm, max: LIMITS.clockPpm });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: LIMITS.leaseMs }), ppm, ppm, (leaseMs, board, guardian) => {
      const overMs = leaseMs / (1 + board / MILLION) + LIMITS.killMs;
      const waitedMs = outlivesMs(leaseMs) / (1 + guardian / MILLION);
      expect(waitedMs).toBeGreaterThanOrEqual(overMs);
    }),
    runs(500),
  );
  expect(outlivesMs(60_000)).toBe(65_093);
});

test('guardians stand in leases that must stop, each once, and in no other', () => {
  const guarded = { leaseMs: 1000, guardians: [one] };
  expect(() => checkGuarded(lease({ on: 'board 1' }))).not.toThrow();
  expect(() => checkGuarded(lease({ on: 'board 1', onIsolation: 'stop', guarded }))).not.toThrow();
  expect(() => checkGuarded(lease({ on: 'board 1', guarded }))).toThrow('bad-schema');
  expect(() => checkGuarded(lease({ on: 'board 1', onIsolation: 'stop' }))).toThrow('bad-schema');
  const twice = { leaseMs: 1000, guardians: [one, one] };
  expect(() => checkGuarded(lease({ on: 'board 1', onIsolation: 'stop', guarded: twice }))).toThrow('bad-schema');
});
