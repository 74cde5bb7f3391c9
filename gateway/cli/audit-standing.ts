/** Who might say what, asked of the evidence up to a vector: trust documents, keys of boards, and what a lease stands on. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import { leaseIdOf } from '../../runtime/protocol/nouns/lease.ts';
import type { Vector } from '../../runtime/protocol/nouns/log.ts';
import { type Rates, requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import { type OperatorDoc, type PublisherDoc, trustId } from '../../runtime/protocol/nouns/trust.ts';
import { bornWith, type Evidence, type Exhibit, sameKey } from './audit-evidence.ts';

export const below = <T>(rows: Exhibit<T>[], vector: Vector): Exhibit<T>[] => rows.filter(({ author, seq }) => seq < (vector[author] ?? 0));

interface Rooted {
  version: number;
  previous: Bytes | null;
  roots: Bytes[];
  threshold: number;
}

const enough = (of: Rooted, signers: Bytes[]): boolean =>
  of.roots.filter((root) => signers.some((signer) => sameKey(signer, root))).length >= of.threshold;

const succeeds = ({ previous }: Rooted, hash: string): boolean => previous !== null && hex(previous) === hash;

const soundRoots = ({ roots, threshold }: Rooted): boolean => new Set(roots.map(hex)).size === roots.length && threshold <= roots.length;

/** Version 1 names itself by its roots; each later one names the one before and is signed by its roots, too. */
const lineage = <T extends Rooted>(crypto: Crypto, rows: Exhibit<T>[], kind: 'operator' | 'publisher', id: string): Exhibit<T>[] => {
  const line: Exhibit<T>[] = [];
  for (;;) {
    const before = line.at(-1);
    const heirs = rows
      .filter(({ value, signers }) => value.version === line.length + 1 && soundRoots(value) && enough(value, signers))
      .filter(({ value, signers }) =>
        before === undefined ? trustId(crypto, kind, value) === id : succeeds(value, before.hash) && enough(before.value, signers),
      )
      .sort((a, b) => (a.hash < b.hash ? -1 : 1));
    const [heir] = heirs;
    if (heir === undefined) return line;
    line.push(heir);
  }
};

export interface Trusted {
  operators: Map<string, OperatorDoc[]>;
  publishers: Map<string, Exhibit<PublisherDoc>[]>;
  revoked: Set<string>;
}

export const trustedIn = (crypto: Crypto, evidence: Evidence, vector: Vector): Trusted => {
  const operatorRows = below(evidence.operators, vector);
  const publisherRows = below(evidence.publishers, vector);
  const operators = new Map(
    [...new Set(operatorRows.map(({ value }) => value.operator))].map((id): [string, OperatorDoc[]] => {
      const own = operatorRows.filter(({ value }) => value.operator === id);
      return [id, lineage(crypto, own, 'operator', id).map(({ value }) => value)];
    }),
  );
  const publishers = new Map(
    [...new Set(publisherRows.map(({ value }) => value.publisher))].map((id): [string, Exhibit<PublisherDoc>[]] => {
      const own = publisherRows.filter(({ value }) => value.publisher === id);
      return [id, lineage(crypto, own, 'publisher', id)];
    }),
  );
  const revoked = new Set([...operators.values()].flatMap((line) => line.flatMap((doc) => doc.revoked.map(hex))));
  return { operators, publishers, revoked };
};

/** Keys under which a gateway is listed, in any version of any operator's document. */
export const gatewayKeys = (trusted: Trusted, gateway: string): Bytes[] =>
  [...trusted.operators.values()].flatMap((line) =>
    line.flatMap((doc) => doc.gateways.filter((entry) => entry.gateway === gateway).map(({ key }) => key)),
  );

/** Hex of the keys a board was born with and rotated to. */
export const boardKeys = (crypto: Crypto, evidence: Evidence, board: string, vector: Vector): Set<string> => {
  const born = below(evidence.pairs, vector).filter(({ value }) => value.board === board && bornWith(crypto, board, [value.key]));
  const keys = new Set(born.map(({ value }) => hex(value.key)));
  const handovers = below(evidence.rotations, vector).filter(
    ({ value, signers }) =>
      value.kind === 'board' &&
      value.subject === board &&
      [value.from, value.to].every((key) => signers.some((signer) => sameKey(signer, key))),
  );
  // A board hands over at most as often as there are documents of it, in whatever order they are read.
  for (const _round of handovers) for (const { value } of handovers) if (keys.has(hex(value.from))) keys.add(hex(value.to));
  return keys;
};

const RATE_NAMES = ['wallHour', 'cpuSecond', 'memoryMibHour', 'netMib', 'diskMib', 'dataMibHour'] as const;
const allRates = (a: Rates, b: Rates, holds: (x: bigint, y: bigint) => boolean): boolean =>
  RATE_NAMES.every((name) => holds(a[name], b[name]));

/** XTS, not payable, stands in for any currency. */
const fits = (lease: Lease, currency: string): boolean => [currency, 'XTS'].includes(lease.currency);

/** Why a lease does not stand on what was signed up to the vector; null when it does. */
export const objectionTo = (
  crypto: Crypto,
  evidence: Evidence,
  trusted: Trusted,
  { value: lease, signers }: Exhibit<Lease>,
  vector: Vector,
): string | null => {
  const fresh = ({ signers: keys }: { signers: Bytes[] }): boolean => keys.every((key) => !trusted.revoked.has(hex(key)));
  const line = trusted.operators.get(lease.operator) ?? [];
  const listed = line.some((doc) =>
    doc.gateways.some(({ gateway, key }) => gateway === lease.guardian && signers.some((signer) => sameKey(signer, key))),
  );
  if (lease.lease !== leaseIdOf(crypto, lease)) return 'its id is not that of its terms';
  if (!listed) return 'it is not signed by a gateway that its operator lists';
  if (!fresh({ signers })) return 'the key that signed it is revoked';
  if (!line.some((doc) => doc.feePermille === lease.feePermille)) return "its fee is not its operator's";
  const requests = below(evidence.requests, vector).filter(
    (row) =>
      row.value.tenant === lease.tenant &&
      bornWith(crypto, lease.tenant, row.signers) &&
      fresh(row) &&
      requestIdOf(crypto, row.value.tenant, row.value.name) === lease.request &&
      row.value.name === lease.name,
  );
  if (requests.length === 0) return 'no request signed by its tenant stands behind it';
  const asking = requests.filter(
    ({ value }) =>
      value.state !== 'destroyed' &&
      [value.release, ...(value.rollout === undefined ? [] : [value.fallback?.release])].some(
        (release) => release !== undefined && hex(release) === hex(lease.release),
      ) &&
      lease.index < value.replicas &&
      value.onIsolation === lease.onIsolation &&
      hex(lease.voucher) === hex(value.voucher) &&
      fits(lease, value.currency) &&
      allRates(lease.rates, value.priceCap, (x, y) => x <= y),
  );
  if (asking.length === 0) return 'no request of its tenant asks for this release at these rates';
  const vouchers = below(evidence.vouchers, vector).filter(
    (row) => row.value.tenant === lease.tenant && bornWith(crypto, lease.tenant, row.signers) && fresh(row),
  );
  const covered = asking.some(({ value: request }) =>
    vouchers.some(
      ({ value, hash }) =>
        hash === hex(request.voucher) &&
        value.name === lease.name &&
        value.currency === request.currency &&
        lease.capMicro <= value.capMicro &&
        lease.openedMs <= value.notAfterMs,
    ),
  );
  if (!covered) return 'no voucher of its tenant covers it';
  const paired = below(evidence.pairs, vector).some(
    ({ value }) => value.board === lease.board && bornWith(crypto, lease.board, [value.key]) && value.owner === lease.owner,
  );
  if (!paired) return 'its board was not paired for its owner';
  const bindings = below(evidence.bindings, vector).filter(
    (row) =>
      row.value.board === lease.board &&
      row.value.version === lease.binding &&
      row.value.owner === lease.owner &&
      bornWith(crypto, lease.owner, row.signers) &&
      fresh(row),
  );
  if (bindings.length === 0) return 'no binding signed by its owner stands behind it';
  const agreed = bindings.some(({ value }) => fits(lease, value.currency) && allRates(lease.rates, value.rates, (x, y) => x === y));
  return agreed ? null : 'its rates are not those that the owner signed';
};

/** Why a lease's release may not run; null when its publisher signed it. */
export const releaseObjection = (evidence: Evidence, trusted: Trusted, lease: Lease): string | null => {
  const manifests = evidence.manifests.filter(({ hash }) => hash === hex(lease.release));
  if (manifests.length === 0) return 'its manifest is not among the evidence';
  const signed = manifests.some(({ value, signers }) =>
    (trusted.publishers.get(value.publisher) ?? []).some(
      (doc) =>
        doc.hash === hex(lease.publisher) &&
        signers.every(
          (signer) => doc.value.keys.some((key) => sameKey(key, signer)) && !doc.value.revoked.some((key) => sameKey(key, signer)),
        ),
    ),
  );
  return signed ? null : 'its publisher did not sign it';
};
