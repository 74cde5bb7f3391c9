/**
 * Which leases stand at a vector. A lease is charged only if everything it claims is signed by whoever may say so:
 * the guardian is listed by its operator, the tenant requested it and vouches for it, the owner lends the board at
 * these rates. docs/spec/metering.md, "Leases".
 */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { asLichenError, type LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { isPayableIn, within } from '../../runtime/protocol/money.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Vector } from '../../runtime/protocol/nouns/log.ts';
import type { Binding, Request } from '../../runtime/protocol/nouns/request.ts';
import { type OperatorDoc, unsealOperator } from '../../runtime/protocol/nouns/trust.ts';
import { type Book, type Doc, type OperatorBytes, visibleIn } from './book.ts';

export interface Trust {
  /** Operator → all its versions known, oldest first. */
  operators: Map<string, OperatorDoc[]>;
  /** Hex of keys that any operator has revoked in any version. */
  revoked: Set<string>;
}

const versionsOf = (crypto: Crypto, docs: Doc<OperatorBytes>[]): OperatorDoc[] => {
  const sorted = [...docs].sort((a, b) => a.value.doc.version - b.value.doc.version || (a.name < b.name ? -1 : 1));
  const held: OperatorDoc[] = [];
  for (const { value } of sorted) {
    try {
      held.push(unsealOperator(crypto, value.bytes, held.at(-1) ?? null).value);
    } catch (thrown) {
      // What does not follow from the version before is no version; two of one number: the lower hash came first.
      if (asLichenError(thrown).code === 'internal') throw thrown;
    }
  }
  return held;
};

export const trustAt = (crypto: Crypto, book: Book, vector: Vector): Trust => {
  const operators = new Map<string, OperatorDoc[]>();
  const revoked = new Set<string>();
  for (const id of book.operators.keys()) {
    const versions = versionsOf(crypto, visibleIn(book.operators, id, vector));
    operators.set(id, versions);
    for (const doc of versions) for (const key of doc.revoked) revoked.add(hex(key));
  }
  return { operators, revoked };
};

/** Hex of every key that the board has held: the one it was born with, and those it handed over to. */
export const keysOf = (book: Book, board: string, vector: Vector): Set<string> => {
  const held = new Set(visibleIn(book.pairs, board, vector).map((doc) => hex(doc.value.key)));
  const rotations = visibleIn(book.rotations, board, vector);
  for (let size = -1; size !== held.size; ) {
    size = held.size;
    for (const { value } of rotations) if (held.has(hex(value.from))) held.add(hex(value.to));
  }
  return held;
};

const checkGuardian = (trust: Trust, { value: lease, signer }: Doc<Lease>): void => {
  const versions = trust.operators.get(lease.operator) ?? refuse('unknown-key', `operator ${lease.operator} is not known`);
  const listed = versions.some((doc) => doc.gateways.some((entry) => entry.gateway === lease.guardian && hex(entry.key) === signer));
  if (!listed) refuse('wrong-signer', `operator ${lease.operator} lists no gateway ${lease.guardian} with the key that signed`);
  if (trust.revoked.has(signer)) refuse('revoked-key', `the key of gateway ${lease.guardian} is revoked`);
  if (!versions.some((doc) => doc.feePermille === lease.feePermille))
    refuse('conflict', `${lease.feePermille} per mille is not its operator's fee`);
};

/** The release, or while that is rolled out the one before. */
const names = ({ release, fallback, rollout }: Request, lease: Lease): boolean =>
  equal(release, lease.release) || (rollout !== undefined && fallback !== undefined && equal(fallback.release, lease.release));

const asksFor = (request: Request, lease: Lease): boolean =>
  request.tenant === lease.tenant &&
  request.name === lease.name &&
  request.state !== 'destroyed' &&
  names(request, lease) &&
  lease.index < request.replicas &&
  request.onIsolation === lease.onIsolation &&
  equal(lease.voucher, request.voucher) &&
  isPayableIn(lease.currency, request.currency) &&
  within(lease.rates, request.priceCap);

const checkTenant = (book: Book, trust: Trust, lease: Lease, vector: Vector): void => {
  const asked = visibleIn(book.requests, lease.request, vector).filter(
    (doc) => !trust.revoked.has(doc.signer) && asksFor(doc.value, lease),
  );
  if (asked.length === 0) refuse('unrequested', `no request of tenant ${lease.tenant} asks for what the lease grants`);
  const vouched = asked.some(({ value: request }) =>
    visibleIn(book.vouchers, hex(request.voucher), vector).some(
      ({ value, signer }) =>
        !trust.revoked.has(signer) &&
        value.tenant === lease.tenant &&
        value.name === lease.name &&
        value.currency === request.currency &&
        value.capMicro >= lease.capMicro &&
        value.notAfterMs >= lease.openedMs,
    ),
  );
  if (!vouched) refuse('unrequested', `no voucher of tenant ${lease.tenant} covers the lease`);
};

const sameRates = (a: Lease['rates'], b: Binding['rates']): boolean => within(a, b) && within(b, a);

const checkOwner = (book: Book, trust: Trust, lease: Lease, vector: Vector): void => {
  const owned = visibleIn(book.pairs, lease.board, vector).some((doc) => doc.value.owner === lease.owner);
  if (!owned) refuse('not-paired', `board ${lease.board} was not paired for owner ${lease.owner}`);
  const bound = visibleIn(book.bindings, `${lease.board}/${lease.binding}`, vector).some(
    ({ value, signer }) =>
      !trust.revoked.has(signer) &&
      value.owner === lease.owner &&
      isPayableIn(lease.currency, value.currency) &&
      sameRates(lease.rates, value.rates),
  );
  if (!bound) refuse('not-billable', `binding ${lease.binding} of board ${lease.board} does not say what the lease says`);
};

/** Null when the lease stands, else why it does not (yet). */
export const objection = (book: Book, trust: Trust, doc: Doc<Lease>, vector: Vector): LichenError | null => {
  try {
    checkGuardian(trust, doc);
    checkTenant(book, trust, doc.value, vector);
    checkOwner(book, trust, doc.value, vector);
    return null;
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    return error;
  }
};

/** Leases of an id in the order in which they are tried: the hash decides, so that it is the same everywhere. */
export const leasesOf = (book: Book, id: string, vector: Vector): Doc<Lease>[] =>
  visibleIn(book.leases, id, vector).sort((a, b) => (a.name + a.signer < b.name + b.signer ? -1 : 1));
