/**
 * A small federation on paper: an operator with its gateways, a tenant, an owner with boards, a publisher with one
 * release, and everything they sign. Deterministic: a name makes a key.
 */
import { type Bytes, concat, hex } from '../../runtime/protocol/bytes.ts';
import { signCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import { open1, typOf } from '../../runtime/protocol/cose.ts';
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';
import {
  type BoardId,
  fingerprint,
  type GatewayId,
  type OperatorId,
  type OwnerId,
  type PublisherId,
  type TenantId,
} from '../../runtime/protocol/ids.ts';
import { append, EMPTY, rootOf } from '../../runtime/protocol/merkle.ts';
import { ZERO } from '../../runtime/protocol/money.ts';
import { encodeAs, type Noun, payloadOf, seal, sealMany } from '../../runtime/protocol/noun.ts';
import { type Registers, type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { type ChainPoint, type Lease, leaseIdOf, leaseNoun, type Terms } from '../../runtime/protocol/nouns/lease.ts';
import {
  type Close,
  closeSchema,
  type EntryKind,
  entryBytes,
  type LogEntry,
  pairSchema,
  type Vector,
} from '../../runtime/protocol/nouns/log.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import {
  type Binding,
  bindingNoun,
  type Rates,
  type Request,
  requestIdOf,
  requestNoun,
  rotationNoun,
  type Voucher,
  voucherNoun,
} from '../../runtime/protocol/nouns/request.ts';
import { type Share, shareNoun } from '../../runtime/protocol/nouns/share.ts';
import { type OperatorDoc, operatorNoun, publisherNoun, trustId } from '../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from './crypto.ts';

export interface Fact {
  kind: EntryKind;
  body: Bytes;
}

export const fact = (kind: EntryKind, body: Bytes): Fact => ({ kind, body });

/** The id of whoever was born with the key of this name; the caller says what kind of id it is. */
export const idOf = <Id extends string>(name: string): Id => fingerprint(testCrypto, keyOf(name).publicKey) as Id;

export const GATEWAYS = ['gateway a', 'gateway b', 'gateway c'];
export const ROOTS = ['root 1', 'root 2', 'root 3'];
export const RATES: Rates = {
  wallHour: 3_600_000n,
  cpuSecond: 77_777n,
  memoryMibHour: 12_345n,
  netMib: 55_555n,
  diskMib: 3_333n,
  dataMibHour: 2_222n,
};
export const FEE_PERMILLE = 137;

const firstRoots = { threshold: 2, roots: ROOTS.map((name) => keyOf(name).publicKey) };
export const OPERATOR = trustId(testCrypto, 'operator', firstRoots) as OperatorId;
export const PUBLISHER = trustId(testCrypto, 'publisher', firstRoots) as PublisherId;
export const TENANT = idOf<TenantId>('tenant');
export const OWNER = idOf<OwnerId>('owner');

const firstOperatorDoc = (changes: Partial<OperatorDoc> = {}): OperatorDoc => ({
  v: 1,
  version: 1,
  previous: null,
  name: 'Lower Saxony Lichen',
  ...firstRoots,
  revoked: [],
  operator: OPERATOR,
  gateways: GATEWAYS.map((name, i) => ({
    gateway: idOf<GatewayId>(name),
    key: keyOf(name).publicKey,
    name: `gateway-${'abc'[i]}`,
    region: 'north',
    address: `gateway-${'abc'[i]}.example:8883`,
  })),
  peers: [],
  retired: [],
  feePermille: FEE_PERMILLE,
  ...changes,
});

/** A second version says by itself which one it follows. */
export const operatorDoc = (changes: Partial<OperatorDoc> = {}): OperatorDoc => {
  const doc = firstOperatorDoc(changes);
  return doc.version === 2 && doc.previous === null
    ? { ...doc, previous: testCrypto.sha256(payloadOf(operatorNoun, firstOperatorDoc())) }
    : doc;
};

export const hashOf = <T>(kind: Noun<T>, value: T): Bytes => testCrypto.sha256(payloadOf(kind, value));

export const signedOperator = (changes: Partial<OperatorDoc> = {}, roots: string[] = ['root 1', 'root 3']): Fact =>
  fact('operator', sealMany(operatorNoun, operatorDoc(changes), roots.map(keyOf)));

/** What follows on `operatorDoc()`. */
export const secondOperator = (changes: Partial<OperatorDoc> = {}): Fact =>
  signedOperator({ version: 2, previous: hashOf(operatorNoun, operatorDoc()), ...changes }, ROOTS);

const publisherDoc = {
  ...{ v: 1 as const, version: 1, previous: null, name: 'Crustose Press', ...firstRoots, revoked: [] },
  ...{ publisher: PUBLISHER, keys: [keyOf('release key').publicKey] },
};
const manifest = {
  v: 1 as const,
  ...{ publisher: PUBLISHER, recipe: 'echo', label: '1.0', sequence: 1, arch: 'any' as const, pages: [], entries: 0, bytes: 0 },
  ...{ args: ['/usr/bin/node'], env: {}, engine: 'node' as const, parameters: {}, promises: [], demands: 'dev' as const },
  limits: { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 8 },
};

export const RELEASE = hashOf(manifestNoun, manifest);
const PUBLISHER_HASH = hashOf(publisherNoun, publisherDoc);

export const voucher = (changes: Partial<Voucher> = {}): Voucher => ({
  v: 1,
  tenant: TENANT,
  name: 'echo',
  serial: 1,
  currency: 'EUR',
  capMicro: 10n ** 14n,
  notAfterMs: 4_000_000_000_000,
  ...changes,
});

/** Hash of the voucher that pays for a request of that name. */
export const voucherFor = (name: string): Bytes => hashOf(voucherNoun, voucher({ name }));
export const VOUCHER = voucherFor('echo');

export const request = (changes: Partial<Request> = {}): Request => ({
  v: 1,
  tenant: TENANT,
  name: 'echo',
  sequence: 1,
  state: 'started',
  release: RELEASE,
  replicas: 8,
  parameters: {},
  filter: {},
  priceCap: { ...RATES, cpuSecond: RATES.cpuSecond + 1n },
  currency: 'EUR',
  voucher: voucherFor(changes.name ?? 'echo'),
  onIsolation: 'continue',
  patienceMs: 60_000,
  ...changes,
});

export const REQUEST = requestIdOf(testCrypto, TENANT, 'echo');

export const binding = (board: string, changes: Partial<Binding> = {}): Binding => ({
  v: 1,
  board: idOf<BoardId>(board),
  owner: OWNER,
  payee: 'DE02 1203 0000 0000 2020 51',
  version: 1,
  currency: 'EUR',
  rates: RATES,
  policy: { partitions: 8, labels: [] },
  ...changes,
});

export const pair = (board: string, owner: OwnerId = OWNER): Fact =>
  fact(
    'pair',
    encodeAs(
      pairSchema,
      { v: 1, board: idOf<BoardId>(board), key: keyOf(board).publicKey, owner, claim: testCrypto.sha256(concat()) },
      'pair',
    ),
  );

/** A board hands over; both keys sign. */
export const rotation = (board: string, to: string): Fact => {
  const keys = [keyOf(board), keyOf(to)];
  const [from, next] = keys.map(({ publicKey }) => publicKey);
  const value = { v: 1 as const, kind: 'board' as const, subject: idOf<BoardId>(board), version: 1, from: from!, to: next! };
  return fact('rotation', sealMany(rotationNoun, value, keys));
};

export const signedRequest = (changes: Partial<Request> = {}, tenant = 'tenant'): Fact =>
  fact('request', seal(requestNoun, request(changes), keyOf(tenant)));
export const signedVoucher = (changes: Partial<Voucher> = {}): Fact =>
  fact('voucher', seal(voucherNoun, voucher(changes), keyOf('tenant')));
export const signedBinding = (board: string, changes: Partial<Binding> = {}): Fact =>
  fact('binding', seal(bindingNoun, binding(board, changes), keyOf('owner')));
export const signedPublisher = (): Fact => fact('publisher', sealMany(publisherNoun, publisherDoc, ['root 2', 'root 3'].map(keyOf)));
export const signedManifest = (key = 'release key'): Fact => fact('manifest', seal(manifestNoun, manifest, keyOf(key)));

/** A request of its own with what pays for it. */
export const demand = (name: string, changes: Partial<Request> = {}): Bytes[] => [
  signedVoucher({ name }).body,
  signedRequest({ name, ...changes }).body,
];

/** What has to be known before a lease on these boards can stand. */
export const groundwork = (boards: string[]): Fact[] => [
  signedOperator(),
  signedPublisher(),
  signedManifest(),
  signedVoucher(),
  signedRequest(),
  ...boards.flatMap((board) => [pair(board), signedBinding(board)]),
];

export interface LeaseChoice extends Partial<Lease> {
  on: string;
  guardianName?: string;
}

export const lease = ({ on, guardianName = 'gateway a', ...changes }: LeaseChoice): Lease => {
  const { term = 1, index = 0, request: id = REQUEST } = changes;
  const guardian = idOf<GatewayId>(guardianName);
  const terms: Terms = {
    v: 1,
    ...{ term, guardian, operator: OPERATOR, request: id, index, name: 'echo', tenant: TENANT },
    ...{ board: idOf<BoardId>(on), owner: OWNER, binding: 1, release: RELEASE, publisher: PUBLISHER_HASH },
    limits: manifest.limits,
    rates: RATES,
    currency: 'EUR',
    feePermille: FEE_PERMILLE,
    capMicro: 10n ** 14n,
    voucher: VOUCHER,
    onIsolation: 'continue',
    openedMs: 1_700_000_000_000,
    ...changes,
  };
  return { ...terms, lease: leaseIdOf(testCrypto, terms) };
};

export const signedLease = (of: Lease, guardianName = 'gateway a'): Fact => fact('lease', seal(leaseNoun, of, keyOf(guardianName)));

export interface Point extends Partial<Omit<Usage, 'registers'>> {
  lease: Usage['lease'];
  registers?: Partial<Registers>;
}

const EMPTY_CHAIN: ChainPoint = { seq: 0, hash: new Uint8Array(32) };

/** A board's records, chained: each point is followed by what `start` says and by the one before it. */
export const usageChain = (board: string, points: Point[], start = EMPTY_CHAIN, key = board): Fact[] => {
  let { seq, hash: prev } = start;
  return points.map(({ registers = {}, ...point }) => {
    seq += 1;
    const usage: Usage = {
      v: 1,
      ...{ board: idOf<BoardId>(board), seq, prev, kind: 'point', bootId: 'boot', monoMs: seq, wallMs: 1_700_000_000_000 + seq * 1000 },
      ...{ quality: 'exact', tier: 'full', amnesia: false, registers: { ...ZERO, ...registers } },
      ...point,
    };
    ({ seq } = usage);
    prev = hashOf(usageNoun, usage);
    return fact('usage', seal(usageNoun, usage, keyOf(key)));
  });
};

/** Logs of the gateways from what each of them wrote down, in order. */
export const logsOf = (written: Fact[][]): LogEntry[][] =>
  written.map((facts, i) =>
    facts.map(({ kind, body }, seq) => ({
      v: 1,
      author: idOf<GatewayId>(GATEWAYS[i] ?? 'nobody'),
      seq,
      wallMs: 1_700_000_000_000 + seq,
      kind,
      body,
    })),
  );

export const vectorOf = (logs: LogEntry[][]): Vector =>
  Object.fromEntries(logs.flatMap((log) => log.slice(-1).map((entry) => [entry.author, log.length])));

export const closeAt = (period: number, vector: Vector): Close => ({ v: 1, period, vector, closedMs: 1_700_100_000_000 + period });
export const closeFact = (close: Close): Fact => fact('close', encodeAs(closeSchema, close, 'close'));

/** A log as it is kept and sent: its leaves and the signed head over them. */
export const sealedLog = (crypto: Crypto, log: LogEntry[], signer: Signer): { entries: Bytes[]; head: string } => {
  const entries = log.map(entryBytes);
  const frontier = entries.reduce((tree, entry) => append(crypto, tree, entry), EMPTY);
  const author = log[0]?.author ?? fingerprint(crypto, signer.publicKey);
  return { entries, head: signCheckpoint(crypto, { author, size: frontier.size, root: rootOf(crypto, frontier) }, signer) };
};

/** Short for messages of failing tests. */
export const brief = (bytes: Bytes): string => hex(bytes).slice(0, 16);

/** Hash of the payload of any signed document. */
export const payloadHash = (document: Bytes): Bytes => {
  const typ = typOf(document) ?? '';
  return testCrypto.sha256(open1(testCrypto, typ, document).payload);
};

/** A share of the request that `request()` makes. */
export const share = (changes: Partial<Share> = {}): Share => ({
  ...{ v: 1, tenant: TENANT, name: 'blog', sequence: 1, state: 'started', host: { tenant: TENANT, name: 'echo' }, parameters: {} },
  ...changes,
});

export const signedShare = (changes: Partial<Share> = {}, by = 'tenant'): Fact => fact('share', seal(shareNoun, share(changes), keyOf(by)));
