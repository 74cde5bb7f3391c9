/** What each mutant switches off is still there; that it is caught shows mutants.slow.test.ts. */
import { expect, test } from 'vitest';
import { occurrences } from '../../support/patched.ts';
import { MUTANTS } from './mutants.ts';

test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('not stale: %s', (_name, mutant) => {
  expect(occurrences(mutant)).toBe(1);
});
