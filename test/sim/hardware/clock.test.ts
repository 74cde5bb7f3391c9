import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BoardClock, SAVE_EVERY_MS } from '../../../sim/hardware/clock.ts';

const START_MS = 1_790_000_000_000;
const HOUR_MS = 3_600_000;
const exact = { rtc: false, driftPpm: 0 };

describe('clock', () => {
  test('runs with the world when its quartz is exact', () => {
    const clock = new BoardClock(exact, START_MS);
    expect(clock.wallMs(1234)).toBe(START_MS + 1234);
    expect(clock.monoMs(1234)).toBe(1234);
  });

  test('20 ppm are 1.728 s a day, on both clocks', () => {
    const clock = new BoardClock({ rtc: true, driftPpm: 20 }, START_MS);
    expect(clock.wallMs(24 * HOUR_MS) - START_MS - 24 * HOUR_MS).toBe(1728);
    expect(clock.monoMs(24 * HOUR_MS) - 24 * HOUR_MS).toBe(1728);
  });

  test('with an RTC it knows the time after days without power', () => {
    const clock = new BoardClock({ rtc: true, driftPpm: 0 }, START_MS);
    clock.powerDown(HOUR_MS, 'cut');
    clock.powerUp(100 * HOUR_MS);
    expect(clock.wallMs(100 * HOUR_MS)).toBe(START_MS + 100 * HOUR_MS);
    expect(clock.monoMs(100 * HOUR_MS + 5)).toBe(5);
  });

  test('without one it wakes at the last full hour of its uptime, or where it was shut down', () => {
    const clock = new BoardClock(exact, START_MS);
    clock.powerDown(2.5 * HOUR_MS, 'cut');
    clock.powerUp(100 * HOUR_MS);
    expect(clock.wallMs(100 * HOUR_MS)).toBe(START_MS + 2 * HOUR_MS);
    clock.powerDown(100.5 * HOUR_MS, 'clean');
    clock.powerUp(200 * HOUR_MS);
    expect(clock.wallMs(200 * HOUR_MS)).toBe(START_MS + 2.5 * HOUR_MS);
    // Cut within the first hour: it wakes where it woke before.
    clock.powerDown(200.9 * HOUR_MS, 'cut');
    clock.powerUp(300 * HOUR_MS);
    expect(clock.wallMs(300 * HOUR_MS)).toBe(START_MS + 2.5 * HOUR_MS);
  });

  test('set by an anchor, what it saves next is right', () => {
    const clock = new BoardClock(exact, START_MS, START_MS - 1000 * HOUR_MS);
    expect(clock.wallMs(0)).toBe(START_MS - 1000 * HOUR_MS);
    clock.set(10, START_MS + 10);
    clock.powerDown(3 * HOUR_MS, 'cut');
    clock.powerUp(4 * HOUR_MS);
    expect(clock.wallMs(4 * HOUR_MS)).toBe(START_MS + 3 * HOUR_MS);
  });

  test('a jump moves the wall clock alone, also back', () => {
    const clock = new BoardClock(exact, START_MS);
    clock.jump(50, -24 * HOUR_MS);
    expect(clock.wallMs(60)).toBe(START_MS + 60 - 24 * HOUR_MS);
    expect(clock.monoMs(60)).toBe(60);
  });

  test('what was saved before a jump knows nothing of it', () => {
    const clock = new BoardClock(exact, START_MS);
    clock.jump(2.5 * HOUR_MS, 24 * HOUR_MS);
    clock.powerDown(2.9 * HOUR_MS, 'cut');
    clock.powerUp(3 * HOUR_MS);
    expect(clock.wallMs(3 * HOUR_MS)).toBe(START_MS + 2 * HOUR_MS);
  });

  test('saves happen each hour of uptime, whoever looks', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 * HOUR_MS }), fc.array(fc.nat(50 * HOUR_MS), { maxLength: 5 }), (cutMs, jumps) => {
        const clock = new BoardClock(exact, START_MS);
        for (const atMs of [...jumps].sort((a, b) => a - b).filter((at) => at <= cutMs)) clock.jump(atMs, 0);
        clock.powerDown(cutMs, 'cut');
        clock.powerUp(cutMs + HOUR_MS);
        expect(clock.wallMs(cutMs + HOUR_MS)).toBe(START_MS + Math.floor(cutMs / SAVE_EVERY_MS) * SAVE_EVERY_MS);
      }),
    );
  });

  test('the monotonic clock never goes back, and lastsMs is never too short nor a ms too long', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -200, max: 200 }),
        fc.integer({ min: 0, max: 2_000_000_000 }),
        fc.integer({ min: 0, max: 100_000_000 }),
        (driftPpm, atMs, ms) => {
          const clock = new BoardClock({ rtc: false, driftPpm }, START_MS);
          expect(clock.monoMs(atMs + 1)).toBeGreaterThanOrEqual(clock.monoMs(atMs));
          const lasts = clock.lastsMs(ms);
          expect(clock.monoMs(lasts)).toBeGreaterThanOrEqual(ms);
          if (lasts > 1) expect(clock.monoMs(lasts - 2)).toBeLessThan(ms);
        },
      ),
    );
  });
});
