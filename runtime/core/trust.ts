/**
 * What a board believes. It runs an instance only when four signatures agree: a gateway of its federation leased it,
 * its tenant requested it, a publisher signed the release, and the publisher's roots listed that key.
 */
import { type Bytes, equal } from '../protocol/bytes.ts';
import type { Crypto } from '../protocol/crypto.ts';
import { refuse } from '../protocol/errors.ts';
import { fingerprint } from '../protocol/ids.ts';
import { type MultiSealed, unseal } from '../protocol/noun.ts';
import { checkGuarded, type Lease, leaseIdOf, leaseNoun } from '../protocol/nouns/lease.ts';
import { type Manifest, manifestNoun } from '../protocol/nouns/release.ts';
import { type Request, requestIdOf, requestNoun } from '../protocol/nouns/request.ts';
import { type GatewayEntry, type PublisherDoc, unsealPublisher } from '../protocol/nouns/trust.ts';

/** Errors: `unassigned` when no listed gateway signed it or it is another board's. */
export const openLease = (crypto: Crypto, board: string, listed: GatewayEntry[], document: Bytes): Lease => {
  const { value, signer } = unseal(crypto, leaseNoun, document);
  const guardian = listed.find((entry) => entry.gateway === value.guardian);
  if (guardian === undefined || !equal(guardian.key, signer))
    refuse('unassigned', `lease ${value.lease} is not signed by the gateway it names`);
  if (value.board !== board) refuse('unassigned', `lease ${value.lease} is for board ${value.board}`);
  checkGuarded(value);
  if (leaseIdOf(crypto, value) !== value.lease) refuse('bad-schema', "the lease's id is not that of its terms");
  return value;
};

/** For the release, or, while that is rolled out, for the one that it takes over from. */
const asksFor = ({ release, fallback, rollout }: Request, lease: Lease): boolean =>
  equal(release, lease.release) || (rollout !== undefined && fallback !== undefined && equal(fallback.release, lease.release));

/** Errors: `unrequested`. `hash` is what the assignment named. */
export const openRequest = (crypto: Crypto, lease: Lease, hash: Bytes, document: Bytes): Request => {
  const sealed = unseal(crypto, requestNoun, document);
  const { value, signer } = sealed;
  if (!equal(sealed.hash, hash)) refuse('unrequested', 'the request is not the one that was assigned');
  if (value.tenant !== lease.tenant || fingerprint(crypto, signer) !== value.tenant)
    refuse('unrequested', `tenant ${lease.tenant} did not sign it`);
  if (requestIdOf(crypto, value.tenant, value.name) !== lease.request) refuse('unrequested', 'the lease is for another request');
  if (value.state !== 'destroyed' && !asksFor(value, lease)) refuse('unrequested', 'the tenant asked for another release');
  return value;
};

/** The newest of a publisher's versions, each signed by the roots of the one before. `chain`: the first one first. */
const openPublisher = (crypto: Crypto, chain: Bytes[]): MultiSealed<PublisherDoc> =>
  chain.reduce<MultiSealed<PublisherDoc> | null>((held, document) => unsealPublisher(crypto, document, held?.value ?? null), null) ??
  refuse('unknown-key', 'no trust document of the publisher');

/** Errors: `wrong-publisher`, `revoked-key`, and those of a trust document. */
export const openManifest = (
  crypto: Crypto,
  lease: Pick<Lease, 'release' | 'publisher'>,
  publisherChain: Bytes[],
  document: Bytes,
): Manifest => {
  const sealed = unseal(crypto, manifestNoun, document);
  if (!equal(sealed.hash, lease.release)) refuse('unassigned', 'the manifest is not the release that was assigned');
  const publisher = openPublisher(crypto, publisherChain);
  if (!equal(publisher.hash, lease.publisher) || publisher.value.publisher !== sealed.value.publisher)
    refuse('wrong-publisher', "the trust document is another publisher's");
  if (!publisher.value.keys.some((key) => equal(key, sealed.signer)))
    refuse('wrong-publisher', `the key is not one of ${publisher.value.name}'s`);
  if (publisher.value.revoked.some((key) => equal(key, sealed.signer)))
    refuse('revoked-key', `${publisher.value.name} has revoked the key`);
  return sealed.value;
};
