/**
 * The real runtime facing a gateway that lies about what was so once: it has every document that anybody ever signed, and
 * names those that are over. What a board has seen of the newer ones it goes by, also when nothing of them is left on it.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { firstPublisher, nextPublisher } from '../../gateway/cli/ceremony.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { ErrorCode } from '../../runtime/protocol/errors.ts';
import { sealMany } from '../../runtime/protocol/noun.ts';
import { type PublisherDoc, publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { until } from '../../sim/harness/wait.ts';
import { LASTING, type Release, releaseKey, requestOf, secondReleaseKey, smallRelease } from './documents.ts';
import { federate, PATIENCE_MS } from './gateway.ts';
import { type Assigned, Liar, leaseIn, payloadIn } from './liar.ts';
import { person } from './person.ts';
import { RealBoard } from './real-board.ts';

const ROOTS = ['heath root 1', 'heath root 2', 'heath root 3'].map((name) => person(name).signer);
const BOTH = ROOTS.slice(0, 2);
/** Signed by two of three; what it signs by the second key is good by all that follow. */
const heath = firstPublisher(nodeCrypto, BOTH, {
  ...{ threshold: 2, name: 'heath', keys: [releaseKey.key, secondReleaseKey.key], absent: [ROOTS[2]!.publicKey] },
});
const second = nextPublisher(nodeCrypto, heath.doc, { revoked: [releaseKey.key] }, BOTH);
const [V1, V2] = [heath, second].map(({ document }) => nodeCrypto.sha256(payloadIn(document))) as [Bytes, Bytes];

let liar: Liar;
let board: RealBoard;

beforeAll(async () => {
  liar = await Liar.open(await federate('north'), 'north');
  board = RealBoard.start('board lied to later', liar.claim, { 'record-ms': 3_600_000 });
  await liar.greeted(0);
});
afterEach(async () => {
  liar.store.clear();
  liar.assign([]);
  await liar.reports.next(({ instances }) => instances.length === 0, liar.reports.all.length);
});
afterAll(async () => {
  await board.end();
  await liar.close();
});

const heathRelease = (recipe: string, signer = releaseKey.signer, sequence = 1): Release =>
  smallRelease(recipe, sequence, { publisher: heath.doc.publisher, ...LASTING }, signer);

const assigned = (
  name: string,
  release: Release,
  publisher: Bytes,
  more: { term?: number } = {},
  request = requestOf(name, release.hash),
) => {
  liar.shelve(heath.document, second.document);
  return liar.honest(name, release, { publisher, ...more }, request);
};

const runs = async (...all: Assigned[]): Promise<void> => {
  const from = liar.reports.all.length;
  liar.assign(all);
  for (const { lease } of all) await liar.reported(lease, ({ state }) => state === 'running', from);
};

/** None of these is begun, and what ran before runs on. */
const refused = async (lies: Assigned[], code: ErrorCode, why: RegExp, running: Assigned[] = []): Promise<void> => {
  const mark = board.mark();
  const from = liar.reports.all.length;
  liar.assign([...running, ...lies]);
  await board.refused('', code, why, mark);
  for (const { lease } of lies) await liar.reported(lease, ({ state, detail }) => state === 'refused' && detail.startsWith(code), from);
  for (const { lease } of running) await liar.reported(lease, ({ state }) => state === 'running', from);
  const opened = (await board.status()).instances.filter((instance) => instance.opened).map(({ lease }) => lease);
  expect(opened.sort()).toEqual(running.map(({ lease }) => leaseIn(lease)).sort());
};

test('a publisher’s version that fewer of its roots signed than have to', async () => {
  const good = assigned('honest', heathRelease('honest'), V1);
  // One of the roots was stolen, and lists the thief's own key.
  const thief = person('thief');
  const stolen: PublisherDoc = { ...heath.doc, version: 2, previous: V1, keys: [thief.key] };
  const document = sealMany(publisherNoun, stolen, [ROOTS[0]!]);
  const evil = assigned('stolen', heathRelease('stolen', thief.signer), nodeCrypto.sha256(payloadIn(document)));
  liar.shelve(document);
  await refused([evil], 'bad-signature', /fewer than 2 roots of version 2 signed/);
  await runs(good);
});

test('a publisher’s version far ahead of those before', async () => {
  const good = assigned('near', heathRelease('near'), V1);
  const far: PublisherDoc = { ...heath.doc, version: 9_007_199_254_740_991, previous: V1 };
  const document = sealMany(publisherNoun, far, BOTH);
  const evil = assigned('far', heathRelease('far'), nodeCrypto.sha256(payloadIn(document)));
  liar.shelve(document);
  await refused([evil], 'conflict', /version 2 must come before/);
  // What was refused is no version that it knows.
  await runs(good);
});

test('a release whose key its publisher has revoked', async () => {
  const before = assigned('before', heathRelease('before'), V1);
  await runs(before);
  await refused([assigned('revoked', heathRelease('revoked'), V2)], 'revoked-key', /heath has revoked the key/, [before]);
  // Signed by the other key it runs, beside what was begun before.
  await runs(before, assigned('revoked', heathRelease('revoked', secondReleaseKey.signer, 2), V2, { term: 2 }));
});

test('an older request of the tenant, under another lease [trust-18]', async () => {
  const release = smallRelease('again', 1, LASTING);
  const fresh = smallRelease('again', 2, LASTING);
  const present = liar.honest('again', fresh, { term: 2 }, requestOf('again', fresh.hash, { sequence: 2 }));
  await runs(present);
  const lie = liar.honest('again', release, { term: 3 }, requestOf('again', release.hash, { sequence: 1 }));
  await refused([lie], 'stale', /sequence 2 of again was obeyed, this is 1/, [present]);
  // The tenant's own way back.
  await runs(liar.honest('again', release, { term: 4 }, requestOf('again', release.hash, { sequence: 3 })));
});

test('a request that its tenant has destroyed, under another lease', async () => {
  const release = smallRelease('over', 1, LASTING);
  const honest = liar.honest('over', release);
  await runs(honest);
  const over = requestOf('over', release.hash, { sequence: 2, state: 'destroyed' });
  liar.shelve(over.document);
  liar.assign([{ ...honest, request: nodeCrypto.sha256(payloadIn(over.document)) }]);
  await liar.usage.next(({ lease, kind }) => lease === leaseIn(honest.lease) && kind === 'close');
  await refused([liar.honest('over', release, { term: 2 })], 'stale', /sequence 2 of over was obeyed, this is 1/);
});

test('a time that is wrong is over with the next word on it [trust-19]', async () => {
  const [timed, far, near] = ['timed', 'far-off', 'near-by'].map((name) => liar.honest(name, smallRelease(name, 1, LASTING)));
  await runs(timed!);
  // What is assigned after a word is begun after it: then the word lies on the card.
  liar.welcome({ wallMs: Date.UTC(2100, 0) });
  await runs(timed!, far!);
  liar.welcome();
  await runs(timed!, far!, near!);
  // A life of the runtime to which nobody has told the time yet.
  liar.nowLies = { nonce: new Uint8Array(16).fill(7) };
  const from = liar.usage.all.length;
  await board.process.kill('SIGKILL');
  board.restart();
  await liar.greeted();
  await until('a record to be signed', PATIENCE_MS, async () => Number((await board.status()).recordsHeld) > 0);
  liar.nowLies = {};
  const { wallMs } = await liar.usage.next(({ quality }) => quality === 'bounded', from);
  expect(wallMs).toBeLessThan(Date.now() + 60_000);
});

test('a release by a revoked key, with the version of its publisher from before [trust-15]', async () => {
  // Nothing of that publisher is left on the board, and its runtime begins anew.
  await board.process.kill('SIGKILL');
  board.restart();
  await liar.greeted();
  await refused([assigned('older', heathRelease('older'), V1)], 'revoked-key', /by version 2 of heath, .* named was 1/);
  // A gateway that lags names the older version of what is still good.
  await runs(assigned('lagging', heathRelease('lagging', secondReleaseKey.signer), V1));
});
