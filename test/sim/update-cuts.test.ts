/** An update with the power cut at every write of it: one release or the other runs afterwards, whole, and nothing is lost. */
import { describe, expect, test } from 'vitest';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';
import { shippedSource } from './scenario/files.ts';

const story = (update: string, write: number): string => `
name: cut
about: One board is cut off its power in the middle of the n-th write from the moment on at which an update begins.
lasts: 40min
gateways: [north]
boards: [{ name: cabin, profile: pi-4b }]
workloads: [{ recipe: hello-sensor, content: 64KiB, bake: 30s }]
timeline:
  - { at: 10min, kind: ${update}, on: hello-sensor }
  - { at: 10min, kind: power-cut, on: cabin, write: ${write}, for: 2min }
pace: { meter: 1min, record: 5min }
expect:
  - eventually: { see: green, at-least: 1, within: 5min }
  - eventually: { see: green, at-least: 1, after: 20min, within: 1min }
  - sometimes: { see: powered, at-most: 0, after: 10min, says: the power went }
`;

const go = async (update: string, write: number) => {
  const scenario = readScenario(story(update, write), 'cut.yaml', shippedSource);
  if (Array.isArray(scenario)) throw new Error(scenario.map(({ what }) => what).join('\n'));
  return runScenario(scenario, {
    seed: write,
    tier: 'a',
    only: null,
    crypto: 'stand-in',
    lanes: false,
    path: 'cut.yaml',
    seconds: () => 0,
  });
};

/** The update is over long before. */
const WRITES_MOST = 80;

describe.each(['good-release', 'bad-release'])('a %s', (update) => {
  test('is taken, or made way for, wherever the power goes', async () => {
    let cuts = 0;
    for (let write = 1; write <= WRITES_MOST; write++) {
      const report = await go(update, write);
      const [early, late, cut] = report.expectations;
      expect(report.violations, `write ${write}`).toEqual([]);
      expect([early?.held, late?.held], `write ${write}`).toEqual([true, true]);
      if (cut?.held !== true) break;
      cuts++;
    }
    expect(cuts).toBeGreaterThan(9);
    expect(cuts).toBeLessThan(WRITES_MOST);
  }, 240_000);
});
