import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reference } from './reference.ts';

const path = join(import.meta.dirname, '..', '..', 'docs', 'reference.md');

test('docs/reference.md is what the tables say', () => {
  if (process.env.LICHEN_UPDATE === '1') writeFileSync(path, reference());
  expect(readFileSync(path, 'utf8')).toBe(reference());
});
