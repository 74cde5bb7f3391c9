/** Every numbered clause of docs/spec is named by a test that proves it; what nobody proves yet is listed, and only shrinks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const specs = readdirSync(join(root, 'docs/spec')).filter((name) => name.endsWith('.md'));
const clauses = specs.flatMap((name) =>
  [...read(`docs/spec/${name}`).matchAll(/\*\*\[([a-z]+-\d+)\]\*\*/g)].map(([, clause = '']) => clause),
);
const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.test.ts') && !name.endsWith('clauses.test.ts'),
);
const named = new Set(tests.flatMap((name) => [...read(`test/${name}`).matchAll(/[a-z]+-\d+(?=[\],])/g)].map(([clause]) => clause)));

/** What gateways, boards and the crypto adapter do; a test of theirs that names a clause takes it off this list. */
const UNPROVEN = ['encoding-10', 'trust-6', 'trust-8'];

test('clauses are numbered once and without gaps', () => {
  expect(clauses.length).toBeGreaterThan(40);
  const counts = new Map<string, number>();
  for (const clause of clauses) {
    const [word = '', number = ''] = clause.split('-');
    expect(Number(number), clause).toBe((counts.get(word) ?? 0) + 1);
    counts.set(word, Number(number));
  }
});

test('each is proven by a test that names it', () => {
  expect(clauses.filter((clause) => !named.has(clause))).toEqual(UNPROVEN);
});
