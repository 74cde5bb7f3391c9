/** Seeds one after the other; what fails is shrunk to the same failure and to no other. */
import { expect, test } from 'vitest';
import type { RunOptions } from '../../sim/run.ts';
import type { Incident, Scenario } from '../../sim/scenario/scenario.ts';
import { type SweepPlan, sweep } from '../../sim/sweep.ts';
import { broke, held } from './report/reports.ts';

const drawn: Incident[] = Array.from({ length: 20 }, (_, at) => ({ atMs: at * 1000, kind: 'link-cut', on: 'attic', forMs: 1, with: {} }));
const cloned: Incident = { atMs: 5500, kind: 'cloned-card', on: 'kitchen', forMs: 1, with: {} };
const incidents = [...drawn.slice(0, 6), cloned, ...drawn.slice(6)];

const scenario: Scenario = {
  ...{ name: 'a', about: '', seed: 1, lastsMs: 1, startsMs: 0, gateways: [], boards: [], workloads: [], mix: [], swarm: false },
  incidents: [cloned],
  backbone: { latencyMs: 1, jitterMs: 0, lossPermille: 0, bytesPerS: 1 },
  pace: { tickMs: 1, meterMs: 1, recordMs: 1, reportMs: 1, boardPatienceMs: 1, gatewayTickMs: 1, silenceMs: 1, keepaliveMs: 1 },
  expect: [],
};

const plan = (over: Partial<SweepPlan> = {}): SweepPlan => ({
  ...{ scenario, path: 'a.yaml', firstSeed: 1, seeds: 1, tier: 'a', only: null, crypto: 'stand-in', lanes: true, keepGoing: false },
  ...{ shrinkRuns: 100, shrinkSeconds: 60, seconds: () => 0 },
  ...over,
});

const ears = { shrinking: () => {}, done: () => {} };

/** A world in which `code` is broken whenever all of `cause` happen. */
const world = (failures: { cause: number[]; code: string; seeds?: number[] }[]) => {
  const asked: RunOptions[] = [];
  const run = async (_: Scenario, options: RunOptions) => {
    asked.push(options);
    const { only, seed } = options;
    const violations = failures
      .filter(({ cause, seeds = [seed] }) => seeds.includes(seed) && cause.every((one) => only === null || only.includes(one)))
      .map(({ code }) => ({ promise: 2, code, atMs: 0, who: '', what: '' }));
    return held({ seed, ok: violations.length === 0, violations, incidents, expectations: [] });
  };
  return { run, asked };
};

test('seeds are run in order until one fails', async () => {
  const { run, asked } = world([{ cause: [3], code: 'x', seeds: [12] }]);
  const done: number[] = [];
  const reports = await sweep(run, plan({ firstSeed: 10, seeds: 5, shrinkRuns: 0 }), { ...ears, done: ({ seed }) => done.push(seed) });
  expect(reports.map(({ seed, ok }) => [seed, ok])).toEqual([
    [10, true],
    [11, true],
    [12, false],
  ]);
  expect(done).toEqual([10, 11, 12]);
  expect(asked.map(({ seed, only, lanes }) => [seed, only, lanes])).toEqual([10, 11, 12].map((seed) => [seed, null, true]));
});

test('or all of them', async () => {
  const { run } = world([{ cause: [3], code: 'x', seeds: [12] }]);
  const reports = await sweep(run, plan({ firstSeed: 10, seeds: 5, keepGoing: true }), ears);
  expect(reports.map(({ ok, shrunk }) => [ok, shrunk])).toEqual([
    [true, null],
    [true, null],
    [false, [3]],
    [true, null],
    [true, null],
  ]);
});

test('what is left over fails in the same way, though fewer faults fail in another', async () => {
  const { run, asked } = world([
    { cause: [3, 6, 15], code: 'billed-twice' },
    { cause: [], code: 'usage-lost' },
  ]);
  // Broken from the start and in every run: nothing to learn from, but it is one of the two that failed.
  expect((await sweep(run, plan(), ears))[0].shrunk).toEqual([]);
  const other = world([{ cause: [3, 6, 15], code: 'billed-twice' }]);
  const masked = async (scene: Scenario, options: RunOptions) => {
    const report = await other.run(scene, options);
    // Without incident 3, something else breaks: not what is looked for.
    return options.only !== null && !options.only.includes(3)
      ? { ...report, ok: false, violations: broke().violations.map((one) => ({ ...one, code: 'else' })) }
      : report;
  };
  expect((await sweep(masked, plan(), ears))[0].shrunk).toEqual([3, 6, 15]);
  expect(asked.slice(1).every(({ lanes, path }) => !lanes && path === 'a.yaml')).toBe(true);
});

test('an expectation keeps the timeline it was written for; a `sometimes` is not shrunk at all', async () => {
  const kinds = { always: 'nobody is cut off', sometimes: 'somebody is cut off' } as const;
  const expectation = (kind: 'always' | 'sometimes') => ({
    ...{ kind, see: 'linked' as const, of: '', least: 0, most: null, afterMs: 0, withinMs: 0, says: kinds[kind] },
  });
  const failing =
    (kind: 'always' | 'sometimes') =>
    async (_: Scenario, { seed, only }: RunOptions) => {
      const fails = only === null || kind === 'sometimes' || only.includes(9) || !only.includes(6);
      return held({ seed, ok: !fails, incidents, expectations: [{ says: kinds[kind], held: !fails, detail: '' }] });
    };
  const always = plan({ scenario: { ...scenario, expect: [expectation('always')] } });
  expect((await sweep(failing('always'), always, ears))[0].shrunk).toEqual([6, 9]);
  const sometimes = plan({ scenario: { ...scenario, expect: [expectation('sometimes')] } });
  expect((await sweep(failing('sometimes'), sometimes, ears))[0].shrunk).toBeNull();
});

test('faults that were asked for are what is shrunk, and what is named', async () => {
  const { run, asked } = world([{ cause: [4], code: 'x' }]);
  expect((await sweep(run, plan({ only: [2, 4, 8] }), ears))[0].shrunk).toEqual([4]);
  expect(asked.every(({ only }) => only?.every((one) => [2, 4, 8].includes(one)))).toBe(true);
  expect((await sweep(run, plan({ only: [2, 8] }), ears))[0]).toMatchObject({ ok: true, shrunk: [2, 8] });
});

test('shrinking ends in time, with what it has', async () => {
  const { run, asked } = world([{ cause: [3, 15], code: 'x' }]);
  const report = (await sweep(run, plan({ seconds: () => asked.length * 10, shrinkSeconds: 45 }), ears))[0];
  expect(asked.length).toBeLessThan(8);
  expect(report.shrunk).toEqual(expect.arrayContaining([3, 15]));
});
