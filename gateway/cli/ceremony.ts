/**
 * Making the documents that operators, publishers, tenants and owners sign. Pure over keys, so that the same words
 * serve the command line, a machine without a network, and the tests.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';
import {
  type BoardId,
  fingerprint,
  idFrom,
  type OperatorId,
  type OwnerId,
  type PublisherId,
  type TenantId,
} from '../../runtime/protocol/ids.ts';
import { payloadOf, seal, sealMany } from '../../runtime/protocol/noun.ts';
import {
  type Binding,
  bindingNoun,
  type Rates,
  type Request,
  type Rotation,
  requestNoun,
  rotationNoun,
  type Voucher,
  voucherNoun,
} from '../../runtime/protocol/nouns/request.ts';
import { type Share, shareNoun } from '../../runtime/protocol/nouns/share.ts';
import {
  type GatewayEntry,
  type OperatorDoc,
  operatorNoun,
  type PublisherDoc,
  publisherNoun,
  trustId,
} from '../../runtime/protocol/nouns/trust.ts';

export const operatorIdOf = (crypto: Crypto, roots: Bytes[], threshold: number): OperatorId =>
  idFrom<OperatorId>(trustId(crypto, 'operator', { roots, threshold }));

const keysOf = (signers: Signer[], absent: Bytes[] = []): Bytes[] => [...signers.map(({ publicKey }) => publicKey), ...absent];

/** The first version; later ones are made with `nextOperator`. `absent`: further roots, whose keys are not here. */
export const firstOperator = (
  crypto: Crypto,
  signers: Signer[],
  terms: { threshold: number; name: string; gateways: GatewayEntry[]; peers: OperatorId[]; feePermille: number; absent?: Bytes[] },
): { doc: OperatorDoc; document: Bytes } => {
  const { threshold, name, gateways, peers, feePermille, absent } = terms;
  const roots = keysOf(signers, absent);
  const doc: OperatorDoc = {
    v: 1,
    version: 1,
    previous: null,
    name,
    roots,
    threshold,
    revoked: [],
    operator: operatorIdOf(crypto, roots, threshold),
    gateways,
    peers,
    retired: [],
    feePermille,
  };
  return { doc, document: sealMany(operatorNoun, doc, signers) };
};

/** `signers`: a threshold of the former roots and of the new ones. */
export const nextOperator = (
  crypto: Crypto,
  previous: OperatorDoc,
  change: Partial<Omit<OperatorDoc, 'v' | 'version' | 'operator'>>,
  signers: Signer[],
): { doc: OperatorDoc; document: Bytes } => {
  const doc: OperatorDoc = {
    ...previous,
    ...change,
    version: previous.version + 1,
    previous: crypto.sha256(payloadOf(operatorNoun, previous)),
  };
  return { doc, document: sealMany(operatorNoun, doc, signers) };
};

export const publisherIdOf = (crypto: Crypto, roots: Bytes[], threshold: number): PublisherId =>
  idFrom<PublisherId>(trustId(crypto, 'publisher', { roots, threshold }));

export const firstPublisher = (
  crypto: Crypto,
  signers: Signer[],
  terms: { threshold: number; name: string; keys: Bytes[]; absent?: Bytes[] },
): { doc: PublisherDoc; document: Bytes } => {
  const { threshold, name, keys, absent } = terms;
  const roots = keysOf(signers, absent);
  const publisher = publisherIdOf(crypto, roots, threshold);
  const doc: PublisherDoc = { v: 1, version: 1, previous: null, name, roots, threshold, revoked: [], publisher, keys };
  return { doc, document: sealMany(publisherNoun, doc, signers) };
};

export const nextPublisher = (
  crypto: Crypto,
  previous: PublisherDoc,
  change: Partial<Omit<PublisherDoc, 'v' | 'version' | 'publisher'>>,
  signers: Signer[],
): { doc: PublisherDoc; document: Bytes } => {
  const doc: PublisherDoc = {
    ...previous,
    ...change,
    version: previous.version + 1,
    previous: crypto.sha256(payloadOf(publisherNoun, previous)),
  };
  return { doc, document: sealMany(publisherNoun, doc, signers) };
};

export const makeVoucher = (
  crypto: Crypto,
  tenant: Signer,
  terms: Pick<Voucher, 'name' | 'serial' | 'currency' | 'capMicro' | 'notAfterMs'>,
): { hash: Bytes; document: Bytes } => {
  const doc: Voucher = { v: 1, tenant: fingerprint<TenantId>(crypto, tenant.publicKey), ...terms };
  return { hash: crypto.sha256(payloadOf(voucherNoun, doc)), document: seal(voucherNoun, doc, tenant) };
};

export const makeRequest = (crypto: Crypto, tenant: Signer, terms: Omit<Request, 'v' | 'tenant'>): { doc: Request; document: Bytes } => {
  const doc: Request = { v: 1, tenant: fingerprint<TenantId>(crypto, tenant.publicKey), ...terms };
  return { doc, document: seal(requestNoun, doc, tenant) };
};

export const makeShare = (crypto: Crypto, tenant: Signer, terms: Omit<Share, 'v' | 'tenant'>): Bytes =>
  seal(shareNoun, { v: 1, tenant: fingerprint<TenantId>(crypto, tenant.publicKey), ...terms }, tenant);

export const makeBinding = (crypto: Crypto, owner: Signer, terms: Omit<Binding, 'v' | 'owner'>): Bytes =>
  seal(bindingNoun, { v: 1, owner: fingerprint<OwnerId>(crypto, owner.publicKey), ...terms }, owner);

export const makeRotation = (from: Signer, to: Signer, board: BoardId, version: number): Bytes => {
  const doc: Rotation = { v: 1, kind: 'board', subject: board, version, from: from.publicKey, to: to.publicKey };
  return sealMany(rotationNoun, doc, [from, to]);
};

/** A price cap that no sane tariff reaches: "whatever it costs, up to the voucher". */
export const ANY_PRICE: Rates = {
  wallHour: 10n ** 15n,
  cpuSecond: 10n ** 15n,
  memoryMibHour: 10n ** 15n,
  netMib: 10n ** 15n,
  diskMib: 10n ** 15n,
  dataMibHour: 10n ** 15n,
};
