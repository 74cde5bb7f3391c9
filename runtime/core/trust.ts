/**
 * What a board believes. It runs an instance only when four signatures agree: a gateway of its federation leased it,
 * its tenant requested it, a publisher signed the release, and the publisher's roots listed that key.
 */
import { type Bytes, equal } from '../protocol/bytes.ts';
import type { Crypto } from '../protocol/crypto.ts';
import { refuse } from '../protocol/errors.ts';
import { fingerprint } from '../protocol/ids.ts';
import { isPayableIn } from '../protocol/money.ts';
import { type MultiSealed, unseal } from '../protocol/noun.ts';
import { checkGuarded, type Lease, leaseIdOf, leaseNoun } from '../protocol/nouns/lease.ts';
import { type Manifest, manifestNoun } from '../protocol/nouns/release.ts';
import { type Request, requestIdOf, requestNoun, voucherNoun } from '../protocol/nouns/request.ts';
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

/** The tenant's promise to pay for what its board does under the lease. Error: `unrequested`. */
export const checkVoucher = (crypto: Crypto, lease: Lease, document: Bytes): void => {
  const { value, hash, signer } = unseal(crypto, voucherNoun, document);
  if (!equal(hash, lease.voucher)) refuse('unrequested', 'the voucher is not the one that the lease names');
  if (value.tenant !== lease.tenant || fingerprint(crypto, signer) !== value.tenant)
    refuse('unrequested', `tenant ${lease.tenant} did not sign the voucher`);
  const { name, currency, capMicro, notAfterMs } = value;
  if (name !== lease.name || !isPayableIn(lease.currency, currency) || capMicro < lease.capMicro || notAfterMs < lease.openedMs)
    refuse('unrequested', `the voucher does not pay for lease ${lease.lease}`);
};

type Version = MultiSealed<PublisherDoc>;

/** A publisher's versions, the first one first, each signed by the roots of the one before. */
export const openPublisher = (crypto: Crypto, chain: Bytes[]): Version[] => {
  const versions: Version[] = [];
  for (const document of chain) versions.push(unsealPublisher(crypto, document, versions.at(-1)?.value ?? null));
  return versions;
};

/** What a board keeps of the newest version of a publisher that it has verified: `keys` may sign by it. */
export interface Newest {
  version: number;
  hash: Bytes;
  keys: Bytes[];
}

const isAmong = (keys: Bytes[], key: Bytes): boolean => keys.some((one) => equal(one, key));

const newestIn = (versions: Version[]): Version => versions.at(-1) ?? refuse('unknown-key', 'no trust document of the publisher');

/** Once these versions are known too. Error: `fork`, when what is newer does not follow on what was known. */
export const newestOf = (known: Newest | null, versions: Version[]): Newest => {
  const { value, hash } = newestIn(versions);
  if (known !== null && known.version >= value.version) return known;
  const follows = known === null || equal(versions[known.version - 1]?.hash ?? new Uint8Array(), known.hash);
  if (!follows) refuse('fork', `version ${value.version} of ${value.name} does not follow on the version ${known.version} known`);
  return { version: value.version, hash, keys: value.keys.filter((key) => !isAmong(value.revoked, key)) };
};

/**
 * `versions`: up to the one that the lease names. `newest`: by which its key has to be good as well; null: what was begun
 * already stands. Errors: `wrong-publisher`, `revoked-key`.
 */
export const openManifest = (
  crypto: Crypto,
  lease: Pick<Lease, 'release' | 'publisher'>,
  versions: Version[],
  newest: Newest | null,
  document: Bytes,
): Manifest => {
  const { value, hash, signer } = unseal(crypto, manifestNoun, document);
  if (!equal(hash, lease.release)) refuse('unassigned', 'the manifest is not the release that was assigned');
  const { value: named, hash: namedHash } = newestIn(versions);
  if (!equal(namedHash, lease.publisher) || named.publisher !== value.publisher)
    refuse('wrong-publisher', "the trust document is another publisher's");
  if (!isAmong(named.keys, signer)) refuse('wrong-publisher', `the key is not one of ${named.name}'s`);
  if (isAmong(named.revoked, signer)) refuse('revoked-key', `${named.name} has revoked the key`);
  if (newest !== null && !isAmong(newest.keys, signer))
    refuse(
      'revoked-key',
      `by version ${newest.version} of ${named.name}, which is known here, the key signs no more; named was ${named.version}`,
    );
  return value;
};
