/** What a fault finds to befall: only what hit something has happened, and the rest is told. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunReport } from '../../sim/report/report.ts';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';

const root = join(import.meta.dirname, '..', '..');

const go = async (timeline: string, fleet = '', tier: 'a' | 'b' = 'a'): Promise<RunReport> => {
  const text = `
lasts: 2h
gateways: [north, south, east]
boards:
  - { name: shed, count: 2, profile: pi-4b, sensors: [{ name: air, constant: 20 }] }
  - { name: late, profile: pi-4b, joins: 100min }
workloads: [{ recipe: hello-sensor, replicas: 2, patience: 2h, reads: { sensor: air, most: 30 } }]
pace: { tick: 10s, record: 5min }
${fleet}timeline:
${timeline}`;
  const recipe = (name: string): string => readFileSync(join(root, 'recipes', name, 'recipe.yaml'), 'utf8');
  const scenario = readScenario(text, 'small.yaml', { recipe, recipes: () => ['hello-sensor'], trace: () => null });
  if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));
  const options = { seed: 1, only: null, crypto: 'stand-in' as const, lanes: false, path: 'small.yaml', seconds: () => 0 };
  return await runScenario(scenario, { ...options, tier });
};

const told = ({ faults, missed, violations }: RunReport) => ({ faults, missed, violations });

test('those on a board that is dark, not there yet, or whose runtime is down, hit nothing', async () => {
  const report = await go(`
  - { at: 20min, kind: power-cut, on: shed-1, for: 10min }
  - { at: 25min, kind: runtime-crash, on: shed }
  - { at: 25min, kind: runtime-hang, on: shed-1, for: 1min }
  - { at: 25min, kind: link-cut, on: shed-1, for: 1min }
  - { at: 25min, kind: heat, on: [shed-1, late], for: 1min }
  - { at: 25min, kind: sensor-fault, on: shed-1, for: 1min }
  - { at: 26min, kind: brown-out, on: late, for: 1min }
  - { at: 40min, kind: bit-rot, on: [shed-1, late] }
`);
  expect(told(report)).toEqual({
    faults: { 'bit-rot': 1, 'power-cut': 1, 'runtime-crash': 1 },
    missed: { 'bit-rot': 1, 'brown-out': 1, heat: 2, 'link-cut': 1, 'runtime-crash': 1, 'runtime-hang': 1, 'sensor-fault': 1 },
    violations: [],
  });
}, 60_000);

test('those of a sensor hit a program that heeds them, and nobody once it is gone', async () => {
  const report = await go(
    `
  - { at: 20min, kind: sensor-fault, on: shed-1, for: 10min }
  - { at: 20min, kind: sensor-fault, on: shed-2, for: 10min, how: noisy }
  - { at: 40min, kind: sensor-fault, on: shed-1, for: 1s, how: stuck }
  - { at: 60min, kind: stop, on: hello-sensor }
  - { at: 70min, kind: sensor-fault, on: shed, for: 10min }
`,
    `expect:
  - sometimes: { see: green, at-most: 1, after: 15min }
`,
  );
  expect(report.ok).toBe(true);
  expect(report.faults).toEqual({ 'sensor-fault': 2, stop: 1 });
  expect(report.missed).toEqual({ 'sensor-fault': 3 });
}, 60_000);

test('those on a gateway that is down or dead, and on a wish that is over, hit nothing', async () => {
  const report = await go(`
  - { at: 65min, kind: gateway-kill, on: south, for: 10min }
  - { at: 66min, kind: gateway-kill, on: south, for: 1min }
  - { at: 66min, kind: peer-cut, on: south, for: 1min }
  - { at: 66min, kind: close-period, on: south }
  - { at: 66min, kind: slow-disk, on: [north, south], for: 1min }
  - { at: 70min, kind: gateway-kill, on: east }
  - { at: 71min, kind: gateway-kill, on: east }
  - { at: 71min, kind: old-disk, on: east }
  - { at: 71min, kind: disk-loss, on: east }
  - { at: 80min, kind: destroy, on: hello-sensor }
  - { at: 90min, kind: crash, on: hello-sensor }
  - { at: 90min, kind: good-release, on: hello-sensor }
  - { at: 90min, kind: stop, on: hello-sensor }
`);
  expect(told(report)).toEqual({
    faults: { destroy: 1, 'gateway-kill': 2, 'slow-disk': 1 },
    missed: {
      ...{ 'close-period': 1, crash: 1, 'disk-loss': 1, 'gateway-kill': 2, 'good-release': 1, 'old-disk': 1, 'peer-cut': 1 },
      ...{ 'slow-disk': 1, stop: 1 },
    },
    violations: [],
  });
}, 60_000);

test('what comes at a write has happened when it came', async () => {
  const some = 'expect:\n  - sometimes: { see: faults, of: power-cut, at-least: 1 }\n';
  const [soon, never] = [
    await go('  - { at: 30min, kind: power-cut, on: shed-1, for: 30min, write: 3 }\n', some),
    await go('  - { at: 30min, kind: power-cut, on: shed-1, for: 1s, write: 900 }\n', some),
  ];
  expect([soon.ok, soon.faults, soon.missed]).toEqual([true, { 'power-cut': 1 }, {}]);
  expect([never.ok, never.faults, never.missed]).toEqual([false, {}, { 'power-cut': 1 }]);
  const [taken, nobody] = [
    await go('  - { at: 30min, kind: interrupted-update, on: hello-sensor, for: 10min }\n'),
    await go('  - { at: 30min, kind: interrupted-update, on: hello-sensor, for: 10min, write: 900 }\n'),
  ];
  expect([taken.faults, nobody.missed]).toEqual([{ 'interrupted-update': 1 }, { 'interrupted-update': 1 }]);
}, 120_000);
