/** Whole runs, small ones: the same seed gives the same bytes in every tier, and what a run says of itself is so. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RunReport } from '../../sim/report/report.ts';
import { type RunOptions, runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';

const root = join(import.meta.dirname, '..', '..');
const recipe = (name: string): string => readFileSync(join(root, 'recipes', name, 'recipe.yaml'), 'utf8');

const HOUR = `
lasts: 1h
gateways: [north, south]
boards:
  - { name: shed, count: 2, profile: pi-zero-2w, link: wifi }
workloads:
  - { recipe: hello-sensor, replicas: 2 }
timeline:
  - { at: 20min, kind: power-cut, on: shed-1, for: 1min }
  - { at: 30min, kind: gateway-kill, on: north, for: 5min }
pace: { tick: 10s, record: 5min }
`;

const expecting = (expectations: string): string => `${HOUR}expect:\n${expectations}`;

const go = (expectations: string, options: Partial<RunOptions> = {}, text = expecting(expectations)): Promise<RunReport> => {
  const scenario = readScenario(text, 'small.yaml', {
    recipe,
    recipes: () => ['hello-sensor'],
    trace: () => null,
  });
  if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));
  return runScenario(scenario, {
    ...{ seed: 1, tier: 'a', only: null, crypto: 'stand-in', lanes: false, path: 'small.yaml', seconds: () => 0 },
    ...options,
  });
};

const GREEN = '  - eventually: { see: green, at-least: 2, within: 15min }\n';

describe.each(['a', 'b'] as const)('tier %s', (tier) => {
  test('gives the same bytes for the same seed, and others for another', async () => {
    const [one, again, other] = [await go(GREEN, { tier }), await go(GREEN, { tier }), await go(GREEN, { tier, seed: 2 })];
    expect([one?.ok, one?.violations]).toEqual([true, []]);
    expect(again?.traceHash).toBe(one?.traceHash);
    expect(other?.traceHash).not.toBe(one?.traceHash);
  }, 120_000);
});

test('real signatures change the bytes and nothing else', async () => {
  const [real, standIn] = [await go(GREEN, { crypto: 'ed25519' }), await go(GREEN)];
  expect(real.ok).toBe(true);
  expect([real.recordsSigned, real.faults]).toEqual([standIn.recordsSigned, standIn.faults]);
  expect(real.traceHash).not.toBe(standIn.traceHash);
}, 120_000);

test('what is drawn for the timeline changes no byte', async () => {
  const [drawn, plain] = [await go(GREEN, { lanes: true }), await go(GREEN)];
  expect(drawn.traceHash).toBe(plain.traceHash);
  expect(drawn.lanes.map(({ name }) => name).sort()).toEqual(['north', 'shed-1', 'shed-2', 'south']);
  const shed = drawn.lanes.find(({ name }) => name === 'shed-1');
  expect(shed?.spans.filter(({ kind }) => kind === 'down')).toMatchObject([{ fromMs: 1_200_000, toMs: 1_260_000 }]);
  expect(shed?.spans.some(({ kind, label }) => kind === 'run' && label === 'hello-sensor')).toBe(true);
}, 120_000);

test('a board whose own three gateways are gone or cut off need not be at home, though a fourth could be reached', async () => {
  const text = `
lasts: 1h
gateways: [north, south, east, west]
boards: [{ name: shed, count: 6, profile: pi-3b, link: wifi }]
workloads: [{ recipe: hello-sensor, replicas: 2 }]
timeline:
  - { at: 20min, kind: gateway-cut, on: north, for: 20min }
  - { at: 20min, kind: gateway-cut, on: south, for: 20min }
  - { at: 20min, kind: gateway-kill, on: east, for: 20min }
  - { at: 22min, kind: power-cut, on: shed, for: 1min }
pace: { tick: 10s, record: 5min }
`;
  const { violations, names } = await go('', {}, text);
  expect(violations.map(({ code, who, what }) => `${code} ${names[who] ?? who}: ${what}`)).toEqual([]);
}, 60_000);

test('a board whose card is worn out is not blamed for what it cannot write down', async () => {
  const text = `
lasts: 3h
gateways: [north, south]
boards: [{ name: shed, count: 2, profile: pi-zero-2w, link: wifi, card: { size: 1GB, used: 10%, endurance: 1 } }]
workloads: [{ recipe: hello-sensor, replicas: 2, uses: { disk: 100B/s } }]
timeline:
  - { at: 100min, kind: power-cut, on: shed-1, for: 1min }
pace: { tick: 10s, record: 5min }
expect:
  - sometimes: { see: card-worn, of: shed, at-least: 100% }
`;
  const { violations, expectations } = await go('', {}, text);
  expect(violations).toEqual([]);
  expect(expectations).toMatchObject([{ held: true }]);
}, 60_000);

test('what is dark is not green, though its last word was that all is well', async () => {
  const text = `
lasts: 1h
gateways: [north]
boards: [{ name: shed, count: 2, profile: pi-3b, link: wifi }]
workloads: [{ recipe: hello-sensor, replicas: 2, patience: 2h }]
timeline:
  - { at: 20min, kind: link-cut, on: shed-1, for: 40min }
  - { at: 30min, kind: power-cut, on: shed-1, for: 10min }
pace: { tick: 10s, record: 5min }
expect:
  - eventually: { see: green, at-least: 2, within: 15min }
  - always: { see: green, at-least: 1, after: 15min }
  - sometimes: { see: green, at-least: 2, after: 25min, says: what is only out of reach is taken at its last word }
  - always: { see: green, at-most: 1, after: 30min, says: and after a power cut has to say anew that it is well }
`;
  const { expectations } = await go('', {}, text);
  expect(expectations.filter(({ held }) => !held)).toEqual([]);
}, 60_000);

test('a program that wants more memory than its limit is killed at once, again and again, and is billed no more than that', async () => {
  const text = `
lasts: 1h
gateways: [north]
boards: [{ name: shed, profile: pi-3b }]
workloads:
  - { recipe: hello-sensor, uses: { memory: 97MiB } }
  - { recipe: hello-sensor, name: modest, uses: { memory: 96MiB } }
pace: { tick: 10s, record: 5min }
expect:
  - eventually: { see: green, of: modest, at-least: 1, within: 15min }
  - sometimes: { see: restarts, of: hello-sensor, at-least: 3 }
  - always: { see: restarts, of: modest, at-most: 0 }
  - always: { see: green, of: hello-sensor, at-most: 0 }
`;
  const { violations, expectations } = await go('', {}, text);
  expect([violations, expectations.filter(({ held }) => !held)]).toEqual([[], []]);
}, 60_000);

describe('a run', () => {
  test('bills what was used, and says whom', async () => {
    const { billed, recordsSigned, recordsLost, recordsBilledTwice } = await go(GREEN);
    expect(billed).toMatchObject([{ workload: 'hello-sensor', currency: 'EUR' }]);
    expect(billed[0]?.chargedMicro).toBeGreaterThan(0n);
    expect([recordsSigned > 10, recordsLost, recordsBilledTwice]).toEqual([true, 0, 0]);
  });

  test('lets only those incidents happen that it is asked for', async () => {
    const { faults, incidents } = await go(GREEN, { only: [1] });
    expect([faults, incidents.length]).toEqual([{ 'gateway-kill': 1 }, 2]);
  });

  test('in which something never happened that should have sometimes, does not hold', async () => {
    const { ok, violations, expectations } = await go('  - sometimes: { see: quarantined, at-least: 1 }\n');
    expect([ok, violations, expectations.map(({ held }) => held)]).toEqual([false, [], [false]]);
  });

  test('in which something was otherwise that should always be so, does not hold', async () => {
    const { ok, expectations } = await go('  - always: { see: powered, at-least: 2, after: 10min }\n');
    expect([ok, expectations.map(({ held }) => held)]).toEqual([false, [false]]);
  });
});

test('an instance that reads a sensor is granted its bus, and goes where that is lent', async () => {
  const text = `
lasts: 1h
gateways: [north]
boards:
  - { name: shed, profile: pi-3b, sensors: [{ name: tank, bus: gpio, constant: 1 }] }
  - { name: desk, profile: generic-amd64 }
workloads:
  - { recipe: hello-sensor, replicas: 2, reads: tank }
expect:
  - eventually: { see: green, of: hello-sensor, at-least: 1, within: 15min }
  - always: { see: running, of: hello-sensor, at-most: 1 }
`;
  const report = await go('', {}, text);
  expect([report.ok, report.violations]).toEqual([true, []]);
}, 120_000);
