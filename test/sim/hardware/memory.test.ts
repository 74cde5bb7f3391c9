import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { oomInMs, oomVictim, type Resident } from '../../../sim/hardware/memory.ts';
import { HARDWARE } from '../../../sim/hardware/profiles.ts';

const zero = HARDWARE['pi-zero-2w'];
const one = (id: string, usedMib: number, limitMib = 512, growsMibPerS = 0): Resident => ({ id, usedMib, limitMib, growsMibPerS });

describe('memory', () => {
  test('nobody is taken while there is room', () => {
    expect(oomVictim(zero, [])).toBeNull();
    expect(oomVictim(zero, [one('a', 100, 100), one('b', 200)])).toBeNull();
  });

  test('who is over its own limit goes, however small', () => {
    expect(oomVictim(zero, [one('large', 300), one('small', 33, 32)])).toEqual({ id: 'small', why: 'own-limit' });
  });

  test('a board that has no more takes the largest; of equals the first', () => {
    expect(oomVictim(zero, [one('a', 100), one('b', 150), one('c', 76)])).toEqual({ id: 'b', why: 'board-full' });
    expect(oomVictim(zero, [one('a', 163), one('b', 163)])).toEqual({ id: 'a', why: 'board-full' });
    expect(oomVictim(zero, [one('a', 162), one('b', 163)])).toBeNull();
  });

  test('a leak of a MiB a second reaches its limit when it must', () => {
    expect(oomInMs(zero, [one('leak', 32, 96, 1)])).toBe(64_001);
    expect(oomInMs(zero, [one('still', 32)])).toBeNull();
    expect(oomInMs(zero, [one('over', 33, 32)])).toBe(0);
    // 512 - 187 leaves 325: the board is full before the leak is at its limit.
    expect(oomInMs(zero, [one('large', 225), one('leak', 0, 400, 1)])).toBe(100_001);
  });

  test('oomInMs is the first ms at which oomVictim finds somebody', () => {
    const resident = fc.record({
      usedMib: fc.integer({ min: 0, max: 200 }),
      limitMib: fc.integer({ min: 1, max: 300 }),
      growsMibPerS: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(resident, { maxLength: 5 }), (drawn) => {
        const residents = drawn.map((rest, index) => ({ id: `${index}`, ...rest }));
        const after = (ms: number) =>
          oomVictim(
            zero,
            residents.map((now) => ({ ...now, usedMib: now.usedMib + (now.growsMibPerS * ms) / 1000 })),
          );
        const inMs = oomInMs(zero, residents);
        if (inMs === null) expect(after(1e9)).toBeNull();
        else {
          expect(after(inMs)).not.toBeNull();
          if (inMs > 0) expect(after(inMs - 1)).toBeNull();
        }
      }),
    );
  });
});
