/** What only one gateway was told, and that gateway is gone: its boards carry it on, and to the others. */
import { expect, test } from 'vitest';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';
import { shippedSource } from './scenario/files.ts';

const ALONE = `
name: alone
about: A gateway that its peers do not hear takes a request, gives the lease, and dies for good before they hear of it.
lasts: 4h
gateways: [north, south, east]
boards: [{ name: yard, count: 6, profile: pi-4b }]
workloads:
  - { recipe: primes, name: lone, content: 24KiB, asks: 40min }
timeline:
  - { at: 30min, kind: peer-cut, on: north, for: 3h }
  - { at: 45min, kind: gateway-kill, on: north }
pace: { tick: 10s, gateway-tick: 2s, meter: 1min, record: 5min, report: 5min, board-patience: 15s, silence: 10s }
expect:
  - always: { see: running, of: lone, at-least: 1, after: 43min, says: it never ends }
  - always: { see: running, of: lone, at-most: 1, says: and is nowhere else }
  - always: { see: restarts, of: lone, at-most: 0, says: nor begins anew }
  - sometimes: { see: running, of: lone, at-least: 1, after: 3h }
`;

// In each of them some boards are at home at the gateway that is lost.
test.each([1, 2, 4, 5])('an instance goes on when the only gateway that knew of it is gone, and is paid for: seed %i', async (seed) => {
  const scenario = readScenario(ALONE, 'alone.yaml', shippedSource);
  if (Array.isArray(scenario)) throw new Error(scenario.map(({ what }) => what).join('\n'));
  const report = await runScenario(scenario, {
    ...{ seed, tier: 'a', only: null, crypto: 'stand-in', lanes: false, path: 'alone.yaml' },
    seconds: () => performance.now() / 1000,
  });
  expect(report.violations).toEqual([]);
  expect(report.expectations.filter(({ held }) => !held)).toEqual([]);
  expect(report.recordsLost).toBe(0);
});
