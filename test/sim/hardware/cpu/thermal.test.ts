import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Thermal } from '../../../../sim/hardware/cpu/thermal.ts';
import { wattsAt } from '../../../../sim/hardware/cpu/watts.ts';
import { HARDWARE } from '../../../../sim/hardware/profiles.ts';
import { PROFILES } from '../../../../sim/scenario/scenario.ts';

const HOUR_MS = 3_600_000;

const running = (name: (typeof PROFILES)[number], demandPermille: number, roomC = 25): Thermal => {
  const cpu = new Thermal(HARDWARE[name], roomC);
  cpu.power(0, true);
  cpu.load(0, demandPermille);
  return cpu;
};

describe('thermal', () => {
  test('rests at air plus watts times °C/W', () => {
    expect(running('pi-4b', 0).celsius(10 * HOUR_MS)).toBeCloseTo(25 + 2.7 * 10.1, 6);
    expect(running('pi-4b', 500).celsius(10 * HOUR_MS)).toBeCloseTo(25 + 4.55 * 10.1, 6);
  });

  test('has gone 63 % of the way after its time constant', () => {
    const cpu = running('pi-4b', 0);
    expect((cpu.celsius(130_000) - 25) / (2.7 * 10.1)).toBeCloseTo(1 - Math.exp(-1), 9);
  });

  test('a Zero 2 W warm from idling passes 80 °C within minutes on four cores and never on two', () => {
    // scruss.com, 2021-11-12: 47 °C idle in a room that the case makes 31 °C warm.
    const four = running('pi-zero-2w', 0, 31);
    expect(four.celsius(HOUR_MS)).toBeCloseTo(46.6, 0);
    four.load(HOUR_MS, 1000);
    const minutes = ((four.nextChange(HOUR_MS) ?? 0) - HOUR_MS) / 60_000;
    expect(minutes).toBeGreaterThan(3);
    expect(minutes).toBeLessThan(4);
    const two = running('pi-zero-2w', 500, 31);
    expect(two.nextChange(0)).toBeNull();
    expect(two.celsius(3 * HOUR_MS)).toBeCloseTo(73, 0);
  });

  test('throttled, it rests where the falling speed keeps it: hotter than 80, cooler than without', () => {
    const cpu = running('pi-4b', 1000);
    const restC = cpu.celsius(10 * HOUR_MS);
    expect(restC).toBeGreaterThan(80);
    expect(restC).toBeLessThan(85);
    expect(cpu.throttled(10 * HOUR_MS)).toBe(true);
    const speed = cpu.speedPermille(10 * HOUR_MS);
    expect(restC).toBeCloseTo(25 + 10.1 * wattsAt(HARDWARE['pi-4b'], speed), 1);
    expect(cpu.watts(10 * HOUR_MS)).toBeCloseTo(wattsAt(HARDWARE['pi-4b'], speed), 1);
  });

  test('hot air throttles an idle board, which saves it nothing; cool air ends it', () => {
    const cpu = running('pi-3b', 100);
    const wattsBefore = cpu.watts(HOUR_MS);
    cpu.heat(HOUR_MS, 70);
    const hot = cpu.nextChange(HOUR_MS) ?? 0;
    expect(hot).toBeGreaterThan(HOUR_MS);
    expect(cpu.speedPermille(3 * HOUR_MS)).toBe(HARDWARE['pi-3b'].thermal.throttledPermille);
    expect(cpu.watts(3 * HOUR_MS)).toBe(wattsBefore);
    cpu.heat(3 * HOUR_MS, null);
    const cool = cpu.nextChange(3 * HOUR_MS) ?? 0;
    expect(cpu.throttled(cool - 1)).toBe(true);
    expect(cpu.throttled(cool)).toBe(false);
    expect(cpu.speedPermille(cool)).toBe(1000);
  });

  test('without power it cools to the air and takes nothing', () => {
    const cpu = running('pi-5', 1000);
    cpu.power(HOUR_MS, false);
    expect(cpu.watts(HOUR_MS)).toBe(0);
    expect(cpu.celsius(10 * HOUR_MS)).toBeCloseTo(25, 6);
  });

  const history = fc.array(
    fc.record({
      forMs: fc.integer({ min: 0, max: HOUR_MS }),
      change: fc.oneof(
        fc.record({ kind: fc.constant('load' as const), to: fc.integer({ min: 0, max: 1500 }) }),
        fc.record({ kind: fc.constant('heat' as const), to: fc.integer({ min: -20, max: 95 }) }),
        fc.record({ kind: fc.constant('power' as const), to: fc.integer({ min: 0, max: 1 }) }),
      ),
    }),
    { minLength: 1, maxLength: 12 },
  );

  const apply = (cpu: Thermal, atMs: number, { kind, to }: { kind: 'load' | 'heat' | 'power'; to: number }): void => {
    if (kind === 'load') cpu.load(atMs, to);
    else if (kind === 'heat') cpu.heat(atMs, to);
    else cpu.power(atMs, to === 1);
  };

  test('agrees with a stepped model of the same equation', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PROFILES), history, (name, steps) => {
        const { thermal, ...board } = HARDWARE[name];
        const cpu = new Thermal(HARDWARE[name]);
        const state = { load: 0, heat: 25, power: 0 };
        let celsius = 25;
        let atMs = 0;
        for (const { forMs, change } of steps) {
          apply(cpu, atMs, change);
          state[change.kind] = change.to;
          const endMs = atMs + forMs;
          // Steps of a hundredth of the quickest time constant that throttling makes.
          const stepMs = 100;
          for (; atMs < endMs; ) {
            const dtMs = Math.min(stepMs, endMs - atMs);
            const share = Math.min(1, Math.max(0, (celsius - thermal.throttleC) / (thermal.hardC - thermal.throttleC)));
            const speed = 1000 - share * (1000 - thermal.throttledPermille);
            const watts = state.power === 1 ? wattsAt(board, Math.min(state.load, speed)) : 0;
            celsius += ((state.heat + thermal.cPerWatt * watts - celsius) * dtMs) / (thermal.tauS * 1000);
            atMs += dtMs;
          }
          expect(Math.abs(cpu.celsius(atMs) - celsius)).toBeLessThan(0.1);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('nextChange is the moment at which throttled turns, and looking changes nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PROFILES), history, (name, steps) => {
        const watched = new Thermal(HARDWARE[name]);
        const alone = new Thermal(HARDWARE[name]);
        let atMs = 0;
        for (const { forMs, change } of steps) {
          apply(watched, atMs, change);
          apply(alone, atMs, change);
          const next = watched.nextChange(atMs);
          const is = watched.throttled(atMs);
          if (next !== null) {
            expect(next).toBeGreaterThan(atMs);
            expect(watched.throttled(next)).toBe(!is);
            if (next - 1 > atMs) expect(watched.throttled(next - 1)).toBe(is);
            expect(watched.throttled(next + HOUR_MS)).toBe(!is);
          } else {
            for (const laterMs of [1, 60_000, HOUR_MS, 24 * HOUR_MS]) {
              // Where it comes to rest at the very edge, a rounding error says on which side.
              const isAtEdge = Math.abs(watched.celsius(atMs + laterMs) - HARDWARE[name].thermal.throttleC) < 1e-9;
              if (!isAtEdge) expect(watched.throttled(atMs + laterMs)).toBe(is);
            }
          }
          atMs += forMs;
        }
        expect(watched.celsius(atMs)).toBe(alone.celsius(atMs));
      }),
    );
  });
});
