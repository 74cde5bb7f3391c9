/** JUnit's XML as other programs read it; that it parses with any names in it is shown in test/browser. */
import { expect, test } from 'vitest';
import { junitOf } from '../../../sim/report/junit.ts';
import { broke, held, hostile } from './reports.ts';

const names = (xml: string): string[] => [...xml.matchAll(/<testcase [^>]*name="([^"]*)"/g)].map((match) => match[1] ?? '');

test('a suite has a case for each promise and each expectation', () => {
  const xml = junitOf([held()]);
  expect(xml).toContain('<testsuite name="first-day" tests="10" failures="0" errors="0" skipped="0" time="1.235">');
  expect(names(xml).map((name) => name.replace(/: .*/, ''))).toEqual([
    ...[1, 2, 3, 4, 5, 6, 7, 8, 10].map((number) => `promise ${number}`),
    'expect',
  ]);
  expect(xml).not.toContain('<failure');
  expect(xml).toContain(`<property name="traceHashes" value="${'ab'.repeat(32)}"/>`);
});

test('a failure says its seed and the command that replays it', () => {
  const xml = junitOf([broke()]);
  expect(xml).toContain('failures="2"');
  expect(xml).toContain('<failure type="billed-twice" message="seed 7: at 03:00:00, kitchen: record 12 of kitchen');
  expect(xml).toContain('lichen sim replay recipes/museum/scenario.yaml --seed 7 --faults 0,2</failure>');
});

test('seeds of one scenario are one suite, other scenarios have their own', () => {
  const xml = junitOf([held({ seed: 1 }), broke({ seed: 2 }), broke({ seed: 3 }), held({ scenario: 'other' })]);
  expect(xml.match(/<testsuite /g)).toHaveLength(2);
  expect(xml).toContain('<property name="seeds" value="1 2 3"/>');
  expect(xml.match(/<failure /g)).toHaveLength(2);
  expect(xml).toMatch(/seed 2: at [^<]*seed 3: at /);
  expect(names(xml)).toHaveLength(9 + 2 + 9 + 1);
});

test('no name ends its element or its attribute', () => {
  const xml = junitOf([hostile()]);
  expect(xml).not.toContain('<img');
  expect(xml).not.toContain('\u0000');
  expect(xml.match(/<[a-z]+ [^<>]*>/g)?.every((tag) => (tag.match(/"/g)?.length ?? 0) % 2 === 0)).toBe(true);
});
