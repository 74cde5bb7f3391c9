/**
 * The real runtime facing gateways that lie about content: what every signature says is right, and what comes for it is something
 * else, too much, too little or nothing. Nothing is planted that is not whole and right, and nothing takes more memory than it may.
 */
import { constants, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, concat, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Entry } from '../../runtime/protocol/nouns/release.ts';
import { fileOf, LASTING, type Release, releaseOf } from './documents.ts';
import { federate } from './gateway.ts';
import { type Assigned, Liar } from './liar.ts';
import { RealBoard } from './real-board.ts';

const MIB = 1024 * 1024;
/** No longer than a chunk may be, and with no larger a window than is allowed: only what comes of it is too much. */
const BOMB = new Uint8Array(
  zstdCompressSync(new Uint8Array(256 * MIB), { params: { [constants.ZSTD_c_windowLog]: Math.log2(LIMITS.chunkMaxBytes) } }),
);

let liar: Liar;
let board: RealBoard;

beforeAll(async () => {
  liar = await Liar.open(await federate('north'), 'north');
  board = RealBoard.start('board lied to about content', liar.claim, { 'record-ms': 3_600_000 });
  await liar.greeted(0);
});
afterEach(async () => {
  liar.gives = () => undefined;
  liar.store.clear();
  liar.wanted.length = 0;
  liar.assign([]);
  await liar.reports.next(({ instances }) => instances.length === 0, liar.reports.all.length);
});
afterAll(async () => {
  await board.end();
  await liar.close();
});

const keyOf = (bytes: Bytes): string => hex(nodeCrypto.sha256(bytes));

/** One file of so many chunks, which are like no others. */
const chunked = (
  recipe: string,
  count: number,
  changes: (entry: Extract<Entry, { kind: 'file' }>) => Partial<typeof entry> = () => ({}),
) => {
  const chunks = Array.from({ length: count }, (_, at) => utf8(`${recipe} ${at} `.repeat(400)));
  const whole = fileOf('label', concat(...chunks), { chunks: chunks.map((chunk) => [nodeCrypto.sha256(chunk), chunk.length]) });
  const entry = whole.kind === 'file' ? { ...whole, ...changes(whole) } : whole;
  return releaseOf(recipe, 1, [[entry]], chunks, LASTING);
};

const runs = async ({ lease }: Assigned, from = 0): Promise<void> => {
  await liar.reported(lease, ({ state }) => state === 'running', from);
};

/** Of that nothing is planted. */
const isNotHere = ({ hash }: Release): void => expect(board.planted()).not.toContain(hex(hash));

test.each<[string, (release: Release) => string]>([
  ['a chunk', ({ chunks }) => keyOf(chunks[0]!)],
  ['an index page', ({ pages }) => keyOf(pages[0]!)],
  ['a manifest', ({ hash }) => hex(hash)],
])('a frame of a quarter of a gigabyte in the place of %s', async (what, of) => {
  const release = chunked(`bomb-${what.replaceAll(' ', '-')}`, 2);
  const honest = liar.honest(release.manifest.recipe, release);
  const target = of(release);
  liar.gives = (key) => (key === target ? BOMB : undefined);
  expect(BOMB.length).toBeLessThan(LIMITS.chunkMaxBytes);
  board.forgetPeak();
  const [mark, before] = [board.mark(), board.peakBytes];
  liar.assign([honest]);
  await board.refused('chunk refused', 'bad-signature', /./, mark);
  expect(board.peakBytes - before).toBeLessThan(64 * MIB);
  isNotHere(release);
  liar.gives = () => undefined;
  await runs(honest);
});

test.each<[string, number]>([
  ['longer', -1],
  ['shorter', 1],
])('a chunk that is %s than its page says', async (_how, more) => {
  // Signed so by its publisher: what comes has the hash that the page names, and not the length.
  const release = chunked(`length${more > 0 ? '-short' : '-long'}`, 2, ({ bytes, chunks }) => ({
    bytes: bytes + more,
    chunks: chunks.map(([hash, length], at): [Bytes, number] => [hash, at === 0 ? length + more : length]),
  }));
  const lie = liar.honest(release.manifest.recipe, release);
  const mark = board.mark();
  liar.assign([lie]);
  await board.said(/bad-signature: chunk [0-9a-f]{64} is not what it says|gave something else for/, mark);
  await liar.reported(lie.lease, ({ state, detail }) => state === 'fetching' && /something else/.test(detail));
  isNotHere(release);
});

test('content whose whole is a lie, each chunk of it right', async () => {
  const release = chunked('whole', 3, () => ({ hash: nodeCrypto.sha256(utf8('what was promised')) }));
  const lie = liar.honest('whole', release);
  const from = liar.reports.all.length;
  liar.assign([lie]);
  await liar.reported(lie.lease, ({ detail }) => detail.includes('bad-release'), from);
  isNotHere(release);
  expect(board.partitions()).toEqual([]);
});

test('a bundle of which the last piece never comes, whatever becomes of link and power, and then only that', async () => {
  const release = chunked('partial', 6);
  const honest = liar.honest('partial', release);
  const keys = release.chunks.map(keyOf);
  const [last] = keys.slice(-1);
  liar.gives = (key) => (key === last ? null : undefined);
  liar.assign([honest]);
  await liar.reported(honest.lease, ({ state }) => state === 'fetching');
  const asked = (): string[] => liar.wanted.filter((key) => keys.includes(key));
  while (!keys.every((key) => asked().includes(key))) await liar.reports.next(() => true, liar.reports.all.length);
  isNotHere(release);
  liar.hangUp(new LichenError('unavailable', 'a test'));
  await liar.greeted();
  await board.process.kill('SIGKILL');
  isNotHere(release);
  board.restart();
  await liar.greeted();
  liar.wanted.length = 0;
  liar.assign([honest]);
  await liar.reports.next(() => true, liar.reports.all.length);
  isNotHere(release);
  liar.gives = () => undefined;
  await runs(honest);
  expect(board.planted()).toContain(hex(release.hash));
  // What had come and was written is not fetched again.
  expect(new Set(asked())).toEqual(new Set([last]));
});
