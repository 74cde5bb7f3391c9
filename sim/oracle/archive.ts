/**
 * What persons signed, as the world told it, and the leases that gateways signed. Whether a gateway's signature holds is
 * worked out when something depends on it, once.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { open1, typOf } from '../../runtime/protocol/cose.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { type Noun, type Sealed, unseal, unsealMany } from '../../runtime/protocol/noun.ts';
import { type Lease, leaseNoun } from '../../runtime/protocol/nouns/lease.ts';
import { type Manifest, manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import {
  type Binding,
  bindingNoun,
  type Request,
  requestIdOf,
  requestNoun,
  type Voucher,
  voucherNoun,
} from '../../runtime/protocol/nouns/request.ts';
import { type OperatorDoc, operatorNoun, type PublisherDoc, publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { markOf } from './glance.ts';
import type { LeaseCase, Scene } from './scene.ts';

export interface Signed<T> {
  value: T;
  /** Hex. */
  hash: string;
  signer: string;
}

export interface Archive {
  /** A person signed it. */
  file(document: Bytes): void;
  request(hash: string): Signed<Request> | undefined;
  /** By request id. */
  requestsOf(id: string): Signed<Request>[];
  manifest(hash: string): Signed<Manifest> | undefined;
  publisher(hash: string): PublisherDoc | undefined;
  voucher(hash: string): Signed<Voucher> | undefined;
  feesOf(operator: string): number[];
  isRevoked(key: string): boolean;
  /** Gateways that served at one time or another, one list for each state of the operators' documents. */
  serving(): string[][];
  /** At some time a single gateway served, so that one disk was all there was. */
  wasAlone(): boolean;
  /** The lease in a document; null when it is none. */
  lease(document: Bytes): LeaseCase | null;
  /** A gateway that its operator lists signed the lease. */
  isProven(lease: LeaseCase): boolean;
  /** Some gateway that an operator lists signed it. */
  isOfGateway<T>(kind: Noun<T>, document: Bytes): boolean;
}

/** Takes every signature: for what is believed because of where it was heard, not because of who signed it. */
export const believing = (crypto: Crypto): Crypto => ({ sha256: crypto.sha256, verify: () => true });

/** Null for whatever the protocol refuses. */
export const orNull = <T>(read: () => T): T | null => {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof LichenError) return null;
    throw thrown;
  }
};

/** Of one lease, until it is known who signed it. */
const PAPERS = 4;

interface Shelves {
  requests: Map<string, Signed<Request>>;
  byRequest: Map<string, Signed<Request>[]>;
  manifests: Map<string, Signed<Manifest>>;
  publishers: Map<string, PublisherDoc>;
  vouchers: Map<string, Signed<Voucher>>;
  bindings: Map<string, Signed<Binding>>;
  /** All versions, in the order in which they were signed. */
  operators: Map<string, OperatorDoc[]>;
  revoked: Set<string>;
  serving: string[][];
}

const signed = <T>({ value, hash, signer }: Sealed<T>): Signed<T> => ({ value, hash: hex(hash), signer: hex(signer) });

/** Of each operator the newest version counts. */
const servingNow = (operators: Map<string, OperatorDoc[]>): string[] => {
  const newest = [...operators.values()].flatMap((versions) => versions.slice(-1));
  const retired = new Set<string>(newest.flatMap((doc) => doc.retired));
  const revoked = new Set(newest.flatMap((doc) => doc.revoked.map(hex)));
  return newest
    .flatMap((doc) => doc.gateways)
    .filter(({ gateway, key }) => !retired.has(gateway) && !revoked.has(hex(key)))
    .map(({ gateway }) => gateway);
};

const put = <T>(shelf: Map<string, Signed<T>>, sealed: Sealed<T>): Signed<T> => {
  const made = signed(sealed);
  shelf.set(made.hash, made);
  return made;
};

const fileOperator = (crypto: Crypto, { operators, revoked, serving }: Shelves, document: Bytes): void => {
  const { value } = unsealMany(crypto, operatorNoun, document, 2 * LIMITS.rootKeys);
  const versions = operators.get(value.operator) ?? [];
  operators.set(value.operator, [...versions, value]);
  for (const key of value.revoked) revoked.add(hex(key));
  serving.push(servingNow(operators));
};

const FILERS: Record<string, (crypto: Crypto, shelves: Shelves, document: Bytes) => void> = {
  [operatorNoun.typ]: fileOperator,
  [publisherNoun.typ]: (crypto, { publishers }, document) => {
    const { value, hash } = unsealMany(crypto, publisherNoun, document, 2 * LIMITS.rootKeys);
    publishers.set(hex(hash), value);
  },
  [manifestNoun.typ]: (crypto, { manifests }, document) => void put(manifests, unseal(crypto, manifestNoun, document)),
  [voucherNoun.typ]: (crypto, { vouchers }, document) => void put(vouchers, unseal(crypto, voucherNoun, document)),
  [bindingNoun.typ]: (crypto, { bindings }, document) => void put(bindings, unseal(crypto, bindingNoun, document)),
  [requestNoun.typ]: (crypto, { requests, byRequest }, document) => {
    const made = put(requests, unseal(crypto, requestNoun, document));
    const id = requestIdOf(crypto, made.value.tenant, made.value.name);
    byRequest.set(id, [...(byRequest.get(id) ?? []), made]);
  },
};

export const openArchive = (crypto: Crypto, scene: Scene): Archive => {
  const shelves: Shelves = {
    ...{ requests: new Map(), byRequest: new Map(), manifests: new Map(), publishers: new Map(), vouchers: new Map() },
    ...{ bindings: new Map(), operators: new Map(), revoked: new Set(), serving: [] },
  };
  const trusting = believing(crypto);
  const leases = new Map<number, LeaseCase | null>();
  /** Whether some version of an operator's document lists this key; null: of whichever gateway or operator. */
  const lists = (gateway: string | null, key: string, operator: string | null): boolean =>
    [...shelves.operators].some(
      ([id, versions]) =>
        (operator === null || operator === id) &&
        versions.some((doc) => doc.gateways.some((entry) => (gateway === null || entry.gateway === gateway) && hex(entry.key) === key)),
    );
  const readLease = (document: Bytes): LeaseCase | null => {
    const value: Lease | null = orNull(() => unseal(trusting, leaseNoun, document).value);
    if (value === null) return null;
    const found = scene.lease(value.lease);
    if (found.document === null) {
      found.document = value;
      scene.instance(`${value.request}/${value.index}`).leases.add(found);
    }
    // One that is signed by nobody of weight must not stand in the way of one that is.
    if (!found.isProven && found.papers.length < PAPERS) found.papers.push(document.slice());
    return found;
  };
  return {
    file: (document) => {
      const typ = orNull(() => typOf(document)) ?? '';
      orNull(() => FILERS[typ]?.(crypto, shelves, document));
    },
    request: (hash) => shelves.requests.get(hash),
    requestsOf: (id) => shelves.byRequest.get(id) ?? [],
    manifest: (hash) => shelves.manifests.get(hash),
    publisher: (hash) => shelves.publishers.get(hash),
    voucher: (hash) => shelves.vouchers.get(hash),
    feesOf: (operator) => (shelves.operators.get(operator) ?? []).map((doc) => doc.feePermille),
    isRevoked: (key) => shelves.revoked.has(key),
    serving: () => shelves.serving,
    wasAlone: () => shelves.serving.some((gateways) => gateways.length === 1),
    lease: (document) => {
      const mark = markOf(document);
      const known = leases.get(mark);
      if (known !== undefined) return known;
      const read = readLease(document);
      leases.set(mark, read);
      return read;
    },
    isProven: (lease) => {
      const { document } = lease;
      if (document === null || lease.isProven) return lease.isProven;
      const signers = lease.papers.flatMap((paper) => orNull(() => open1(crypto, leaseNoun.typ, paper).signers) ?? []);
      lease.isProven = signers.some((key) => lists(document.guardian, hex(key), document.operator));
      if (lease.isProven) lease.papers.length = 0;
      return lease.isProven;
    },
    isOfGateway: (kind, document) => {
      const signers = orNull(() => open1(crypto, kind.typ, document).signers) ?? [];
      return signers.some((key) => lists(null, hex(key), null));
    },
  };
};
