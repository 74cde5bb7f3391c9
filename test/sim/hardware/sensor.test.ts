import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DRIFTS_PER_HOUR, heeds, SENSOR_FAULTS, Sensor, WALK_EVERY_MS } from '../../../sim/hardware/sensor.ts';
import type { ReadSpec, SensorSpec } from '../../../sim/scenario/scenario.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';

const HOUR_MS = 3_600_000;
const sensorOf = (source: SensorSpec['source'], noise = 0, seed = 'sensor'): Sensor =>
  new Sensor({ name: 'temperature', bus: 'iio', source, noise }, chanceFrom(seed));

const sine: SensorSpec['source'] = { kind: 'sine', mean: 15, swing: 5, periodMs: 24 * HOUR_MS };
const walk: SensorSpec['source'] = { kind: 'walk', from: 20, step: 1, least: 15, most: 25 };
const trace: SensorSpec['source'] = {
  kind: 'trace',
  points: [
    { atMs: 0, value: 1 },
    { atMs: 1000, value: 2 },
    { atMs: 3000, value: 3 },
  ],
};

describe('sensor', () => {
  test('a constant and a sine tell what they say', () => {
    expect(sensorOf({ kind: 'constant', value: 7.5 }).read(123)).toBe(7.5);
    const sensor = sensorOf(sine);
    expect(sensor.read(0)).toBe(15);
    expect(sensor.read(6 * HOUR_MS)).toBeCloseTo(20);
    expect(sensor.read(18 * HOUR_MS)).toBeCloseTo(10);
    expect(sensor.read(24 * HOUR_MS)).toBe(15);
  });

  test('a trace holds each value until the next, goes round, and can be read from anywhere', () => {
    const sensor = sensorOf(trace);
    // A round is 3000 ms and the mean gap of 1500.
    const values = [0, 999, 1000, 2999, 3000, 4499, 4500, 5500, 9000, 0];
    expect(values.map((atMs) => sensor.read(atMs))).toEqual([1, 1, 2, 2, 3, 3, 1, 2, 1, 1]);
    expect(sensorOf({ kind: 'trace', points: [{ atMs: 0, value: 4 }] }).read(99)).toBe(4);
  });

  test('a trace read forwards by cursor or at one stroke is the same', () => {
    const points = Array.from({ length: 50 }, (_, i) => ({ atMs: i * i * 10, value: i }));
    const walked = sensorOf({ kind: 'trace', points });
    for (let atMs = 0; atMs < 60_000; atMs += 130) {
      expect(walked.read(atMs)).toBe(sensorOf({ kind: 'trace', points }).read(atMs));
    }
  });

  test('a walk stays in its bounds, moves by its step at most, and does not care how often it is read', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.nat(10 * HOUR_MS), { maxLength: 30 }), (seed, looks) => {
        const watched = sensorOf(walk, 0, seed);
        let last = 20;
        for (const atMs of [...looks].sort((a, b) => a - b)) {
          const value = watched.read(atMs) ?? Number.NaN;
          expect(value).toBeGreaterThanOrEqual(15);
          expect(value).toBeLessThanOrEqual(25);
          last = value;
        }
        const end = Math.max(0, ...looks);
        expect(sensorOf(walk, 0, seed).read(end)).toBe(looks.length === 0 ? 20 : last);
      }),
    );
    const sensor = sensorOf(walk);
    let previous = 20;
    for (let step = 1; step < 200; step++) {
      const value = sensor.read(step * WALK_EVERY_MS) ?? Number.NaN;
      expect(Math.abs(value - previous)).toBeLessThanOrEqual(1);
      expect(value).not.toBe(previous);
      previous = value;
    }
  });

  test('noise is even, within its bounds, new each second and the same when read again', () => {
    const sensor = sensorOf({ kind: 'constant', value: 0 }, 2);
    const values = Array.from({ length: 5000 }, (_, second) => sensor.read(second * 1000) ?? Number.NaN);
    expect(sensor.read(0)).toBe(values[0]);
    expect(sensor.read(999)).toBe(values[0]);
    expect(Math.max(...values)).toBeLessThanOrEqual(2);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...values)).toBeGreaterThan(1.9);
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0, 0);
    expect(new Set(values).size).toBeGreaterThan(4990);
    const repeats = values.filter((value, i) => i > 0 && Math.sign(value) === Math.sign(values[i - 1] ?? 0)).length;
    expect(repeats / values.length).toBeCloseTo(0.5, 1);
  });

  test('stuck it repeats itself, absent it is silent, healed it is as before', () => {
    const sensor = sensorOf(sine);
    const before = sensor.read(HOUR_MS);
    const end = sensor.fail(HOUR_MS, 'stuck');
    expect(sensor.read(5 * HOUR_MS)).toBe(before);
    end();
    const back = sensor.fail(5 * HOUR_MS, 'absent');
    expect(sensor.read(6 * HOUR_MS)).toBeNull();
    back();
    expect(sensor.read(6 * HOUR_MS)).toBe(sensorOf(sine).read(6 * HOUR_MS));
  });

  test('a fault within another one ends alone, whichever began first', () => {
    const sensor = sensorOf(sine);
    const held = sensor.read(HOUR_MS);
    const [outer, inner] = [sensor.fail(HOUR_MS, 'stuck'), sensor.fail(2 * HOUR_MS, 'absent')];
    outer();
    expect(sensor.read(3 * HOUR_MS)).toBeNull();
    inner();
    expect(sensor.read(3 * HOUR_MS)).toBe(sensorOf(sine).read(3 * HOUR_MS));
    const [, second] = [sensor.fail(HOUR_MS, 'stuck'), sensor.fail(2 * HOUR_MS, 'absent')];
    second();
    expect(sensor.read(3 * HOUR_MS)).toBe(held);
  });

  test('drifting it gains a share of its span each hour, noisy it jumps within half of it', () => {
    const sensor = sensorOf(sine);
    sensor.fail(0, 'drifting');
    expect(sensor.read(0)).toBe(15);
    expect(sensor.read(24 * HOUR_MS)).toBeCloseTo(15 + 24 * DRIFTS_PER_HOUR * 10);
    sensor.fail(0, 'noisy');
    const strays = Array.from({ length: 1000 }, (_, i) => Math.abs((sensor.read(i * 1000) ?? 0) - (sensorOf(sine).read(i * 1000) ?? 0)));
    expect(Math.max(...strays)).toBeLessThanOrEqual(5);
    expect(Math.max(...strays)).toBeGreaterThan(4);
  });

  test('it knows for how long it has told the same', () => {
    const sameOf =
      (source: SensorSpec['source'], noise = 0) =>
      (atMs: number, mostMs: number) =>
        sensorOf(source, noise).sameMs(atMs, mostMs);
    expect(sameOf({ kind: 'constant', value: 1 })(HOUR_MS, 5000)).toBe(5000);
    expect(sameOf({ kind: 'constant', value: 1 }, 0.1)(HOUR_MS + 70, 5000)).toBe(70);
    expect(sameOf(sine)(HOUR_MS, 5000)).toBe(0);
    expect(sameOf(walk)(HOUR_MS + 70, 5000)).toBe(70);
    const points = [5, 5, 7, 7, 7, 5].map((value, i) => ({ atMs: i * 1000, value }));
    const replayed = sameOf({ kind: 'trace', points });
    expect([4500, 5200].map((atMs) => replayed(atMs, HOUR_MS))).toEqual([2500, 200]);
    expect(replayed(4500, 2000)).toBe(2000);
    // A round later the first two follow upon the last.
    expect(replayed(6000 + 1999, HOUR_MS)).toBe(2999);
    const flat = sameOf({ kind: 'trace', points: points.map(({ atMs }) => ({ atMs, value: 1 })) });
    expect(flat(100 * HOUR_MS, HOUR_MS)).toBe(HOUR_MS);
  });

  test('and what is wrong with it changes that', () => {
    const sensor = sensorOf(trace);
    const stuck = sensor.fail(2500, 'stuck');
    expect(sensor.sameMs(10_000, HOUR_MS)).toBe(7500 + 1500);
    expect(sensor.sameMs(10_000, 8000)).toBe(8000);
    stuck();
    expect(sensor.sameMs(10_000, HOUR_MS)).toBe(sensorOf(trace).sameMs(10_000, HOUR_MS));
    const noisy = sensor.fail(0, 'noisy');
    expect(sensor.sameMs(10_070, HOUR_MS)).toBe(70);
    noisy();
    sensor.fail(0, 'drifting');
    expect(sensor.sameMs(10_070, HOUR_MS)).toBe(0);
  });

  test('for as long as it told the same when it was read each millisecond', () => {
    const step = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 1 }));
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 12 }), fc.nat(200), (steps, atMs) => {
        let endMs = 0;
        const points = steps.map(([gapMs, value]) => {
          const point = { atMs: endMs, value };
          endMs += gapMs;
          return point;
        });
        const sensor = sensorOf({ kind: 'trace', points });
        let sinceMs = atMs;
        while (sinceMs > 0 && sensor.read(sinceMs - 1) === sensor.read(atMs)) sinceMs--;
        // The run's first reading is as far as anybody could have looked.
        expect(sensor.sameMs(atMs, atMs)).toBe(atMs - sinceMs);
      }),
    );
  });

  test('whoever reads it heeds what can make a difference to him, and it knows that it was felt', () => {
    const read = (more: Partial<ReadSpec>): ReadSpec => ({
      sensor: 'temperature',
      least: null,
      most: null,
      sameMs: null,
      promised: false,
      ...more,
    });
    const heeded = (more: Partial<ReadSpec>) => SENSOR_FAULTS.filter((how) => heeds(read(more), how));
    expect(heeded({})).toEqual(['absent']);
    expect(heeded({ sameMs: 1000 })).toEqual(['stuck', 'absent']);
    for (const some of [{ least: 0 }, { most: 0 }, { promised: true }]) expect(heeded(some)).toEqual([...SENSOR_FAULTS]);
    let felt = 0;
    const sensor = sensorOf(sine);
    sensor.readBy(read({ most: 20 }));
    sensor.fail(0, 'noisy', () => felt++);
    sensor.readBy(read({ sameMs: 1000 }));
    expect(felt).toBe(0);
    sensor.readBy(read({ most: 20 }));
    expect(felt).toBe(1);
  });
});
