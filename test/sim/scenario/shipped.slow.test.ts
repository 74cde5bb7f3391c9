/** What is shipped is run, each with its own seed: a scenario that is only read may be about nothing that happens. */
import { describe, expect, test } from 'vitest';
import { failuresOf } from '../../../sim/report/failure.ts';
import { junitOf } from '../../../sim/report/junit.ts';
import { runScenario } from '../../../sim/run.ts';
import { readScenario } from '../../../sim/scenario/read.ts';
import { shipped, shippedSource } from './files.ts';

describe.each(shipped)('$path', ({ path, text }) => {
  test('holds what it expects, and every promise', async () => {
    const scenario = readScenario(text, path, shippedSource);
    if (Array.isArray(scenario)) throw new Error(`${path} is not read`);
    const report = await runScenario(scenario, {
      ...{ seed: scenario.seed, tier: 'a', only: null, crypto: 'stand-in', lanes: true, path },
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
