/**
 * The real runtime facing a gateway that lies, though its operator lists it and its key is right. The board believes
 * four signatures and nobody's word: it says in its journal why not, starts nothing, and does the honest thing after.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { type ErrorCode, LichenError } from '../../runtime/protocol/errors.ts';
import type { BoardId, GatewayId, TenantId } from '../../runtime/protocol/ids.ts';
import { encodeAs, payloadOf, seal } from '../../runtime/protocol/noun.ts';
import { type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { nowNoun } from '../../runtime/protocol/nouns/lease.ts';
import { chunk } from '../../runtime/protocol/nouns/messages.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { requestNoun } from '../../runtime/protocol/nouns/request.ts';
import { until } from '../../sim/harness/wait.ts';
import { fileOf, LASTING, releaseOf, requestOf, smallRelease, voucherOf } from './documents.ts';
import { federate, PATIENCE_MS } from './gateway.ts';
import { type Assigned, Liar, leaseIn, payloadIn } from './liar.ts';
import { person } from './person.ts';
import { RealBoard } from './real-board.ts';

const stranger = person('stranger');
const another = person<TenantId>('another tenant');
/** For a first record to be signed and sent. */
const FIRST_MS = 3_000;

let liar: Liar;
let board: RealBoard;

beforeAll(async () => {
  liar = await Liar.open(await federate('north'), 'north');
  // What it signs by the clock alone would fall into the midst of a test.
  board = RealBoard.start('board lied to', liar.claim, { 'record-ms': 3_600_000 });
  await liar.greeted(0);
});
afterEach(async () => {
  // Back to nothing: what ran is closed and taken away.
  liar.store.clear();
  liar.assign([]);
  await liar.reports.next(({ instances }) => instances.length === 0, liar.reports.all.length);
  for (const { lease } of liar.usage.all.filter(({ kind }) => kind === 'open'))
    await liar.usage.next((record) => record.lease === lease && record.kind === 'close');
});
afterAll(async () => {
  await board.end();
  await liar.close();
});

/** Started nothing and signed nothing: `running` is what ran before. */
const nothingHappened = async (lie: () => unknown, what: string, code: ErrorCode, why: RegExp, running: string[] = []): Promise<void> => {
  const [signed, partitions, mark] = [liar.usage.all.at(-1)?.seq ?? 0, board.partitions(), board.mark()];
  lie();
  await board.refused(what, code, why, mark);
  const { recordsSigned, instances } = await board.status();
  expect(recordsSigned).toBe(signed);
  expect(instances.filter(({ opened }) => opened).map(({ name, wanted }) => [name, wanted])).toEqual(
    running.map((name) => [name, 'started']),
  );
  expect(board.partitions()).toEqual(partitions);
};

/** The honest assignment runs. */
const runs = async (assigned: Assigned): Promise<void> => {
  liar.assign([assigned]);
  await liar.opened(assigned.lease);
  await liar.reported(assigned.lease, ({ state }) => state === 'running');
};

test('a lease signed by a gateway that no operator lists', async () => {
  const release = smallRelease('unlisted');
  const honest = liar.honest('unlisted', release);
  const lease = liar.lease('unlisted', release, { guardian: stranger.id as GatewayId }, stranger.signer);
  await nothingHappened(() => liar.assign([{ ...honest, lease }]), 'lease refused', 'unassigned', /not signed by the gateway it names/);
  await runs(honest);
});

test('a lease that names a listed gateway and is signed by another key', async () => {
  const release = smallRelease('misnamed');
  const honest = liar.honest('misnamed', release);
  const lease = liar.lease('misnamed', release, {}, stranger.signer);
  await nothingHappened(() => liar.assign([{ ...honest, lease }]), 'lease refused', 'unassigned', /not signed by the gateway it names/);
  await runs(honest);
});

test('a lease for another board, among honest ones', async () => {
  const honest = liar.honest('mine', smallRelease('mine'));
  const theirs = liar.honest('theirs', smallRelease('theirs'), { board: person<BoardId>('another board').id });
  await nothingHappened(() => liar.assign([theirs]), 'lease refused', 'unassigned', /is for board/);
  // One bad lease does not keep the others from running.
  liar.assign([theirs, honest]);
  await liar.reported(honest.lease, ({ state }) => state === 'running');
  expect((await board.status()).instances.map(({ name }) => name)).toEqual(['mine']);
});

test('more leases than the board offers room for', async () => {
  const release = smallRelease('room');
  const all = Array.from({ length: 12 }, (_, index) => liar.honest('room', release, { index }));
  const mark = board.mark();
  liar.assign(all);
  // Of 256 MiB five times 49 fit; which ones it takes is for whoever wrote the list to say.
  await board.refused('lease refused', 'no-room', /is over what this board offers: 8 partitions, 256 MiB, 1000 m/, mark);
  for (const { lease } of all.slice(0, 5)) await liar.opened(lease);
  expect((await board.status()).instances.map(({ lease }) => lease).sort()).toEqual(
    all
      .slice(0, 5)
      .map(({ lease }) => leaseIn(lease))
      .sort(),
  );
  // Another lot in their place fits at once.
  const others = all.slice(5, 10);
  liar.assign(others);
  for (const { lease } of others) await liar.opened(lease);
});

test('another release than the one that was leased', async () => {
  const [release, other] = [smallRelease('leased'), smallRelease('smuggled')];
  const honest = liar.honest('leased', release);
  liar.store.set(hex(release.hash), other.document);
  await nothingHappened(() => liar.assign([honest]), 'chunk refused', 'bad-signature', /is something else/);
  liar.shelve(release.document);
  await liar.reported(honest.lease, ({ state }) => state === 'running');
});

test('a request that its tenant did not sign [trust-9]', async () => {
  const release = smallRelease('unrequested');
  const honest = liar.honest('unrequested', release);
  const { doc, document } = requestOf('unrequested', release.hash);
  // The same words under the same hash, and another key.
  liar.shelve(seal(requestNoun, doc, stranger.signer));
  await nothingHappened(() => liar.assign([honest]), '', 'unrequested', /did not sign it/);
  liar.shelve(document);
  await runs(honest);
});

test('a lease that pays more than its tenant promised, or by the promise of another [trust-9]', async () => {
  const release = smallRelease('unpaid');
  const honest = liar.honest('unpaid', release);
  const beyond = liar.lease('unpaid', release, { term: 2, capMicro: 1_000_001n });
  await nothingHappened(() => liar.assign([{ ...honest, lease: beyond }]), '', 'unrequested', /does not pay for/);
  // Rightly signed, and no promise of its tenant.
  const theirs = voucherOf(another, { name: 'unpaid' });
  liar.shelve(theirs.document);
  const by = liar.lease('unpaid', release, { term: 3, voucher: theirs.hash });
  await nothingHappened(() => liar.assign([{ ...honest, lease: by }]), '', 'unrequested', /did not sign the voucher/);
  await runs(honest);
});

test('a request for another release', async () => {
  const [release, other] = [smallRelease('wanted'), smallRelease('unwanted')];
  const honest = liar.honest('wanted', release);
  liar.shelve(other.document, ...other.pages, ...other.chunks);
  const lease = liar.lease('wanted', other, { term: 2 });
  await nothingHappened(() => liar.assign([{ ...honest, lease }]), '', 'unrequested', /asked for another release/);
  await runs(honest);
});

test('a release that a stranger signed', async () => {
  const release = smallRelease('forged');
  const honest = liar.honest('forged', release);
  liar.shelve(seal(manifestNoun, release.manifest, stranger.signer));
  await nothingHappened(() => liar.assign([honest]), '', 'wrong-publisher', /the key is not one of meadow's/);
  await liar.reported(honest.lease, ({ state, detail }) => state === 'refused' && detail.startsWith('wrong-publisher'));
  liar.shelve(release.document);
  await runs(honest);
});

test("a lease with another publisher's trust document", async () => {
  const release = smallRelease('mismatched');
  const honest = liar.honest('mismatched', release);
  const other = requestOf('mismatched', release.hash);
  const lease = liar.lease('mismatched', release, { publisher: nodeCrypto.sha256(payloadIn(other.document)), term: 2 });
  await nothingHappened(() => liar.assign([{ ...honest, lease }]), '', 'bad-cbor', /not a COSE_Sign/);
  // Both leases of one release together: what is wrong with one is not the other's fault.
  liar.assign([{ ...honest, lease }, honest]);
  await liar.reported(honest.lease, ({ state }) => state === 'running');
  await liar.reported(lease, ({ state }) => state === 'refused');
});

test('an older assignment', async () => {
  const honest = liar.honest('current', smallRelease('current', 1, LASTING));
  await runs(honest);
  const { seq } = liar;
  await nothingHappened(() => liar.assign([], { seq: seq - 1 }), 'desired refused', 'stale', /assignment \d+ is known, this is \d+/, [
    'current',
  ]);
  await nothingHappened(() => liar.assign([], { seq, tenure: 2 }), 'desired refused', 'stale', /of tenure 2, the present one is 1/, [
    'current',
  ]);
  liar.assign([honest], { seq: seq + 1 });
});

test('an assignment that another signed, or for another board', async () => {
  const honest = liar.honest('mine-too', smallRelease('mine-too', 1, LASTING));
  await runs(honest);
  await nothingHappened(() => liar.assign([], {}, stranger.signer), 'desired refused', 'wrong-signer', /not signed by the gateway/, [
    'mine-too',
  ]);
  const other = person<BoardId>('another board').id;
  await nothingHappened(() => liar.assign([], { board: other }), 'desired refused', 'wrong-signer', /meant for another board/, [
    'mine-too',
  ]);
});

test('an older request of the tenant [trust-10]', async () => {
  const release = smallRelease('sequence', 1, LASTING);
  const second = requestOf('sequence', release.hash, { sequence: 2 });
  const honest = liar.honest('sequence', release, {}, second);
  await runs(honest);
  const first = requestOf('sequence', release.hash, { sequence: 1, state: 'stopped' });
  liar.shelve(first.document);
  const lie = { ...honest, request: nodeCrypto.sha256(payloadIn(first.document)) };
  await nothingHappened(() => liar.assign([lie]), '', 'stale', /sequence 2 of sequence was obeyed, this is 1/, ['sequence']);
  const from = liar.reports.all.length;
  await liar.reported(honest.lease, ({ state }) => state === 'running', from);
  const third = requestOf('sequence', release.hash, { sequence: 3, state: 'stopped' });
  liar.shelve(third.document);
  liar.assign([{ ...honest, request: nodeCrypto.sha256(payloadIn(third.document)) }]);
  await liar.reported(honest.lease, ({ state }) => state === 'stopped', from);
});

test('a chunk that was corrupted on its way', async () => {
  const release = smallRelease('corrupted');
  const honest = liar.honest('corrupted', release);
  const [content] = release.chunks;
  liar.store.set(
    hex(nodeCrypto.sha256(content!)),
    Uint8Array.from(content!, (byte) => byte ^ 1),
  );
  await nothingHappened(() => liar.assign([honest]), 'chunk refused', 'bad-signature', /is not what it says/);
  liar.shelve(content!);
  await liar.reported(honest.lease, ({ state }) => state === 'running');
});

test('chunks that nobody asked for', async () => {
  const honest = liar.honest('unasked', smallRelease('unasked'));
  for (let at = 0; at < 8; at++) {
    const bytes = utf8(`unasked ${at}`);
    liar.send('chunk', encodeAs(chunk, { v: 1, hash: nodeCrypto.sha256(bytes), bytes }, 'chunk'));
  }
  await nothingHappened(() => liar.send('chunk', utf8('x')), 'chunk refused', 'bad-cbor', /./);
  await runs(honest);
});

test.each([
  ['a path that goes up', 'up', [fileOf('../outside', utf8('x'))], /empty, .* segment/],
  ['a link out of the root', 'out', [{ kind: 'link', path: 'out', target: '../../etc' }], /leaves the root/],
] as const)('a release with %s', async (_name, recipe, entries, why) => {
  // Signed by its publisher, requested by its tenant, leased by a gateway: and still.
  const bad = releaseOf(recipe, 1, [[...entries]], [utf8('x')]);
  const lie = liar.honest(recipe, bad);
  await nothingHappened(() => liar.assign([lie]), '', 'bad-path', why);
  await liar.reported(lie.lease, ({ state, detail }) => state === 'refused' && detail.startsWith('bad-path'));
  const good = smallRelease(recipe, 2);
  await runs(liar.honest(recipe, good, { term: 2 }, requestOf(recipe, good.hash, { sequence: 2 })));
});

test('an answer to another hello', async () => {
  liar.nowLies = { nonce: new Uint8Array(16).fill(7) };
  // Not welcomed, so whatever else it says is refused too.
  liar.afterHello = () => liar.assign([]);
  const mark = board.mark();
  const lie = (): void => liar.hangUp(new LichenError('unavailable', 'a test'));
  await nothingHappened(lie, 'desired refused', 'stale', /desired before the welcome/);
  await board.refused('now refused', 'stale', /the answer is not to this hello/, mark);
  [liar.nowLies, liar.afterHello] = [{}, () => {}];
  // Only a board that is welcomed reports.
  await liar.reports.next(() => true, liar.reports.all.length);
  await runs(liar.honest('after-nonce', smallRelease('after-nonce')));
});

test('an answer that another key signed, or for another board', async () => {
  const now = (signer = liar.key.signer, id = liar.board): Bytes =>
    seal(
      nowNoun,
      {
        ...{ v: 1, board: id, gateway: liar.entry.gateway, nonce: liar.hello?.nonce ?? new Uint8Array(16), speaks: 1, wallMs: 0 },
        ...{ known: { seq: 0, hash: new Uint8Array(32) }, proof: null, operators: [] },
      },
      signer,
    );
  await nothingHappened(() => liar.send('now', now(stranger.signer)), 'now refused', 'wrong-signer', /not signed by the gateway/);
  const other = person<BoardId>('another board').id;
  await nothingHappened(() => liar.send('now', now(liar.key.signer, other)), 'now refused', 'wrong-signer', /meant for another/);
  await runs(liar.honest('after-now', smallRelease('after-now')));
});

test('a chain that is said to be longer than the board has made it [trust-11]', async () => {
  const honest = liar.honest('chained', smallRelease('chained', 1, LASTING));
  await runs(honest);
  const { seq } = await liar.opened(honest.lease);
  // The first of all that is due is due at once, unless a test before this one has had it; the next is far off.
  const id = leaseIn(honest.lease);
  await Promise.race([liar.usage.next((record) => record.lease === id && record.kind === 'point'), pause(FIRST_MS)]);
  // Fast-forward: from there no honest gateway would ever take the chain back.
  const known = { seq: 1_000_000_000, hash: new Uint8Array(32).fill(1) };
  await nothingHappened(() => liar.welcome({ known }), 'now refused', 'bad-signature', /record 1000000000 of this board is not shown/, [
    'chained',
  ]);
  const forged = (signer: Signer, more: Partial<Usage> = {}): Bytes => {
    const last = liar.usage.all.at(-1)!;
    return seal(usageNoun, { ...last, seq: known.seq, ...more }, signer);
  };
  const hashOf = (record: Bytes): Bytes => nodeCrypto.sha256(payloadIn(record));
  const record = forged(stranger.signer);
  const shown = { known: { ...known, hash: hashOf(record) }, proof: record };
  await nothingHappened(() => liar.welcome(shown), 'now refused', 'bad-signature', /is not shown/, ['chained']);
  // Its own key, and not the record that is named.
  const own = forged(board.key.signer, { seq: 7 });
  await nothingHappened(() => liar.welcome({ known, proof: own }), 'now refused', 'bad-signature', /is not shown/, ['chained']);
  // Above what it did sign once, and lost, it goes on: from what it remembers, and with the mark.
  const lostSeq = seq + 4;
  const lost = forged(board.key.signer, { seq: lostSeq });
  liar.welcome({ known: { seq: lostSeq, hash: hashOf(lost) }, proof: lost });
  liar.assign([]);
  const close = await liar.usage.next((usage) => usage.kind === 'close' && usage.seq > lostSeq);
  const last = liar.usage.all.findLast((usage) => usage.seq < lostSeq)!;
  expect(close).toMatchObject({ seq: lostSeq + 1, amnesia: true, prev: nodeCrypto.sha256(payloadOf(usageNoun, last)) });
});

test('an acknowledgement that another key signed keeps the records on the board', async () => {
  liar.acknowledges = false;
  const honest = liar.honest('unacked', smallRelease('unacked', 1, LASTING));
  await runs(honest);
  const { recordsHeld } = await board.status();
  expect(recordsHeld).toBeGreaterThan(0);
  const mark = board.mark();
  liar.ack({}, stranger.signer);
  await board.refused('ack refused', 'wrong-signer', /not signed by the gateway/, mark);
  expect((await board.status()).recordsHeld).toBe(recordsHeld);
  liar.acknowledges = true;
  liar.ack();
  await until('the records to be pruned', PATIENCE_MS, async () => (await board.status()).recordsHeld === 0);
});
