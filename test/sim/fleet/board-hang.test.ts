/** A board that stands still: what starts it again, and what does not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { RunReport } from '../../../sim/report/report.ts';
import { runScenario } from '../../../sim/run.ts';
import { readScenario } from '../../../sim/scenario/read.ts';

const root = join(import.meta.dirname, '..', '..', '..');

const go = async (lines: string): Promise<RunReport> => {
  const text = `
lasts: 3h
gateways: [north, south]
boards:
  - { name: guarded, profile: pi-4b }
  - { name: alone, profile: pi-4b, watchdog: false }
workloads: [{ recipe: hello-sensor, replicas: 2, patience: 3h }]
pace: { tick: 10s, record: 5min }
${lines}`;
  const recipe = (name: string): string => readFileSync(join(root, 'recipes', name, 'recipe.yaml'), 'utf8');
  const scenario = readScenario(text, 'small.yaml', { recipe, recipes: () => ['hello-sensor'], trace: () => null });
  if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));
  const options = { seed: 1, only: null, crypto: 'stand-in' as const, lanes: false, path: 'small.yaml', seconds: () => 0 };
  return await runScenario(scenario, { ...options, tier: 'a' });
};

const unmet = ({ violations, expectations }: RunReport): unknown[] => [
  ...violations,
  ...expectations.filter(({ held }) => !held).map(({ says }) => says),
];

test('with a watchdog it is started again by that and goes on; without one it stands still until somebody cuts its power', async () => {
  const report = await go(`
timeline:
  - { at: 1h, kind: board-hang, on: all }
  - { at: 2h, kind: power-cut, on: alone, for: 1min }
expect:
  - eventually: { see: green, at-least: 2, within: 15min }
  - sometimes: { see: hung, at-least: 2 }
  - always: { see: powered, at-least: 1, after: 1min, says: what hangs has power }
  - always: { see: hung, of: guarded, at-most: 0, after: 61min }
  - always: { see: resets, of: guarded, at-least: 1, at-most: 1, after: 61min }
  - eventually: { see: running, at-least: 1, after: 61min, within: 5min, says: what ran there goes on }
  - sometimes: { see: hung, of: alone, at-least: 1, after: 119min, says: the other stands still for an hour }
  - always: { see: hung, at-most: 0, after: 2h 1min }
  - always: { see: resets, of: alone, at-most: 0 }
  - eventually: { see: green, at-least: 2, after: 2h 2min, within: 15min }
`);
  expect(unmet(report)).toEqual([]);
  expect(report.faults).toEqual({ 'board-hang': 2, 'power-cut': 1 });
}, 60_000);

test('of two boards that hang, the one that nothing starts again is helped where the fault ends', async () => {
  const report = await go(`
timeline:
  - { at: 1h, kind: board-hang, on: alone, for: 30min }
expect:
  - sometimes: { see: hung, of: alone, at-least: 1, after: 89min }
  - always: { see: hung, at-most: 0, after: 91min }
  - eventually: { see: green, at-least: 2, after: 91min, within: 15min }
`);
  expect(unmet(report)).toEqual([]);
}, 60_000);

test('a runtime that hangs is nothing that a watchdog sees: another process pets it', async () => {
  const report = await go(`
timeline:
  - { at: 1h, kind: runtime-hang, on: guarded, for: 30min }
expect:
  - always: { see: resets, at-most: 0 }
  - always: { see: hung, at-most: 0 }
  - always: { see: running, at-least: 2, after: 30min }
`);
  expect(unmet(report)).toEqual([]);
}, 60_000);

test('the same seed gives the same bytes', async () => {
  const lines = 'timeline:\n  - { at: 1h, kind: board-hang, on: all, for: 30min }\n';
  expect((await go(lines)).traceHash).toBe((await go(lines)).traceHash);
}, 60_000);
