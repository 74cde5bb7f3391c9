/** An update of a board's system with the power cut at every change of its slots: it is always started from one of them, whole. */
import { expect, test } from 'vitest';
import type { RunReport } from '../../sim/report/report.ts';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';
import { shippedSource } from './scenario/files.ts';

const story = (timeline: string, expects: string): string => `
name: cut
about: One board whose system is updated.
lasts: 90min
gateways: [north]
boards: [{ name: cabin, profile: pi-4b, updates: { wave: 1, bake: 1min } }]
workloads: [{ recipe: hello-sensor, content: 16KiB }]
pace: { tick: 5s, gateway-tick: 2s, meter: 1min, record: 5min }
timeline:
${timeline}
expect:
  - eventually: { see: green, at-least: 1, within: 5min }
  - eventually: { see: green, at-least: 1, after: 80min, within: 5min }
${expects}`;

const go = async (timeline: string, expects: string, seed = 1): Promise<RunReport> => {
  const scenario = readScenario(story(timeline, expects), 'cut.yaml', shippedSource);
  if (Array.isArray(scenario)) throw new Error(scenario.map(({ what }) => what).join('\n'));
  const options = { seed, only: null, crypto: 'stand-in' as const, lanes: false, path: 'cut.yaml', seconds: () => 0 };
  return await runScenario(scenario, { ...options, tier: 'a' });
};

const unmet = ({ violations, expectations }: RunReport): unknown[] => [
  ...violations,
  ...expectations.filter(({ held }) => !held).map(({ says }) => says),
];

/** Over long before. */
const CHANGES_MOST = 60;
/** It is received (2), pieces are written, four files are sealed, it is armed (8), and kept (2). */
const CHANGES_LEAST = 17;

test('wherever the power goes, the new system is there in the end', async () => {
  let cuts = 0;
  for (let write = 1; write <= CHANGES_MOST; write++) {
    const cut = `  - { at: 10min, kind: interrupted-system, on: cabin, for: 1min, write: ${write} }`;
    const report = await go(cut, '  - eventually: { see: system, at-least: 2, after: 10min, within: 60min }\n', write);
    expect(unmet(report), `write ${write}`).toEqual([]);
    // The one minute of the fault may be over before the last changes: they are those of the trial.
    if (report.faults['interrupted-system'] === undefined) break;
    cuts++;
  }
  expect(cuts).toBeGreaterThanOrEqual(CHANGES_LEAST);
  expect(cuts).toBeLessThan(CHANGES_MOST);
}, 240_000);

test.each([
  ['no-boot', 'resets', 0, 3],
  ['hang', 'resets', 3, 3],
] as const)(
  'a system that is no good (%s) is started three times, and then the one before',
  async (how, see, resets, trials) => {
    const report = await go(
      `  - { at: 10min, kind: bad-system, on: cabin, how: ${how} }`,
      `  - sometimes: { see: system, at-least: 2, after: 10min }
  - eventually: { see: trials, at-least: ${trials}, after: 10min, within: 20min }
  - always: { see: trials, at-most: ${trials} }
  - always: { see: system, at-most: 1, after: 30min }
  - eventually: { see: ${see}, at-least: ${resets}, within: 30min }
  - always: { see: ${see}, at-most: ${resets} }
`,
    );
    expect(unmet(report)).toEqual([]);
  },
  60_000,
);

test('one that finds no gateway is left by its own runtime', async () => {
  const report = await go(
    '  - { at: 10min, kind: bad-system, on: cabin, how: no-home }',
    `  - sometimes: { see: system, at-least: 2, after: 10min }
  - eventually: { see: system, at-most: 1, after: 15min, within: 15min, says: it went back after ten minutes }
  - always: { see: trials, at-most: 2, says: and tries it once more in an hour }
  - always: { see: resets, at-most: 0 }
`,
  );
  expect(unmet(report)).toEqual([]);
}, 60_000);

test('the same seed gives the same bytes', async () => {
  const cut = '  - { at: 10min, kind: interrupted-system, on: cabin, for: 1min, write: 9 }';
  expect((await go(cut, '')).traceHash).toBe((await go(cut, '')).traceHash);
}, 60_000);
