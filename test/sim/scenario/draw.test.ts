import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawIncidents } from '../../../sim/scenario/draw.ts';
import type { Incident, MixSpec } from '../../../sim/scenario/scenario.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const CUTS: MixSpec = {
  ...{ kind: 'link-cut', on: ['a', 'b', 'c'], everyMs: 4 * HOUR_MS, forMs: { least: 60_000, most: 1_200_000 }, with: {} },
  ...{ fromMs: HOUR_MS, untilMs: 20 * HOUR_MS },
};
const CRASHES: MixSpec = { ...CUTS, kind: 'crash', on: ['hello'], forMs: null, everyMs: 2 * HOUR_MS };
const TIMELINE: Incident[] = [
  { atMs: 5 * HOUR_MS, kind: 'gateway-kill', on: 'north', forMs: null, with: {} },
  { atMs: HOUR_MS, kind: 'crash', on: 'hello', forMs: null, with: {} },
];

const draw = (mix: MixSpec[], seed = 1, incidents: Incident[] = [], swarm = false): Incident[] =>
  drawIncidents({ incidents, mix, swarm }, seed, chanceFrom('run'));
const only = (drawn: Incident[], kind: string, on?: string): Incident[] =>
  drawn.filter((one) => one.kind === kind && (on === undefined || one.on === on));

const mixSpec: fc.Arbitrary<MixSpec> = fc.record({
  kind: fc.constantFrom('link-cut', 'late', 'captive'),
  on: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }),
  everyMs: fc.integer({ min: HOUR_MS / 4, max: DAY_MS }),
  forMs: fc.constantFrom({ least: 1, most: 1 }, { least: 60_000, most: 600_000 }),
  with: fc.constantFrom({}, { by: 5000 }),
  fromMs: fc.integer({ min: 0, max: 10 * HOUR_MS }),
  untilMs: fc.integer({ min: 10 * HOUR_MS, max: DAY_MS }),
});

describe('drawing the mix', () => {
  test('the same seed draws the same, another seed something else', () => {
    expect(draw([CUTS], 7)).toEqual(draw([CUTS], 7));
    expect(draw([CUTS], 8)).not.toEqual(draw([CUTS], 7));
  });

  test('in order, within its time, spans within their range', () => {
    fc.assert(
      fc.property(fc.array(mixSpec, { maxLength: 5 }), fc.integer({ min: 0 }), (mix, seed) => {
        const drawn = draw(mix, seed, TIMELINE);
        expect(drawn.map(({ atMs }) => atMs)).toEqual(drawn.map(({ atMs }) => atMs).sort((a, b) => a - b));
        for (const { kind, on, atMs, forMs } of drawn.filter((one) => !TIMELINE.includes(one))) {
          const rows = mix.filter((row) => row.kind === kind && row.on.includes(on));
          const isOne = ({ fromMs, untilMs, forMs: span }: MixSpec): boolean =>
            atMs > fromMs && atMs < untilMs && forMs !== null && span !== null && forMs >= span.least && forMs <= span.most;
          expect(rows.some(isOne)).toBe(true);
        }
      }),
    );
  });

  test('a row more, less or elsewhere leaves what the others draw', () => {
    fc.assert(
      fc.property(fc.array(mixSpec, { minLength: 1, maxLength: 4 }), mixSpec, fc.nat({ max: 4 }), (mix, row, at) => {
        const before = draw(mix);
        const after = draw([...mix.slice(0, at), { ...row, kind: 'brown-out' }, ...mix.slice(at)]);
        expect(after.filter(({ kind }) => kind !== 'brown-out')).toEqual(before);
      }),
    );
  });

  test('a target more leaves what the others draw', () => {
    const before = draw([CUTS]);
    const after = draw([{ ...CUTS, on: ['z', ...CUTS.on] }]);
    expect(after.filter(({ on }) => on !== 'z')).toEqual(before);
    expect(only(after, 'link-cut', 'z').length).toBeGreaterThan(0);
  });

  test('targets and rows that say the same have each their own luck', () => {
    const times = (on: string): number[] => only(draw([CUTS]), 'link-cut', on).map(({ atMs }) => atMs);
    expect(times('a')).not.toEqual(times('b'));
    const twice = draw([CRASHES, CRASHES]).map(({ atMs }) => atMs);
    expect(new Set(twice).size).toBe(twice.length);
    expect(twice.length).toBeGreaterThan(draw([CRASHES]).length);
  });

  test('on average once in its time', () => {
    const row: MixSpec = {
      ...CRASHES,
      on: Array.from({ length: 400 }, (_, i) => `w${i}`),
      everyMs: 6 * HOUR_MS,
      fromMs: 0,
      untilMs: 10 * DAY_MS,
    };
    const drawn = draw([row]);
    // 400 targets × 40 each; the standard deviation of the sum is 126.
    expect(Math.abs(drawn.length - 16_000)).toBeLessThan(700);
  });

  test('of a swarm each seed leaves out about half of the rows, and leaves the others as they were', () => {
    const rows = Array.from({ length: 100 }, (_, i): MixSpec => ({ ...CUTS, everyMs: HOUR_MS, with: { by: i } }));
    const kept = [1, 2, 3].map((seed) => {
      const drawn = draw(rows, seed, [], true);
      const found = new Set(drawn.map(({ with: extra }) => extra.by));
      expect(drawn).toEqual(draw(rows, seed).filter(({ with: extra }) => found.has(extra.by)));
      return [...found].sort().join();
    });
    // A hundred tosses of a coin; five standard deviations are 25.
    for (const one of kept) expect(Math.abs(one.split(',').length - 50)).toBeLessThan(25);
    expect(new Set(kept).size).toBe(3);
  });

  test('at the same moment the timeline goes first, in its own order', () => {
    const same: Incident[] = ['x', 'y', 'z'].map((on) => ({ atMs: HOUR_MS, kind: 'crash', on, forMs: null, with: {} }));
    expect(draw([], 1, [...TIMELINE, ...same]).map(({ on }) => on)).toEqual(['hello', 'x', 'y', 'z', 'north']);
  });
});
