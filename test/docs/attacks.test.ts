/** docs/spec/attacks.md names tests: each is there, under that name. */
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
  const titles = [...source.matchAll(/(?:test|describe)(?:\.[a-z]+(?:<[^>]*>)?(?:\([\s\S]*?\]\))?)?\(\s*(['"`])([\s\S]*?)\1/g)].map(
    ([, , said = '']) => said,
  );
  expect(
    titles.filter((said) => said.startsWith(title)),
    titles.join('\n'),
  ).not.toEqual([]);
});
