/** Workflow commands are read line by line: what a scenario says must not become one. */
import { expect, test } from 'vitest';
import { annotationsOf, summaryOf } from '../../../sim/report/github.ts';
import { broke, held, hostile } from './reports.ts';

test('what held needs no annotation', () => expect(annotationsOf([held()])).toEqual([]));

test('each failure is one line with file, title, seed and command', () => {
  const [first, second, ...rest] = annotationsOf([broke()]);
  expect(rest).toEqual([]);
  expect(first).toBe(
    '::error file=recipes/museum/scenario.yaml,title=promise 2 broke%3A no usage is lost and none is billed twice::seed 7, at 03:00:00, kitchen: record 12 of kitchen stands on two invoices: 40 and 41 micro-units%0Alichen sim replay recipes/museum/scenario.yaml --seed 7 --faults 0,2',
  );
  expect(second).toContain('title=not met%3A museum runs within an hour::');
});

test('nothing in a name begins a line, a property or a command of its own', () => {
  const report = hostile();
  const line = annotationsOf([{ ...report, path: 'a,b:c%0A\n::error::x' }])[0] ?? '';
  expect(line.split(/[\r\n]/)).toHaveLength(1);
  expect(line.startsWith('::error file=a%2Cb%3Ac%250A%0A%3A%3Aerror%3A%3Ax,title=')).toBe(true);
});

test('a runner shows ten, so the tenth says how many there are', () => {
  const many = annotationsOf(Array.from({ length: 30 }, (_, seed) => broke({ seed })));
  expect(many).toHaveLength(10);
  expect(many.at(-1)).toContain('and 51 more');
});

test('the summary tells each seed, and of a failure what broke and how to replay it', () => {
  const text = summaryOf([held({ seed: 1 }), broke({ seed: 2 })]);
  expect(text).toContain('### ❌ first-day broke with 1 of 2 seeds');
  expect(text).toContain('| ✅ | 1 | 2 + 1 | 1 d | 3 | 384 / 0 / 0 | 0 ms | 8.6 s | `abababababababab` |');
  expect(text).toContain('| ❌ | 2 |');
  expect(text).toContain('```sh\nlichen sim replay recipes/museum/scenario.yaml --seed 2 --faults 0,2\n```');
  expect(summaryOf([held()])).toContain('### ✅ first-day held with 1 seed\n');
});

test('names make no tags, cells or fences', () => {
  const text = summaryOf([hostile()]);
  expect(text.replace(/^```sh\n[\s\S]*?\n```$/m, '')).not.toContain('<img');
  expect(text).toContain('\\|\\`');
  expect(text.match(/^```/gm)).toHaveLength(2);
  expect(text).not.toContain('&\\#');
});
