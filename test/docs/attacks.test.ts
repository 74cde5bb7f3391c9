/** docs/spec/attacks.md names tests: each is there, under that name. And it leaves out none of tuf-conformance, nor names others. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(root, 'docs/spec/attacks.md'), 'utf8');
const rows = [...text.matchAll(/`([a-z/-]+(?:\.[a-z]+)*\.test\.ts)`: ([^|\n]+?) \|/g)].map(([, file = '', title = '']) => ({
  file,
  title,
}));

test('every attack is answered by a test', () => {
  const lines = text.split('\n').filter((line) => line.startsWith('|') && !/^\|(---| attack| there)/.test(line));
  expect(rows).toHaveLength(lines.length);
  expect(rows.length).toBeGreaterThan(30);
});

test.each(rows)('$file: $title', ({ file, title }) => {
  const source = readFileSync(join(root, 'test', file), 'utf8').replaceAll("\\'", "'");
  const titles = [
    ...source.matchAll(/(?:test|describe)(?:\.[a-z]+(?:<[\s\S]*?>(?=\())?(?:\([\s\S]*?\]\))?)?\(\s*(['"`])([\s\S]*?)\1/g),
  ].map(([, , said = '']) => said);
  expect(
    titles.filter((said) => said.startsWith(title)),
    titles.join('\n'),
  ).not.toEqual([]);
});

test('each test of tuf-conformance is answered once, and no other', () => {
  const fixture = readFileSync(join(root, 'test/fixtures/tuf-conformance.txt'), 'utf8');
  const theirs = fixture.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const answered = [...text.matchAll(/`(test_\w+)`/g)].map(([, name = '']) => name);
  expect(answered.toSorted()).toEqual(theirs.toSorted());
  expect(theirs).toHaveLength(53);
});
