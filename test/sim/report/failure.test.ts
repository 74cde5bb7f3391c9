/** One command that runs it again, and when two failures are the same one. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { CODES } from '../../../sim/oracle/codes.ts';
import { failuresOf, replayCommand, signatureOf } from '../../../sim/report/failure.ts';
import { PROMISES } from '../../../sim/report/promises.ts';
import { broke, HOSTILE, held } from './reports.ts';

test('the command names seed, faults and tier, and nothing that is usual', () => {
  expect(replayCommand(held())).toBe('lichen sim replay recipes/museum/scenario.yaml --seed 7');
  expect(replayCommand(broke({ tier: 'b' }))).toBe('lichen sim replay recipes/museum/scenario.yaml --seed 7 --faults 0,2 --tier b');
  expect(replayCommand(held({ crypto: 'ed25519' }))).toBe('lichen sim replay recipes/museum/scenario.yaml --seed 7 --ed25519');
  expect(replayCommand(broke({ shrunk: [] }))).toContain('--faults none');
});

test('a shell takes any path as one word', () => {
  for (const path of ['a b/$(id)`id`;x.yaml', "it's.yaml", HOSTILE.replace('\0', '')]) {
    const command = replayCommand(held({ path })).replace('lichen sim replay ', 'printf %s ').replace(' --seed 7', '');
    expect(execFileSync('sh', ['-c', command], { encoding: 'utf8' })).toBe(path);
  }
});

test('failures are what broke and what was not met, in names', () => {
  expect(failuresOf(held())).toEqual([]);
  const [violation, expectation, ...more] = failuresOf(broke());
  expect(more).toEqual([]);
  expect(violation).toMatchObject({ code: 'billed-twice', promise: 2 });
  expect(violation?.says).toBe('at 03:00:00, kitchen: record 12 of kitchen stands on two invoices: 40 and 41 micro-units');
  expect(expectation).toMatchObject({ code: 'expectation', promise: null, says: 'seen at most: 0' });
});

test('a signature leaves out what would fail by itself once faults are gone', () => {
  const report = broke();
  expect([...signatureOf(report, () => false)]).toEqual(['2 billed-twice', 'expect museum runs within an hour']);
  expect([...signatureOf(report, (says) => says.startsWith('museum'))]).toEqual(['2 billed-twice']);
  expect(signatureOf(held(), () => false).size).toBe(0);
});

test('a promise is told as judged exactly when the judge can break it', () => {
  const judged = PROMISES.filter((one) => one.judged).map(({ number }) => number);
  expect(judged).toEqual([...new Set<number>(Object.values(CODES))].sort((a, b) => a - b));
  expect(PROMISES.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});
