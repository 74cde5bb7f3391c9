/** What a person reads in a terminal. */
import { expect, test } from 'vitest';
import { lineOf, textOf } from '../../../sim/report/text.ts';
import { broke, held } from './reports.ts';

const plain = { bold: (text: string) => text, dim: (text: string) => text, red: (text: string) => text, green: (text: string) => text };

test('a run that held shows its worst figures', () => {
  expect(textOf(held(), plain)).toBe(`first-day held with seed 7
  2 boards, 1 gateway, 1 d in 1.2 s (39 board-hours a second), 12345 events
  faults: 2 power-cut, 1 captive
  records: 384 signed, 0 lost, 0 billed twice
  overlaps: 2, the longest between homes that heard each other 1.5 s
  worst: 0 ms overlap of stop instances, 8.6 s without a home
  trace: ${'ab'.repeat(32)}
  held  museum runs within an hour  first at 00:04:10`);
});

test('faults that found nothing to befall are told apart', () => {
  const text = textOf(held({ missed: { crash: 1, heat: 2 } }), plain);
  expect(text).toContain('faults: 2 power-cut, 1 captive; found nothing to befall: 2 heat, 1 crash\n');
});

test('a run that broke shows what broke, the fewest faults, and one command', () => {
  const text = textOf(broke(), plain);
  expect(text).toContain('first-day broke with seed 7\n');
  expect(text).toContain(`promise 2 broke: no usage is lost and none is billed twice
  at 03:00:00, kitchen: record 12 of kitchen stands on two invoices: 40 and 41 micro-units`);
  expect(text).toContain(`It still fails with 2 of 3 faults:
    0  02:00:00  power-cut on kitchen for 10 min, write: 3
    2  09:00:00  power-cut on attic for 1 min, write: 0`);
  expect(text).not.toContain('captive on attic');
  expect(text.endsWith('lichen sim replay recipes/museum/scenario.yaml --seed 7 --faults 0,2')).toBe(true);
});

test('what does not depend on faults says so; what was not shrunk says nothing of it', () => {
  expect(textOf(broke({ shrunk: [] }), plain)).toContain('It fails without any of the faults.');
  expect(textOf(broke({ shrunk: null }), plain)).not.toContain('It still fails');
});

test('a flood of failures is cut short', () => {
  const [violation] = broke().violations;
  const text = textOf(broke({ violations: Array.from({ length: 200 }, () => violation!), shrunk: null }), plain);
  expect(text).toContain('and 189 more');
  expect(text.split('\n').length).toBeLessThan(40);
});

test('one of many is one line', () => {
  expect(lineOf(broke(), plain)).toBe('broke  seed 7  3 faults, 384 records, 1.2 s');
});
