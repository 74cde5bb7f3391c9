/** What publishers, tenants and owners of these tests sign, rightly and wrongly. */
import { ANY_PRICE, firstPublisher, makeBinding, makeRequest, makeVoucher, nextPublisher } from '../../gateway/cli/ceremony.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import type { BoardId, OwnerId, TenantId } from '../../runtime/protocol/ids.ts';
import { encodeAs, payloadOf, seal } from '../../runtime/protocol/noun.ts';
import { type Entry, type Manifest, manifestNoun, pageSchema } from '../../runtime/protocol/nouns/release.ts';
import type { Binding, Request, Voucher } from '../../runtime/protocol/nouns/request.ts';
import { tenant } from './gateway.ts';
import { type Person, person } from './person.ts';

export const owner = person<OwnerId>('owner');
const publisherRoot = person('publisher root');
export const releaseKey = person('release key');
export const secondReleaseKey = person('release key 2');
export const publisher = firstPublisher(nodeCrypto, [publisherRoot.signer], { threshold: 1, name: 'meadow', keys: [releaseKey.key] });
/** The first release key is revoked, another takes its place. */
export const secondPublisher = nextPublisher(
  nodeCrypto,
  publisher.doc,
  { keys: [releaseKey.key, secondReleaseKey.key], revoked: [releaseKey.key] },
  [publisherRoot.signer],
);

/** Ends by itself: the first process of a namespace hears only the signals that it listens to, which takes it a while. */
const BRIEF = 'setTimeout(() => {}, 100)';
/** For as long as a test needs it. */
export const LASTING = { args: ['/usr/bin/node', '-e', "process.on('SIGTERM', () => process.exit()); setInterval(() => {}, 1000)"] };
const LITTLE = { cpuMillis: 100, memoryMib: 48, pids: 16, tmpMib: 1 };

export interface Release {
  manifest: Manifest;
  hash: Bytes;
  document: Bytes;
  pages: Bytes[];
  chunks: Bytes[];
}

export const pageOf = (...entries: Entry[]): Bytes => encodeAs(pageSchema, { v: 1, entries }, 'page');

export const fileOf = (path: string, content: Bytes, more: Partial<Extract<Entry, { kind: 'file' }>> = {}): Entry => {
  const hash = nodeCrypto.sha256(content);
  return { kind: 'file', path, executable: false, bytes: content.length, hash, chunks: [[hash, content.length]], ...more };
};

/** A release of these pages; what its manifest says of them can be overruled. */
export const releaseOf = (
  recipe: string,
  sequence: number,
  pages: Entry[][],
  chunks: Bytes[] = [],
  more: Partial<Manifest> = {},
  signer: Signer = releaseKey.signer,
): Release => {
  const encoded = pages.map((entries) => pageOf(...entries));
  const all = pages.flat();
  const manifest: Manifest = {
    ...{ v: 1, publisher: publisher.doc.publisher, recipe, label: String(sequence), sequence, arch: 'any' },
    pages: encoded.map((page) => nodeCrypto.sha256(page)),
    entries: all.filter(({ kind }) => kind !== 'more').length,
    bytes: all.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0),
    ...{ args: ['/usr/bin/node', '-e', BRIEF], env: {}, engine: 'node', parameters: {}, limits: LITTLE },
    ...{ promises: [], demands: 'dev', ...more },
  };
  const hash = nodeCrypto.sha256(payloadOf(manifestNoun, manifest));
  return { manifest, hash, document: seal(manifestNoun, manifest, signer), pages: encoded, chunks };
};

/** One small file; runs nothing but a timer. */
export const smallRelease = (recipe: string, sequence = 1, more: Partial<Manifest> = {}, signer: Signer = releaseKey.signer): Release => {
  const content = utf8(`${recipe} ${sequence}\n`);
  return releaseOf(recipe, sequence, [[fileOf('label', content)]], [content], more, signer);
};

export const piecesOf = ({ document, pages, chunks }: Release): Bytes[] => [document, ...pages, ...chunks];

export const voucherOf = (of: Person<TenantId> = tenant, more: Partial<Voucher> = {}) =>
  makeVoucher(nodeCrypto, of.signer, {
    name: 'echo',
    serial: 1,
    currency: 'EUR',
    capMicro: 1_000_000n,
    notAfterMs: 4_102_444_800_000,
    ...more,
  });

export const requestOf = (name: string, release: Bytes, more: Partial<Request> = {}, of: Person<TenantId> = tenant) =>
  makeRequest(nodeCrypto, of.signer, {
    ...{ name, sequence: 1, state: 'started', release, replicas: 1, parameters: {}, filter: {}, priceCap: ANY_PRICE, currency: 'EUR' },
    ...{ voucher: voucherOf(of, { name }).hash, onIsolation: 'continue', patienceMs: 600_000, ...more },
  });

/** The request behind the voucher that pays for it. */
export const demandOf = (...[name, release, more, of]: Parameters<typeof requestOf>): Bytes[] => [
  voucherOf(of, { name }).document,
  requestOf(name, release, more, of).document,
];

export const bindingOf = (board: BoardId, version: number, more: Partial<Binding> = {}, of: Person = owner): Bytes =>
  makeBinding(nodeCrypto, of.signer, {
    ...{ board, payee: 'iban', version, currency: 'EUR', policy: { partitions: 8, labels: [] } },
    ...{ rates: { wallHour: 1000n, cpuSecond: 1000n, memoryMibHour: 1n, netMib: 1n, diskMib: 1n, dataMibHour: 1n }, ...more },
  });
