import { expect, it } from 'vitest';
import { judgeLimits, rehomeWithin } from '../../../sim/oracle/bounds.ts';

it('a board may spend one long dial on a gateway that is gone, and then has the usual time', () => {
  expect(rehomeWithin(90_000)).toBe(judgeLimits().rehomeMs + 90_000);
});
