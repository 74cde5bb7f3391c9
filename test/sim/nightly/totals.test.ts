/** How single runs add up to a night. */
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { jsonOf } from '../../../sim/report/json.ts';
import { broke, held } from '../report/reports.ts';
import { nothingYet, runLine, textOf, withCrash, withRun } from './totals.ts';

const lineOf = (report: ReturnType<typeof held>) => v.parse(runLine, JSON.parse(JSON.stringify(jsonOf(report))));

test('what a run says of itself is what is added up', () => {
  const one = withRun(nothingYet(5), lineOf(held({ faults: { b: 1, a: 2 }, overlaps: 3, worstOverlapMs: 90, worstRehomeMs: 7 })));
  const two = withRun(one, lineOf(held({ seed: 8, faults: { c: 1, a: 1 }, overlaps: 1, worstOverlapMs: 60, worstRehomeMs: 9 })));
  expect(two).toMatchObject({
    ...{ ok: true, from: 5, seeds: 2, boardHours: 96, recordsSigned: 768, recordsLost: 0, recordsBilledTwice: 0 },
    ...{ overlaps: 4, worstOverlapMs: 90, overlapStopMs: 0, worstRehomeMs: 9, violations: [], unmet: [], crashed: [] },
  });
  expect(JSON.stringify(two.faults)).toBe('{"a":3,"b":1,"c":1}');
});

test('whatever broke is told with its seed and the command that shows it', () => {
  const unmet = held({ ok: false, seed: 9, expectations: [{ says: 'all is well', held: false, detail: '' }] });
  const totals = withRun(withRun(withRun(nothingYet(7), lineOf(broke({ expectations: [] }))), lineOf(held({ seed: 8 }))), lineOf(unmet));
  const replay = 'lichen sim replay recipes/museum/scenario.yaml --seed 7 --faults 0,2';
  expect(totals.ok).toBe(false);
  expect(totals.violations).toMatchObject([{ seed: 7, promise: 2, code: 'billed-twice', atMs: 10_800_000, who: 'kitchen', replay }]);
  expect(totals.unmet).toEqual([{ seed: 9, says: 'all is well', replay: 'lichen sim replay recipes/museum/scenario.yaml --seed 9' }]);
  const text = textOf(totals);
  expect(text).toContain('3 seeds from 7: promises broke');
  expect(text).toContain(`  ${replay}\n    promise 2, billed-twice, at 03:00:00, kitchen: record 12`);
  expect(text).toContain('--seed 9\n    not met: all is well');
});

test('a run that did not come to its end is no run that held', () => {
  const totals = withCrash(withRun(nothingYet(1), lineOf(held())), { seed: 2, why: 'exit status 70: no more memory' });
  expect(totals).toMatchObject({ ok: false, seeds: 1 });
  expect(textOf(totals)).toContain('seed 2 did not come to its end: exit status 70: no more memory');
});

test('a night in which nothing ran has shown nothing', () => {
  expect(nothingYet(1).ok).toBe(false);
  expect(textOf(nothingYet(1))).toContain('0 seeds from 1: nothing was run; go on with --from 1');
});
