/**
 * Trust documents: an operator's (its gateways) and a publisher's (its release keys). Each is signed by a threshold
 * of root keys; version N by a threshold of the roots of N−1 *and* of N, so that roots can change and a lost
 * minority cannot. The id is the hash of the first roots: it certifies itself, and whoever pins it pins all that follow.
 */
import * as v from 'valibot';
import { type Bytes, base32, compare, equal } from '../bytes.ts';
import { encode } from '../cbor.ts';
import type { Crypto } from '../crypto.ts';
import { refuse } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type MultiSealed, type Noun, noun, payloadOf, unsealMany } from '../noun.ts';
import { gatewayId, hash, name, operatorId, positive, publicKey, publisherId, text, uintUpTo, version1 } from '../schema.ts';

const roots = {
  v: version1,
  version: positive,
  /** Hash of the version before, so that whoever has never seen it can ask for the whole chain; null in the first. */
  previous: v.nullable(hash),
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

export const publisherSchema = v.strictObject({
  ...roots,
  publisher: publisherId,
  keys: v.pipe(v.array(publicKey), v.maxLength(LIMITS.rootKeys)),
});
export type PublisherDoc = v.InferOutput<typeof publisherSchema>;
export const publisherNoun: Noun<PublisherDoc> = noun('publisher', LIMITS.trustBytes, publisherSchema);

interface Roots {
  version: number;
  previous: Bytes | null;
  roots: Bytes[];
  threshold: number;
}

/** The id that the first version's roots give. */
export const trustId = (crypto: Crypto, kind: 'operator' | 'publisher', first: Pick<Roots, 'roots' | 'threshold'>): string =>
  base32(crypto.sha256(encode([`lichen.${kind}`, first.threshold, [...first.roots].sort(compare)])).subarray(0, 20));

/** How many more of its roots must sign. */
export const lackingRoots = (of: Pick<Roots, 'roots' | 'threshold'>, signers: Bytes[]): number =>
  Math.max(0, of.threshold - signers.filter((signer) => of.roots.some((root) => compare(root, signer) === 0)).length);

const reached = (of: Roots, signers: Bytes[]): boolean => lackingRoots(of, signers) === 0;

const checkRoots = (doc: Roots): void => {
  const distinct = new Set(doc.roots.map((root) => root.join()));
  if (distinct.size !== doc.roots.length || doc.threshold > doc.roots.length)
    refuse('bad-schema', 'roots repeat, or the threshold exceeds them');
};

const unsealTrust = <T extends Roots>(
  crypto: Crypto,
  kind: Noun<T>,
  idOf: (doc: T) => string,
  what: 'operator' | 'publisher',
  bytes: Bytes,
  held: T | null,
): MultiSealed<T> => {
  const sealed = unsealMany(crypto, kind, bytes, 2 * LIMITS.rootKeys);
  const doc = sealed.value;
  checkRoots(doc);
  if (!reached(doc, sealed.signers)) refuse('bad-signature', `fewer than ${doc.threshold} roots of version ${doc.version} signed`);
  if (held === null) {
    if (doc.version !== 1) refuse('unknown-key', `version ${doc.version} of an unknown ${what}; version 1 comes first`);
    if (trustId(crypto, what, doc) !== idOf(doc)) refuse('wrong-signer', `the id is not that of the first roots`);
    return sealed;
  }
  if (idOf(held) !== idOf(doc)) refuse('wrong-signer', `another ${what}'s document`);
  if (doc.version <= held.version) refuse('stale', `version ${held.version} is known, this is ${doc.version}`);
  if (doc.version !== held.version + 1) refuse('conflict', `version ${held.version + 1} must come before ${doc.version}`);
  if (!reached(held, sealed.signers)) refuse('bad-signature', `fewer than ${held.threshold} roots of version ${held.version} signed`);
  const before = crypto.sha256(payloadOf(kind, held));
  if (doc.previous === null || !equal(doc.previous, before))
    refuse('fork', `version ${doc.version} does not follow from the version ${held.version} held`);
  return sealed;
};

/** `held`: the newest version held, or null. Versions come one by one, so that each is signed by the last. */
export const unsealOperator = (crypto: Crypto, bytes: Bytes, held: OperatorDoc | null): MultiSealed<OperatorDoc> =>
  unsealTrust(crypto, operatorNoun, (doc) => doc.operator, 'operator', bytes, held);

export const unsealPublisher = (crypto: Crypto, bytes: Bytes, held: PublisherDoc | null): MultiSealed<PublisherDoc> =>
  unsealTrust(crypto, publisherNoun, (doc) => doc.publisher, 'publisher', bytes, held);
