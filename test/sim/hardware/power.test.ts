import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LOOKS_AHEAD_MS, Power, RESTART_PERMILLE, SAG_DOWN_MS, SAG_UP_MS } from '../../../sim/hardware/power.ts';
import { DAY_MS, harvestMj, Sun } from '../../../sim/hardware/sun.ts';
import type { PowerSpec } from '../../../sim/scenario/scenario.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';

const HOUR_MS = 3_600_000;
const MIDNIGHT_MS = 20_000 * DAY_MS;
const battery: PowerSpec = { kind: 'battery', batteryWh: 10, chargedPermille: 1000 };
const clear: PowerSpec = { kind: 'solar', batteryWh: 20, chargedPermille: 500, panelW: 10, sunHours: 12, cloudPermille: 0 };
const powerOf = (spec: PowerSpec, startsMs = MIDNIGHT_MS): Power => new Power(spec, startsMs, chanceFrom('power'));

describe('sun', () => {
  test('a clear day under 10 W and 12 hours brings 2/π of the rectangle', () => {
    const sun = new Sun({ panelW: 10, sunHours: 12, cloudPermille: 0 }, MIDNIGHT_MS, chanceFrom('sun'));
    const day = sun.at(12 * HOUR_MS);
    expect([day.fromMs, day.toMs]).toEqual([6 * HOUR_MS, 18 * HOUR_MS]);
    expect(harvestMj(day, day.fromMs, day.toMs) / HOUR_MS).toBeCloseTo((10 * 12 * 2) / Math.PI, 6);
    expect(sun.at(3 * HOUR_MS).peakW).toBe(0);
    expect(sun.at(20 * HOUR_MS)).toEqual({ fromMs: 18 * HOUR_MS, toMs: 30 * HOUR_MS, peakW: 0 });
  });

  test('clouds take on average what was asked for, each day its own, whenever it is asked', () => {
    const spec = { panelW: 100, sunHours: 10, cloudPermille: 300 };
    const forwards = new Sun(spec, MIDNIGHT_MS, chanceFrom('clouds'));
    const backwards = new Sun(spec, MIDNIGHT_MS, chanceFrom('clouds'));
    const noons = Array.from({ length: 1000 }, (_, day) => (day + 0.5) * DAY_MS);
    const peaks = noons.map((noon) => forwards.at(noon).peakW);
    expect([...noons].reverse().map((noon) => backwards.at(noon).peakW)).toEqual([...peaks].reverse());
    expect(peaks.reduce((sum, peak) => sum + peak, 0) / peaks.length).toBeCloseTo(70, -1);
    expect(Math.max(...peaks)).toBeLessThanOrEqual(100);
    expect(Math.min(...peaks)).toBeGreaterThanOrEqual(40);
    expect(new Set(peaks).size).toBeGreaterThan(900);
  });

  test('no sun and sun all day', () => {
    expect(new Sun({ panelW: 10, sunHours: 0, cloudPermille: 0 }, 0, chanceFrom('')).at(12 * HOUR_MS).peakW).toBe(0);
    const always = new Sun({ panelW: 10, sunHours: 24, cloudPermille: 0 }, 0, chanceFrom(''));
    expect(always.at(DAY_MS)).toEqual({ fromMs: DAY_MS, toMs: 2 * DAY_MS, peakW: 10 });
  });
});

describe('power', () => {
  test('mains are always there and count what is taken', () => {
    const power = powerOf({ kind: 'mains' });
    power.setLoad(0, 3);
    expect(power.on(HOUR_MS)).toBe(true);
    expect(power.nextChange(HOUR_MS)).toBeNull();
    expect(power.chargedPermille(HOUR_MS)).toBe(1000);
    power.setLoad(HOUR_MS, 0);
    expect(power.energy(2 * HOUR_MS)).toEqual({ storedMj: 0, harvestedMj: 3 * HOUR_MS, spentMj: 3 * HOUR_MS, spilledMj: 0 });
  });

  test('10 Wh under 2.5 W last four hours, and never come back', () => {
    const power = powerOf(battery);
    power.setLoad(0, 2.5);
    expect(power.nextChange(0)).toBe(4 * HOUR_MS);
    expect(power.chargedPermille(3 * HOUR_MS)).toBe(250);
    expect(power.on(4 * HOUR_MS - 1)).toBe(true);
    expect(power.on(4 * HOUR_MS)).toBe(false);
    expect(power.chargedPermille(4 * HOUR_MS)).toBe(0);
    expect(power.nextChange(4 * HOUR_MS)).toBeNull();
    expect(power.on(100 * DAY_MS)).toBe(false);
  });

  test('a battery that is empty from the first is off', () => {
    const power = powerOf({ kind: 'battery', batteryWh: 10, chargedPermille: 0 });
    expect(power.on(0)).toBe(false);
    expect(power.nextChange(0)).toBeNull();
  });

  test('far away it says when to ask again', () => {
    const power = powerOf({ kind: 'battery', batteryWh: 1000, chargedPermille: 1000 });
    power.setLoad(0, 1);
    expect(power.nextChange(0)).toBe(LOOKS_AHEAD_MS);
    const sunny = powerOf(clear);
    sunny.setLoad(0, 0.1);
    expect(sunny.nextChange(5)).toBe(5 + LOOKS_AHEAD_MS);
  });

  test('under a panel it goes in the night and comes back with the restart charge, not before', () => {
    const power = powerOf({ ...clear, batteryWh: 10, chargedPermille: 200 });
    power.setLoad(0, 2);
    // 2 Wh at midnight, 2 W: an hour.
    const gone = power.nextChange(0);
    expect(gone).toBe(HOUR_MS);
    expect(power.on(HOUR_MS)).toBe(false);
    const back = power.nextChange(HOUR_MS) ?? 0;
    expect(back).toBeGreaterThan(6 * HOUR_MS);
    expect(power.on(back - 1)).toBe(false);
    expect(power.chargedPermille(back - 1)).toBeLessThanOrEqual(RESTART_PERMILLE);
    expect(power.on(back)).toBe(true);
    expect(power.energy(back).storedMj / (10 * HOUR_MS)).toBeCloseTo(RESTART_PERMILLE / 1000, 5);
    // 1.5 Wh are in by about a tenth of the day's 76 Wh: a little before eight.
    expect(back / HOUR_MS).toBeCloseTo(6 + (12 / Math.PI) * Math.acos(1 - (1.5 * Math.PI) / 120), 3);
  });

  test('a full battery spills the rest', () => {
    const power = powerOf({ ...clear, chargedPermille: 1000 });
    const { storedMj, spilledMj, harvestedMj } = power.energy(DAY_MS);
    expect(storedMj).toBe(20 * HOUR_MS);
    expect(spilledMj).toBeCloseTo(harvestedMj, 0);
    expect(power.chargedPermille(DAY_MS)).toBe(1000);
  });

  test('cuts add up, and nothing is spent meanwhile', () => {
    const power = powerOf(battery);
    power.setLoad(0, 2.5);
    power.cut(HOUR_MS);
    power.cut(1.5 * HOUR_MS);
    power.restore(2 * HOUR_MS);
    expect(power.on(2 * HOUR_MS)).toBe(false);
    expect(power.nextChange(2 * HOUR_MS)).toBeNull();
    power.restore(3 * HOUR_MS);
    expect(power.on(3 * HOUR_MS)).toBe(true);
    expect(power.chargedPermille(3 * HOUR_MS)).toBe(750);
    expect(power.nextChange(3 * HOUR_MS)).toBe(6 * HOUR_MS);
  });

  test('while it sags it goes and comes, and then stays', () => {
    const power = powerOf({ kind: 'mains' });
    power.setLoad(0, 2);
    power.sag(1000);
    expect(power.on(1000)).toBe(false);
    let atMs = 1000;
    const lasts: number[] = [];
    for (let i = 0; i < 40; i++) {
      const next = power.nextChange(atMs) ?? 0;
      expect(power.on(next)).toBe(i % 2 === 0);
      lasts.push(next - atMs);
      atMs = next;
    }
    expect(lasts.filter((_, i) => i % 2 === 0).every((ms) => ms === SAG_DOWN_MS)).toBe(true);
    const ups = lasts.filter((_, i) => i % 2 === 1);
    expect(Math.min(...ups)).toBeGreaterThanOrEqual(SAG_UP_MS.least);
    expect(Math.max(...ups)).toBeLessThanOrEqual(SAG_UP_MS.most);
    expect(new Set(ups).size).toBeGreaterThan(10);
    // Nothing is taken while it is down.
    expect(power.energy(atMs).spentMj).toBe(2 * (1000 + ups.reduce((sum, ms) => sum + ms, 0)));
    power.steady(atMs + 1);
    expect(power.on(atMs + 1)).toBe(true);
    expect(power.nextChange(atMs + 1)).toBeNull();
  });
});

const solar = fc.record({
  kind: fc.constant('solar' as const),
  batteryWh: fc.integer({ min: 1, max: 60 }),
  chargedPermille: fc.integer({ min: 0, max: 1000 }),
  panelW: fc.integer({ min: 0, max: 30 }),
  sunHours: fc.integer({ min: 0, max: 24 }),
  cloudPermille: fc.integer({ min: 0, max: 1000 }),
});
const deed = fc.record({
  forMs: fc.integer({ min: 0, max: 12 * HOUR_MS }),
  what: fc.oneof(fc.integer({ min: 0, max: 80 }), fc.constantFrom('cut' as const, 'restore' as const, 'sag' as const, 'steady' as const)),
});
type Deed = 'cut' | 'restore' | 'sag' | 'steady' | number;
const act = (power: Power, atMs: number, what: Deed): void => {
  if (typeof what === 'number') power.setLoad(atMs, what / 10);
  else power[what](atMs);
};

describe('power, over any history', () => {
  test('energy is conserved and the battery stays within itself', () => {
    fc.assert(
      fc.property(solar, fc.nat(DAY_MS), fc.array(deed, { maxLength: 12 }), (spec, intoDay, deeds) => {
        const power = powerOf(spec, MIDNIGHT_MS + intoDay);
        const first = power.energy(0).storedMj;
        let atMs = 0;
        for (const { forMs, what } of deeds) {
          act(power, atMs, what);
          atMs += forMs;
          const { storedMj, harvestedMj, spentMj, spilledMj } = power.energy(atMs);
          expect(Math.abs(first + harvestedMj - spentMj - spilledMj - storedMj)).toBeLessThan(1);
          expect(storedMj).toBeGreaterThanOrEqual(0);
          expect(storedMj).toBeLessThanOrEqual(spec.batteryWh * HOUR_MS);
          expect(Math.min(harvestedMj, spentMj, spilledMj)).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('nextChange agrees with looking all the time', () => {
    fc.assert(
      fc.property(solar, fc.nat(DAY_MS), fc.array(deed, { maxLength: 6 }), (spec, intoDay, deeds) => {
        const power = powerOf(spec, MIDNIGHT_MS + intoDay);
        const looked = powerOf(spec, MIDNIGHT_MS + intoDay);
        let atMs = 0;
        for (const { forMs, what } of deeds) {
          act(power, atMs, what);
          act(looked, atMs, what);
          const turns: number[] = [];
          const endMs = atMs + forMs;
          let is = power.on(atMs);
          for (let next = power.nextChange(atMs); next !== null && next <= endMs; next = power.nextChange(next)) {
            if (power.on(next) !== is) turns.push(next);
            is = power.on(next);
          }
          let was = looked.on(atMs);
          for (const turn of turns) {
            expect(looked.on(turn - 1)).toBe(was);
            was = !was;
            expect(looked.on(turn)).toBe(was);
          }
          expect(looked.on(endMs)).toBe(was);
          atMs = endMs;
        }
      }),
      { numRuns: 200 },
    );
  });

  test('agrees with a battery stepped by the second', () => {
    fc.assert(
      fc.property(solar, fc.nat(DAY_MS), fc.integer({ min: 0, max: 80 }), (spec, intoDay, tenths) => {
        const power = powerOf(spec, MIDNIGHT_MS + intoDay);
        power.setLoad(0, tenths / 10);
        const sun = new Sun(spec, MIDNIGHT_MS + intoDay, chanceFrom('power').fork('clouds'));
        const capacity = spec.batteryWh * HOUR_MS;
        let stored = (capacity * spec.chargedPermille) / 1000;
        let isOn = stored > 0;
        let turnedMs = Number.NEGATIVE_INFINITY;
        let turns = 0;
        const stepMs = 1000;
        // Each turn that comes a step too late shifts all that follow.
        for (let atMs = 0; atMs < 3 * DAY_MS && turns < 4; atMs += stepMs) {
          const day = sun.at(atMs + stepMs / 2);
          const gives = day.peakW === 0 ? 0 : day.peakW * Math.sin((Math.PI * (atMs + stepMs / 2 - day.fromMs)) / (day.toMs - day.fromMs));
          stored = Math.min(capacity, stored + (gives - (isOn ? tenths / 10 : 0)) * stepMs);
          const wasOn = isOn;
          if (stored <= 0 && tenths > 0) isOn = false;
          else if (stored >= (capacity * RESTART_PERMILLE) / 1000) isOn = true;
          stored = Math.max(0, stored);
          if (isOn !== wasOn) {
            turnedMs = atMs;
            turns += 1;
          }
          // Near a turn the coarse steps may be a little early or late.
          if (atMs % HOUR_MS === 0 && atMs - turnedMs > 10 * 60_000) {
            expect(Math.abs(power.energy(atMs + stepMs).storedMj - stored)).toBeLessThan(capacity / 200 + 10_000);
          }
        }
      }),
      { numRuns: 12 },
    );
  });

  test('whoever looks, and however often, changes nothing', () => {
    fc.assert(
      fc.property(solar, fc.array(deed, { maxLength: 8 }), fc.array(fc.nat(1000), { maxLength: 20 }), (spec, deeds, looks) => {
        const alone = powerOf(spec);
        const watched = powerOf(spec);
        let atMs = 0;
        for (const { forMs, what } of deeds) {
          act(alone, atMs, what);
          act(watched, atMs, what);
          for (const share of [...looks].sort((a, b) => a - b)) {
            const lookMs = atMs + Math.floor((forMs * share) / 1000);
            watched.on(lookMs);
            watched.nextChange(lookMs);
            watched.energy(lookMs);
          }
          atMs += forMs;
        }
        expect(watched.energy(atMs)).toEqual(alone.energy(atMs));
        expect(watched.on(atMs)).toBe(alone.on(atMs));
      }),
    );
  });
});
