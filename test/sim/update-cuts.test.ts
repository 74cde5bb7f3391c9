/** An update with the power cut at every write of it: one release or the other runs afterwards, whole, and nothing is lost. */
import { describe, expect, test } from 'vitest';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';
import { shippedSource } from './scenario/files.ts';

interface Update {
  says: string;
  /** What comes, and the workload beside its usual terms. */
  kind: string;
  terms: string;
}

const UPDATES: Update[] = [
  { says: 'a good release', kind: 'good-release', terms: '' },
  { says: 'a bad release', kind: 'bad-release', terms: ', snapshots: true' },
  { says: 'a good release with hooks', kind: 'good-release', terms: ', hooks: true' },
  { says: 'a bad release with hooks', kind: 'bad-release', terms: ', hooks: true' },
  { says: 'a release of which a hook fails', kind: 'bad-release, how: hook', terms: ', hooks: true' },
];

const story = ({ kind, terms }: Update, write: number): string => `
name: cut
about: One board is cut off its power in the middle of the n-th write from the moment on at which an update begins.
lasts: 40min
gateways: [north]
boards: [{ name: cabin, profile: pi-4b }]
workloads: [{ recipe: hello-sensor, content: 64KiB, bake: 30s${terms} }]
timeline:
  - { at: 10min, on: hello-sensor, kind: ${kind} }
  - { at: 10min, kind: power-cut, on: cabin, write: ${write}, for: 2min }
pace: { meter: 1min, record: 5min }
expect:
  - eventually: { see: green, at-least: 1, within: 5min }
  - eventually: { see: green, at-least: 1, after: 20min, within: 1min }
  - sometimes: { see: powered, at-most: 0, after: 10min, says: the power went }
  - always: { see: spoilt, at-most: 0, says: no program finds what a hook has left half done or not begun }
`;

const go = async (update: Update, write: number) => {
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

describe.each(UPDATES)('$says', (update) => {
  test('is taken, or made way for, wherever the power goes', async () => {
    let cuts = 0;
    for (let write = 1; write <= WRITES_MOST; write++) {
      const report = await go(update, write);
      const [early, late, cut, sound] = report.expectations;
      expect(report.violations, `write ${write}`).toEqual([]);
      expect([early?.held, late?.held, sound?.held], `write ${write}`).toEqual([true, true, true]);
      if (cut?.held !== true) break;
      cuts++;
    }
    expect(cuts).toBeGreaterThan(9);
    expect(cuts).toBeLessThan(WRITES_MOST);
  }, 240_000);
});
