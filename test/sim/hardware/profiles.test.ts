import { describe, expect, test } from 'vitest';
import { wattsAt } from '../../../sim/hardware/cpu/watts.ts';
import { HARDWARE } from '../../../sim/hardware/profiles.ts';
import { PROFILES } from '../../../sim/scenario/scenario.ts';

describe('profiles', () => {
  test('there is one for each name', () => {
    expect(Object.keys(HARDWARE)).toEqual([...PROFILES]);
  });

  test.each(PROFILES)('%s hangs together', (name) => {
    const board = HARDWARE[name];
    expect(board.cpuMillis).toBe(board.cores * 1000);
    expect(board.systemMib).toBeLessThan(board.memoryMib);
    expect(board.idleWatts).toBeLessThan(board.maxWatts);
    // A supply as the maker asks for carries the board at its busiest; 5 V, the PC 12 V.
    expect(board.maxWatts * 1000).toBeLessThan(board.peakMilliAmps * (board.arch === 'x64' ? 12 : 5));
    expect(board.thermal.throttleC).toBeLessThan(board.thermal.hardC);
    expect(board.thermal.throttledPermille).toBeGreaterThan(0);
    expect(board.thermal.throttledPermille).toBeLessThan(1000);
    expect(Object.values(board.enforces)).toEqual([true, true, true, true, true, true]);
    expect(board.buses.length).toBeGreaterThan(0);
  });

  test('a Pi 5 at its floor is still faster than a Pi 4 at full speed, as its maker says', () => {
    const { speedPermille, thermal } = HARDWARE['pi-5'];
    expect((speedPermille * thermal.throttledPermille) / 1000).toBeGreaterThan(HARDWARE['pi-4b'].speedPermille);
  });

  test('a Pi 4 takes 2.7 W idle, 6.4 W with four cores busy, and half way between with two', () => {
    expect(wattsAt(HARDWARE['pi-4b'], 0)).toBeCloseTo(2.7);
    expect(wattsAt(HARDWARE['pi-4b'], 500)).toBeCloseTo(4.55);
    expect(wattsAt(HARDWARE['pi-4b'], 1000)).toBeCloseTo(6.4);
    expect(wattsAt(HARDWARE['pi-4b'], 4000)).toBeCloseTo(6.4);
  });
});
