/** Money that runs out, and comes again: paused at the cap, billed to the last micro-unit of it and no further. */
import { expect, test } from 'vitest';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';
import { shippedSource } from './scenario/files.ts';

const POOR = `
name: unpaid
about: One instance whose voucher is spent within the hour, is told to begin anew before, and is paid for again later.
lasts: 5h
gateways: [north, south]
boards: [{ name: kitchen, profile: pi-4b }, { name: attic, profile: pi-4b }]
workloads:
  - { recipe: primes, name: poor, content: 24KiB, cap: 0.02 units, uses: { cpu: 0.1 cores } }
timeline:
  - { at: 10min, kind: bang, on: poor }
  - { at: 3h, kind: top-up, on: poor }
pace: { tick: 10s, gateway-tick: 2s, meter: 1min, record: 5min, report: 5min }
expect:
  - eventually: { see: running, of: poor, at-least: 1, within: 5min }
  - eventually: { see: running, of: poor, at-most: 0, after: 2h, within: 1min, says: at its cap it is paused }
  - eventually: { see: running, of: poor, at-least: 1, after: 3h, within: 2min, says: paid for again it goes on }
  - sometimes: { see: running, of: poor, at-least: 1, after: 3h }
  - eventually: { see: restarts, of: poor, at-least: 1, after: 10min, within: 1min, says: it begins anew }
  - always: { see: restarts, of: poor, at-most: 1, says: and once only }
`;

test('an instance is paused at its cap, billed no further, and goes on when it is paid for again', async () => {
  const scenario = readScenario(POOR, 'unpaid.yaml', shippedSource);
  if (Array.isArray(scenario)) throw new Error(scenario.map(({ what }) => what).join('\n'));
  const report = await runScenario(scenario, {
    ...{ seed: 1, tier: 'a', only: null, crypto: 'stand-in', lanes: false, path: 'unpaid.yaml' },
    seconds: () => performance.now() / 1000,
  });
  expect(report.violations).toEqual([]);
  expect(report.expectations.filter(({ held }) => !held)).toEqual([]);
});
