/** What is shipped is run, each with its own seed: a scenario that is only read may be about nothing that happens. */
import { describe, expect, test } from 'vitest';
import { failuresOf } from '../../../sim/report/failure.ts';
import { junitOf } from '../../../sim/report/junit.ts';
import { runScenario } from '../../../sim/run.ts';
import { readScenario } from '../../../sim/scenario/read.ts';
import { shipped, shippedSource } from './files.ts';

/** Also over the bytes of real MQTT: releases, updates, and boards that come and go. */
const IN_TIER_B = 'sim/scenarios/update-comes-back.yaml';

const runs = shipped.flatMap((one) =>
  (one.path === IN_TIER_B ? (['a', 'b'] as const) : (['a'] as const)).map((tier) => ({ ...one, tier })),
);

test('one of them runs in tier b', () => expect(runs.filter(({ tier }) => tier === 'b')).toHaveLength(1));

describe.each(runs)('$path in tier $tier', ({ path, text, tier }) => {
  test('holds what it expects, and every promise', async () => {
    const scenario = readScenario(text, path, shippedSource);
    if (Array.isArray(scenario)) throw new Error(`${path} is not read`);
    const report = await runScenario(scenario, {
      ...{ seed: scenario.seed, tier, only: null, crypto: 'stand-in', lanes: true, path },
      seconds: () => performance.now() / 1000,
    });
    expect(failuresOf(report)).toEqual([]);
    expect(report.expectations.length).toBe(scenario.expect.length);
    expect(report.recordsSigned).toBeGreaterThan(0);
    // A cloned card is a board more.
    expect(report.lanes.length).toBeGreaterThanOrEqual(report.boards + report.gateways);
    expect(junitOf([report])).toContain('failures="0"');
  });
});
