import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatQuantity, isMisread, parseQuantity, parseRange, patternOf, UNITS, type UnitName } from '../../../sim/scenario/units.ts';

const isUnit = (word: string): word is UnitName => Object.hasOwn(UNITS, word);
const units = Object.keys(UNITS).filter(isUnit);
const unit = fc.constantFrom(...units);
const amount = fc.oneof(fc.integer({ min: 0, max: 2 ** 50 }), fc.integer({ min: 0, max: 5000 }));
const signed = fc.tuple(amount, fc.boolean()).map(([value, isNegative]) => (isNegative && value !== 0 ? -value : value));

describe('quantities', () => {
  test('what is written for a value is read as that value', () => {
    fc.assert(
      fc.property(unit, signed, (of, value) => {
        expect(parseQuantity(of, formatQuantity(of, value))).toBe(value);
      }),
    );
  });

  test('every word of every unit is worth what the table says', () => {
    for (const of of units) {
      const { comes, words }: { comes: string; words: Record<string, number> } = UNITS[of];
      for (const [word, worth] of Object.entries(words)) {
        const read = parseQuantity(of, `1000 ${word}`);
        expect([of, word, read]).toEqual([of, word, comes === 'down' ? Math.floor(1000 * worth) : 1000 * worth]);
      }
    }
  });

  test('the pattern of the JSON schema takes what is written, and what is read back', () => {
    fc.assert(
      fc.property(unit, signed, (of, value) => {
        expect(formatQuantity(of, value)).toMatch(new RegExp(`^${patternOf(of)}$`, 'u'));
      }),
    );
  });

  test('no text makes it throw, and what it takes is a number', () => {
    fc.assert(
      fc.property(unit, fc.oneof(fc.string(), fc.stringMatching(/^-?[0-9.]{1,6} ?[a-zA-Z%°/]{0,5}$/)), (of, text) => {
        const read = parseQuantity(of, text);
        expect(isMisread(read) ? read.next.length > 0 : Number.isFinite(read)).toBe(true);
      }),
    );
  });

  test.each<[UnitName, string, number]>([
    ['ms', '10min', 600_000],
    ['ms', '24h', 86_400_000],
    ['ms', '30d', 2_592_000_000],
    ['ms', '250ms', 250],
    ['ms', '1h30min', 5_400_000],
    ['ms', '1h 30min', 5_400_000],
    ['ms', '1.1s', 1100],
    ['ms', '-1d', -86_400_000],
    ['ms', '0', 0],
    ['mib', '64MiB', 64],
    ['storageMib', '16GB', 15_258],
    ['bytesPerS', '20kB/s', 20_000],
    ['bytesPerS', '1Mbit/s', 125_000],
    ['cpuMillis', '120m', 120],
    ['cpuMillis', '0.5 cores', 500],
    ['permille', '5%', 50],
    ['permille', '0.1%', 1],
    ['ppm', '20ppm', 20],
    ['celsius', '60°C', 60],
    ['celsius', '-5C', -5],
    ['wattHours', '0.5kWh', 500],
    ['micro', '0.000001 units', 1],
  ])('%s: %s is %d', (of, text, value) => {
    expect(parseQuantity(of, text)).toBe(value);
  });

  test.each<[UnitName, string, string, string]>([
    ['ms', '5', '"5" has no unit', 'Write a number with one of ms, s, min, h, d, such as 10min.'],
    ['ms', '5 parsecs', '"5 parsecs" is not a time', 'Write a number with one of ms, s, min, h, d, such as 10min.'],
    ['ms', '20MiB', '"20MiB" is not a time', 'Write a number with one of ms, s, min, h, d, such as 10min.'],
    ['ms', '5m', '"5m" is not a time', 'Write "5min".'],
    ['ms', '2 hours', '"2 hours" is not a time', 'Write "2 h".'],
    ['ms', '30min1h', '"30min1h" is not a time', 'Write a number with one of ms, s, min, h, d, such as 10min.'],
    ['ms', '0.5ms', '"0.5ms" is too fine', 'Write 1ms.'],
    ['ms', '99999999999999d', '"99999999999999d" is too large', 'Write a number with one of ms, s, min, h, d, such as 10min.'],
    ['mib', '64mib', '"64mib" is not an amount of memory', 'Write "64MiB".'],
    ['bytesPerS', '20 KB/S', '"20 KB/S" is not a rate', 'Write "20 kB/s".'],
    ['permille', '0.05%', '"0.05%" is too fine', 'Write 1‰.'],
    ['cpuMillis', '2 cpus', '"2 cpus" is not a share of processors', 'Write "2 cores".'],
    ['celsius', 'hot', '"hot" is not a temperature', 'Write a number with one of C, °C, such as 60°C.'],
  ])('%s: %s is refused', (of, text, what, next) => {
    expect(parseQuantity(of, text)).toMatchObject({ what, next });
  });

  test('a unit of something else is named as such', () => {
    expect(parseQuantity('ms', '20MiB')).toMatchObject({ why: '"MiB" is a unit of an amount of memory' });
  });

  test('ranges: both ends, one for both, and never down', () => {
    expect(parseRange('ms', '1min..20min')).toEqual({ least: 60_000, most: 1_200_000 });
    expect(parseRange('ms', '0..10min')).toEqual({ least: 0, most: 600_000 });
    expect(parseRange('ms', '5s')).toEqual({ least: 5000, most: 5000 });
    expect(parseRange('ms', '20min..1min')).toMatchObject({ what: '"20min..1min" goes down', next: 'Write 1min..20min.' });
    expect(parseRange('ms', '1s..2s..3s')).toMatchObject({ what: '"1s..2s..3s" is not a range' });
    expect(parseRange('ms', '1min..20')).toMatchObject({ what: '"20" has no unit' });
  });
});
