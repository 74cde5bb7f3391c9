/**
 * Trust documents: an operator's (its gateways) and a publisher's (its release keys). Each is signed by a threshold
 * of root keys; version N by a threshold of the roots of N−1 *and* of N, so that roots can change and a lost
 * minority cannot. The id is the hash of the first roots: it certifies itself, and whoever pins it pins all that follow.
 */
import * as v from 'valibot';
import { base32, type Bytes, compare } from '../bytes.ts';
import { encode } from '../cbor.ts';
import type { Crypto } from '../crypto.ts';
import { refuse } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type MultiSealed, type Noun, noun, unsealMany } from '../noun.ts';
import { gatewayId, name, operatorId, positive, publicKey, publisherId, text, uintUpTo, version1 } from '../schema.ts';

const roots = {
  v: version1,
  version: positive,
  name: text,
  roots: v.pipe(v.array(publicKey), v.minLength(1), v.maxLength(LIMITS.rootKeys)),
  threshold: positive,
  revoked: v.array(publicKey),
};

export const gatewayEntry = v.strictObject({
  gateway: gatewayId,
  key: publicKey,
  name,
  region: name,
  /** `host:port` of its one TLS door. */
  address: text,
});
export type GatewayEntry = v.InferOutput<typeof gatewayEntry>;

export const operatorSchema = v.strictObject({
  ...roots,
  operator: operatorId,
  gateways: v.pipe(v.array(gatewayEntry), v.maxLength(LIMITS.gateways)),
  /** Operators it federates with; boards homed here accept their gateways. */
  peers: v.array(operatorId),
  /** Gateways that are gone for good; peers take over what they guarded without waiting. */
  retired: v.array(gatewayId),
  /** Its share of what a lease earns, per mille. */
  feePermille: uintUpTo(1000),
});
export type OperatorDoc = v.InferOutput<typeof operatorSchema>;
export const operatorNoun: Noun<OperatorDoc> = noun('operator', LIMITS.trustBytes, operatorSchema);

export const publisherSchema = v.strictObject({ ...roots, publisher: publisherId, keys: v.pipe(v.array(publicKey), v.maxLength(LIMITS.rootKeys)) });
export type PublisherDoc = v.InferOutput<typeof publisherSchema>;
export const publisherNoun: Noun<PublisherDoc> = noun('publisher', LIMITS.trustBytes, publisherSchema);

interface Roots {
  version: number;
  roots: Bytes[];
  threshold: number;
}

/** The id that the first version's roots give. */
export const trustId = (crypto: Crypto, kind: 'operator' | 'publisher', first: Pick<Roots, 'roots' | 'threshold'>): string =>
  base32(crypto.sha256(encode([`lichen.${kind}`, first.threshold, [...first.roots].sort(compare)])).subarray(0, 20));

const reached = (of: Roots, signers: Bytes[]): boolean =>
  signers.filter((signer) => of.roots.some((root) => compare(root, signer) === 0)).length >= of.threshold;

const checkRoots = (doc: Roots): void => {
  const distinct = new Set(doc.roots.map((root) => root.join()));
  if (distinct.size !== doc.roots.length || doc.threshold > doc.roots.length) refuse('bad-schema', 'roots repeat, or the threshold exceeds them');
};

const unsealTrust = <T extends Roots>(
  crypto: Crypto, kind: Noun<T>, idOf: (doc: T) => string, what: 'operator' | 'publisher', bytes: Bytes, previous: T | null,
): MultiSealed<T> => {
  const sealed = unsealMany(crypto, kind, bytes, 2 * LIMITS.rootKeys);
  const doc = sealed.value;
  checkRoots(doc);
  if (!reached(doc, sealed.signers)) refuse('bad-signature', `fewer than ${doc.threshold} roots of version ${doc.version} signed`);
  if (previous === null) {
    if (doc.version !== 1) refuse('unknown-key', `version ${doc.version} of an unknown ${what}; version 1 comes first`);
    if (trustId(crypto, what, doc) !== idOf(doc)) refuse('wrong-signer', `the id is not that of the first roots`);
    return sealed;
  }
  if (idOf(previous) !== idOf(doc)) refuse('wrong-signer', `another ${what}'s document`);
  if (doc.version <= previous.version) refuse('stale', `version ${previous.version} is known, this is ${doc.version}`);
  if (doc.version !== previous.version + 1) refuse('conflict', `version ${previous.version + 1} must come before ${doc.version}`);
  if (!reached(previous, sealed.signers)) refuse('bad-signature', `fewer than ${previous.threshold} roots of version ${previous.version} signed`);
  return sealed;
};

/** `previous`: the newest version held, or null. Versions come one by one, so that each is signed by the last. */
export const unsealOperator = (crypto: Crypto, bytes: Bytes, previous: OperatorDoc | null): MultiSealed<OperatorDoc> =>
  unsealTrust(crypto, operatorNoun, (doc) => doc.operator, 'operator', bytes, previous);

export const unsealPublisher = (crypto: Crypto, bytes: Bytes, previous: PublisherDoc | null): MultiSealed<PublisherDoc> =>
  unsealTrust(crypto, publisherNoun, (doc) => doc.publisher, 'publisher', bytes, previous);
