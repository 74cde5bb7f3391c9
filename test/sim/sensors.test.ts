/** What a sensor tells reaches the promise of a recipe, and what is wrong with it breaks that for as long. */
import { expect, test } from 'vitest';
import type { RunReport } from '../../sim/report/report.ts';
import { runScenario } from '../../sim/run.ts';
import { readScenario } from '../../sim/scenario/read.ts';

const recipe = (probe: string): string => `
name: gauge
label: "1"
args: [/bin/gauge]
limits: { memoryMib: 32, cpuMillis: 100, pids: 8, tmpMib: 1 }
promises: [{ name: level, probe: { ${probe} }, intervalMs: 5000 }]
files: [{ from: gauge, to: bin/gauge, executable: true }]
`;

/** A quarter of an hour of each: 20, 21, 22 and 23. */
const TRACE = [0, 15, 30, 45].map((min, i) => `{"min":${min},"value":${20 + i}}`).join('\n');

const go = async (probe: string, timeline: string, expected: string): Promise<RunReport> => {
  const text = `
lasts: 3h
gateways: [north]
boards: [{ name: shed, profile: pi-3b, sensors: [{ name: level, bus: iio, trace: level.jsonl }] }]
workloads: [{ recipe: gauge, reads: level, content: 8KiB }]
pace: { tick: 5s, record: 5min }
timeline:${timeline}
expect:
${expected}`;
  const scenario = readScenario(text, 'gauge.yaml', { recipe: () => recipe(probe), recipes: () => ['gauge'], trace: () => TRACE });
  if (Array.isArray(scenario)) throw new Error(JSON.stringify(scenario));
  const options = { seed: 1, tier: 'a' as const, only: null, crypto: 'stand-in' as const, lanes: false };
  return await runScenario(scenario, { ...options, path: 'gauge.yaml', seconds: () => 0 });
};

const broken = ({ violations, expectations }: RunReport) => [
  ...violations.map(({ what }) => what),
  ...expectations.filter(({ held }) => !held).map(({ says, detail }) => `${says}: ${detail}`),
];

const SAID = 'kind: reading, args: [/bin/gauge], min: 20, max: 22.5';
/** In the kernel's own unit, which of what has no other is a whole one. */
const SHOWN = 'kind: value, path: /sys/devices/platform/iio:device0/in_count0_raw, min: 20, max: 22';

test.each([SAID, SHOWN])(
  'the value of the trace at the moment of reading: %s',
  async (probe) => {
    const report = await go(
      probe,
      ' []',
      `  - eventually: { see: green, at-least: 1, within: 10min }
  - always: { see: green, at-least: 1, after: 10min, says: with no more than 22 it holds }
`,
    );
    // What is above it comes after three quarters of an hour, for one, and again with each round.
    expect(broken(report)).toEqual(['with no more than 22 it holds: 0 at 2730 s']);
  },
  60_000,
);

test('what drifts breaks the promise and is well at once when that is over, each time with the same bytes', async () => {
  const once = () =>
    go(
      SAID.replace('22.5', '23.05'),
      '\n  - { at: 65min, kind: sensor-fault, on: shed, for: 85min, how: drifting }',
      `  - always: { see: green, at-least: 1, after: 10min, says: it holds }
  - sometimes: { see: green, at-most: 0, after: 66min, says: it breaks }
  - eventually: { see: green, at-least: 1, after: 150min, within: 1min }
  - sometimes: { see: faults, of: sensor-fault, at-least: 1 }
`,
    );
  const [one, again] = [await once(), await once()];
  // A twentieth of 3 in an hour: 23 is too much by then.
  expect(broken(one)).toEqual([expect.stringMatching(/^it holds: 0 at 6[3-9]\d\d/)]);
  expect([again.traceHash, again.missed]).toEqual([one.traceHash, {}]);
}, 60_000);
