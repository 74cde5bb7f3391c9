/** What people read is short, exact and never an id without need. */
import { expect, test } from 'vitest';
import { plural } from '../../../runtime/protocol/printable.ts';
import { amount, duration, moment, withNames } from '../../../sim/report/words.ts';

test('moments count from the beginning', () => {
  expect(moment(0)).toBe('00:00:00');
  expect(moment(3_723_004)).toBe('01:02:03.004');
  expect(moment(2 * 86_400_000 + 15_307_000)).toBe('2d 04:15:07');
});

test('durations have one or two units', () => {
  expect([0, 999, 1000, 8600, 59_999].map(duration)).toEqual(['0 ms', '999 ms', '1 s', '8.6 s', '59.999 s']);
  expect([60_000, 61_500, 5_400_000, 86_400_000, 90_061_000].map(duration)).toEqual(['1 min', '1 min 1 s', '1 h 30 min', '1 d', '1 d 1 h']);
});

test('money keeps all decimals that matter and at least two', () => {
  expect([0n, 1n, 1_500_000n, 1_250_001n, -40n].map(amount)).toEqual(['0.00', '0.000001', '1.50', '1.250001', '−0.00004']);
});

test('one of a thing has no s', () => {
  expect([plural(1, 'board'), plural(0, 'board'), plural(2, 'fault or deed', 'faults and deeds')]).toEqual([
    '1 board',
    '0 boards',
    '2 faults and deeds',
  ]);
});

test('ids become names, unknown ones become short, other words stay', () => {
  const [board, lease, hash] = ['nlkxmsatpu4dqhupxcenl7l4jvijopsk', 'obtlavtro76zr3aknkc4w2hfl6mpkfva', 'be'.repeat(32)];
  const names = { [board]: 'kitchen' };
  expect(withNames(`lease ${lease} on ${board}, of ${hash} at 0a0a`, names)).toBe('lease obtlavtr… on kitchen, of bebebebe… at 0a0a');
  expect(withNames(`${'a'.repeat(31)} ${'z'.repeat(33)} constructor`, {})).toBe(`${'a'.repeat(31)} ${'z'.repeat(33)} constructor`);
});
