import { expect, it } from 'vitest';
import { judgeLimits, rehomeWithin } from '../../../sim/oracle/bounds.ts';

it.each([
  ['the usual patience of a board grows', 10_000, 90_000],
  ['one that has more than that keeps it', 120_000, 120_000],
])('a board may spend one long dial on a gateway that is gone, and then has the usual time: %s', (_name, patienceMs, longestMs) => {
  expect(rehomeWithin(patienceMs)).toBe(judgeLimits().rehomeMs + longestMs);
});
