import { describe, expect, test } from 'vitest';
import { applyOperator } from '../../../gateway/core/apply-trust.ts';
import type { Context } from '../../../gateway/core/context.ts';
import { allGateways, gatewayById, gateways, holdsKey, isRevoked, keysOf, trusted } from '../../../gateway/core/directory.ts';
import type { GatewayId, OperatorId } from '../../../runtime/protocol/ids.ts';
import { sealMany } from '../../../runtime/protocol/noun.ts';
import { type OperatorDoc, operatorNoun, trustId } from '../../../runtime/protocol/nouns/trust.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { GATEWAYS, hashOf, idOf, OPERATOR, operatorDoc, ROOTS } from '../../support/federation.ts';
import { openMemoryStore } from '../../support/memory-store.ts';

const context: Context = {
  crypto: testCrypto,
  signer: keyOf('gateway a'),
  me: idOf<GatewayId>('gateway a'),
  operator: OPERATOR,
  silenceMs: 1,
};
const signed = (doc: OperatorDoc, roots = ROOTS): Uint8Array => sealMany(operatorNoun, doc, roots.map(keyOf));
const after = (doc: OperatorDoc, changes: Partial<OperatorDoc>): OperatorDoc => ({
  ...doc,
  version: doc.version + 1,
  previous: hashOf(operatorNoun, doc),
  ...changes,
});

const strangerRoots = { roots: ['x', 'y'].map((name) => keyOf(name).publicKey), threshold: 1 };
const STRANGER = trustId(testCrypto, 'operator', strangerRoots) as OperatorId;
/** Another operator, which lists a gateway of its own. */
const stranger = (changes: Partial<OperatorDoc> = {}): OperatorDoc => ({
  ...operatorDoc(),
  ...strangerRoots,
  ...{
    operator: STRANGER,
    gateways: [{ ...operatorDoc().gateways[0]!, gateway: idOf<GatewayId>('gateway x'), key: keyOf('gateway x').publicKey }],
  },
  ...changes,
});

const knowing = (...documents: Uint8Array[]): Draft<never> => {
  const draft = new Draft<never>(openMemoryStore().snapshot(), new Map());
  for (const document of documents) applyOperator(draft, context, document);
  return draft;
};
const idsOf = (listed: { gateway: GatewayId }[]): GatewayId[] => listed.map(({ gateway }) => gateway);
const ids = (...names: string[]): GatewayId[] => names.map((name) => idOf<GatewayId>(name));
const refusal = (code: string) => expect.objectContaining({ code });

const first = operatorDoc();
const federated = after(first, { peers: [STRANGER] });

describe('the directory', () => {
  test('is empty before the own operator is known', () => {
    const draft = knowing();
    expect([trusted(draft, context), allGateways(draft, context), gatewayById(draft, context, context.me)]).toEqual([[], [], undefined]);
  });

  test("holds the own operator's gateways, and those of operators it federates with", () => {
    expect(idsOf(gateways(knowing(signed(first)), context))).toEqual(ids(...GATEWAYS));
    const draft = knowing(signed(first), signed(federated), signed(stranger(), ['x']));
    expect(idsOf(gateways(draft, context))).toEqual(ids(...GATEWAYS, 'gateway x'));
    expect(gatewayById(draft, context, idOf('gateway x'))).toMatchObject({ operator: STRANGER, feePermille: 137 });
  });

  test('does not take an operator in that the own one does not name', () => {
    expect(() => knowing(signed(first), signed(stranger(), ['x']))).toThrow(refusal('unknown-key'));
  });

  test('leaves out who is retired or revoked, whichever trusted operator says so; what they logged stays readable', () => {
    const revoking = stranger({ revoked: [keyOf('gateway b').publicKey], retired: ids('gateway c') });
    const draft = knowing(signed(first), signed(federated), signed(revoking, ['x']));
    expect(idsOf(gateways(draft, context))).toEqual(ids('gateway a', 'gateway x'));
    expect(idsOf(allGateways(draft, context))).toEqual(ids(...GATEWAYS, 'gateway x'));
    expect(isRevoked(draft, context, keyOf('gateway b').publicKey)).toBe(true);
    expect(isRevoked(draft, context, keyOf('gateway c').publicKey)).toBe(false);
  });

  test('remembers every key under which a gateway was listed, and knows the present one', () => {
    const [a, ...others] = first.gateways;
    const second = after(first, { gateways: [{ ...a!, key: keyOf('gateway a new').publicKey }, ...others] });
    const draft = knowing(signed(first), signed(second));
    expect(keysOf(draft, context, context.me)).toEqual(
      ['gateway a', 'gateway a new'].map((name) => ({ operator: OPERATOR, key: keyOf(name).publicKey })),
    );
    expect(holdsKey(draft, context, context.me, keyOf('gateway a new').publicKey)).toBe(true);
    expect(holdsKey(draft, context, context.me, keyOf('gateway a').publicKey)).toBe(false);
    const third = after(second, { revoked: [keyOf('gateway a new').publicKey] });
    applyOperator(draft, context, signed(third));
    expect(holdsKey(draft, context, context.me, keyOf('gateway a new').publicKey)).toBe(false);
    expect(keysOf(draft, context, context.me)).toHaveLength(2);
  });

  test('follows versions one by one, and takes none back', () => {
    const second = after(first, { name: 'second' });
    const third = after(second, { name: 'third' });
    expect(() => knowing(signed(first), signed(third))).toThrow(refusal('conflict'));
    expect(() => knowing(signed(second))).toThrow(refusal('unknown-key'));
    const draft = knowing(signed(first), signed(second), signed(third), signed(first), signed(second));
    expect(trusted(draft, context)[0]?.name).toBe('third');
    expect(() => applyOperator(draft, context, signed(after(second, { name: 'fork' })))).toThrow(refusal('stale'));
    expect(() => applyOperator(draft, context, signed(after({ ...third, name: 'another third' }, {})))).toThrow(refusal('fork'));
    expect(() => applyOperator(draft, context, signed(after(third, {}), ['root 1']))).toThrow(refusal('bad-signature'));
  });
});
