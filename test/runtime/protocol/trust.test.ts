/** Trust documents: thresholds, succession, and what does not follow (docs/spec/trust.md). */
import { describe, expect, test } from 'vitest';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import type { OperatorId } from '../../../runtime/protocol/ids.ts';
import { sealMany } from '../../../runtime/protocol/noun.ts';
import {
  type OperatorDoc,
  operatorNoun,
  type PublisherDoc,
  publisherNoun,
  trustId,
  unsealOperator,
  unsealPublisher,
} from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, idOf, OPERATOR, operatorDoc, PUBLISHER, ROOTS } from '../../support/federation.ts';

const signed = (doc: OperatorDoc, ...by: string[]): Bytes => sealMany(operatorNoun, doc, by.map(keyOf));
const open = (bytes: Bytes, held: OperatorDoc | null = null): OperatorDoc => unsealOperator(testCrypto, bytes, held).value;
const keys = (...names: string[]): Bytes[] => names.map((name) => keyOf(name).publicKey);

const first = operatorDoc();
const successor = (held: OperatorDoc, changes: Partial<OperatorDoc> = {}): OperatorDoc => ({
  ...held,
  version: held.version + 1,
  previous: hashOf(operatorNoun, held),
  ...changes,
});
const second = successor(first, { feePermille: 20 });

describe('the first version', () => {
  test('is signed by a threshold of its roots, in any order [trust-2]', () => {
    expect(open(signed(first, 'root 1', 'root 2'))).toEqual(first);
    expect(open(signed(first, 'root 3', 'root 1'))).toEqual(first);
    expect(open(signed(first, 'root 3', 'stranger', 'root 1'))).toEqual(first);
  });

  test.each<[string, () => Bytes, string]>([
    ['too few roots', () => signed(first, 'root 1'), 'bad-signature'],
    ['strangers in their place', () => signed(first, 'root 1', 'stranger'), 'bad-signature'],
    [
      'an id that its roots do not give',
      () => signed({ ...first, operator: idOf<OperatorId>('other') }, 'root 1', 'root 2'),
      'wrong-signer',
    ],
    ['another threshold under the same id', () => signed({ ...first, threshold: 1 }, 'root 1', 'root 2'), 'wrong-signer'],
    ['a root too many under the same id', () => signed({ ...first, roots: keys(...ROOTS, 'root 4') }, 'root 1', 'root 2'), 'wrong-signer'],
    ['a root twice', () => signed({ ...first, roots: keys('root 1', 'root 1', 'root 2') }, 'root 1', 'root 2'), 'bad-schema'],
    ['a threshold above its roots', () => signed({ ...first, threshold: 4 }, ...ROOTS), 'bad-schema'],
    ['a second version in its place', () => signed(second, ...ROOTS), 'unknown-key'],
    ["a publisher's signatures", () => sealMany({ ...operatorNoun, typ: publisherNoun.typ }, first, ROOTS.map(keyOf)), 'bad-schema'],
  ])('is refused with %s [trust-2, trust-3]', (_name, bytes, code) => expect(() => open(bytes())).toThrow(code));

  test('gives the same id in any order of its roots [trust-3, encoding-14]', () => {
    const { threshold, roots } = first;
    expect(trustId(testCrypto, 'operator', { threshold, roots: [...roots].reverse() })).toBe(OPERATOR);
    expect(trustId(testCrypto, 'publisher', { threshold, roots })).not.toBe(OPERATOR);
  });
});

describe('a later version', () => {
  test('is signed by thresholds of its own roots and of those before [trust-4]', () => {
    expect(open(signed(second, 'root 1', 'root 2'), first)).toEqual(second);
    const handed = successor(first, { roots: keys('root 3', 'root 4', 'root 5') });
    expect(open(signed(handed, 'root 1', 'root 3', 'root 4'), first)).toEqual(handed);
    expect(open(signed(successor(handed), 'root 4', 'root 5'), handed)).toEqual(successor(handed));
  });

  const handed = successor(first, { roots: keys('root 3', 'root 4', 'root 5') });
  test.each<[string, () => Bytes, OperatorDoc, string]>([
    ['its own roots only', () => signed(handed, 'root 3', 'root 4'), first, 'bad-signature'],
    ['the old roots only', () => signed(handed, 'root 1', 'root 2'), first, 'bad-signature'],
    ['a skipped version', () => signed(successor(second), ...ROOTS), first, 'conflict'],
    ['the version that is held', () => signed(first, ...ROOTS), first, 'stale'],
    ['an older version', () => signed(first, ...ROOTS), second, 'stale'],
    ['no word of the one before', () => signed(successor(first, { previous: null }), ...ROOTS), first, 'fork'],
    ['another one before', () => signed(successor(second, { previous: hashOf(operatorNoun, first) }), ...ROOTS), second, 'fork'],
    ["another operator's id", () => signed({ ...second, operator: idOf<OperatorId>('other') }, ...ROOTS), first, 'wrong-signer'],
  ])('is refused with %s [trust-4, trust-5]', (_name, bytes, held, code) => expect(() => open(bytes(), held)).toThrow(code));
});

test('a publisher’s documents follow the same rules', () => {
  const { v, version, previous, roots, threshold } = first;
  const doc: PublisherDoc = {
    v,
    version,
    previous,
    name: 'press',
    roots,
    threshold,
    revoked: [],
    publisher: PUBLISHER,
    keys: keys('release key'),
  };
  const seal = (of: PublisherDoc, ...by: string[]): Bytes => sealMany(publisherNoun, of, by.map(keyOf));
  expect(unsealPublisher(testCrypto, seal(doc, 'root 1', 'root 2'), null).value).toEqual(doc);
  const next: PublisherDoc = { ...doc, version: 2, previous: hashOf(publisherNoun, doc), keys: keys('next key') };
  expect(unsealPublisher(testCrypto, seal(next, 'root 2', 'root 3'), doc).hash).toEqual(hashOf(publisherNoun, next));
  expect(() => unsealPublisher(testCrypto, seal(next, 'root 2'), doc)).toThrow('bad-signature');
  expect(() => unsealPublisher(testCrypto, seal(doc, ...ROOTS), next)).toThrow('stale');
});
