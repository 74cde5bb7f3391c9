/** Which of the boards of a look is taken. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Context } from '../../../gateway/core/context.ts';
import { drawn } from '../../../gateway/core/pool.ts';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { rendezvous } from '../../../runtime/protocol/rendezvous.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { idOf, OPERATOR } from '../../support/federation.ts';
import { runs } from '../../support/properties.ts';

const context: Context = {
  crypto: testCrypto,
  signer: keyOf('gateway a'),
  me: idOf<GatewayId>('gateway a'),
  operator: OPERATOR,
  silenceMs: 1,
};

describe('a draw among equals', () => {
  test('is won by the first of the rendezvous, in whatever order they stand (property)', () => {
    const boards = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(boards, fc.string(), (ids, draw) => {
        const [first] = rendezvous(testCrypto, draw, ids);
        for (const among of [ids, [...ids].reverse()]) {
          const candidates = among.map((board) => ({ board }));
          expect(drawn(context, candidates, draw)?.board).toBe(first);
        }
      }),
      runs(100),
    );
  });
});
