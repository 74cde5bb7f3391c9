/** The line that programs read. */
import { expect, test } from 'vitest';
import { jsonOf, totalOf } from '../../../sim/report/json.ts';
import { broke, held } from './reports.ts';

/** The contract: these keys, in this order, before any further ones. */
const CONTRACT = [
  ...['ok', 'seed', 'traceHash', 'boards', 'simulatedHours', 'wallSeconds', 'faults', 'recordsSigned', 'recordsLost'],
  ...['recordsBilledTwice', 'overlapStopMs', 'violations'],
];

test('one run has the keys of the contract', () => {
  const value = jsonOf(held());
  expect(Object.keys(value).slice(0, CONTRACT.length)).toEqual(CONTRACT);
  expect(value).toMatchObject({ ok: true, simulatedHours: 24, wallSeconds: 1.235, faults: { captive: 1, 'power-cut': 2 }, violations: [] });
  expect(JSON.parse(JSON.stringify(value))).toEqual(value);
  expect(Object.keys(totalOf([held()])).slice(0, CONTRACT.length)).toEqual(CONTRACT);
});

test('kinds of faults come in one order, whatever happened first', () => {
  expect(JSON.stringify(jsonOf(held({ faults: { b: 1, a: 2 } })).faults)).toBe('{"a":2,"b":1}');
});

test('faults that found nothing to befall are told apart', () => {
  const [one, other] = [held({ missed: { heat: 2 } }), held({ missed: { heat: 1, crash: 1 } })];
  expect(jsonOf(one)).toMatchObject({ faults: { captive: 1, 'power-cut': 2 }, faultsMissed: { heat: 2 } });
  expect(totalOf([one, other])).toMatchObject({ faults: { captive: 2, 'power-cut': 4 }, faultsMissed: { crash: 1, heat: 3 } });
});

test('violations are told in names, with their seed', () => {
  expect(jsonOf(broke()).violations).toEqual([
    {
      ...{ seed: 7, promise: 2, code: 'billed-twice', atMs: 10_800_000, who: 'kitchen' },
      what: 'record 12 of kitchen stands on two invoices: 40 and 41 micro-units',
    },
  ]);
});

test('many seeds add up, and the first that failed is named', () => {
  const total = totalOf([held({ seed: 7 }), broke({ seed: 8, traceHash: 'cd', worstRehomeMs: 9000 }), held({ seed: 9, boards: 2 })]);
  expect(total).toMatchObject({
    ...{ ok: false, seed: 8, traceHash: 'cd', boards: 2, simulatedHours: 72, faults: { captive: 3, 'power-cut': 6 } },
    ...{
      recordsSigned: 1152,
      recordsBilledTwice: 2,
      worstRehomeMs: 9000,
      overlaps: 6,
      worstOverlapMs: 1500,
      seeds: 3,
      seedsFailed: [8],
      shrunk: [0, 2],
    },
  });
  expect(total.violations).toHaveLength(1);
  expect(total.replay).toContain('--seed 8');
  expect(totalOf([held({ seed: 3 }), held({ seed: 4 })])).toMatchObject({ ok: true, seed: 3, seeds: 2, seedsFailed: [] });
});
