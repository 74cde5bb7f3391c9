/** Keys are handed over and taken back while everything runs: the old one is refused from that moment, nothing else stops. */
import { afterEach, expect, test } from 'vitest';
import { makeRotation, nextOperator } from '../../gateway/cli/ceremony.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { ERRORS, type ErrorCode } from '../../runtime/protocol/errors.ts';
import { ZERO } from '../../runtime/protocol/money.ts';
import { sealMany } from '../../runtime/protocol/noun.ts';
import { decodeStatement } from '../../runtime/protocol/nouns/billing.ts';
import { type Rotation, rotationNoun } from '../../runtime/protocol/nouns/request.ts';
import type { OperatorDoc } from '../../runtime/protocol/nouns/trust.ts';
import { until } from '../../sim/harness/wait.ts';
import { refusal } from '../gateway/broker/world.ts';
import { claimAt, OFFER, PaperBoard, START, show } from './board.ts';
import {
  bindingOf,
  demandOf,
  owner,
  piecesOf,
  publisher,
  requestOf,
  secondPublisher,
  secondReleaseKey,
  smallRelease,
} from './documents.ts';
import { answered, type Federation, federate, Gateway, journalMark, PATIENCE_MS, root, tenant, told } from './gateway.ts';
import { payloadIn } from './liar.ts';
import { person } from './person.ts';

const release = smallRelease('echo');
const open: { end(): Promise<void> }[] = [];
const boards: PaperBoard[] = [];
afterEach(async () => {
  for (const board of boards.splice(0)) board.close();
  await Promise.all(open.splice(0).map((one) => one.end()));
});

const start = async (federation: Federation, ...names: string[]): Promise<Gateway[]> => {
  const gateways = await Promise.all(names.map((name) => Gateway.open(federation, name)));
  open.push(...gateways);
  return gateways;
};

const one = async (): Promise<{ gateway: Gateway; federation: Federation }> => {
  const federation = await federate('north');
  const [gateway] = await start(federation, 'north');
  await supplied(gateway!);
  return { gateway: gateway!, federation };
};

const supplied = async (gateway: Gateway): Promise<void> => {
  await gateway.admit(tenant);
  await gateway.accepts(publisher.document, ...piecesOf(release));
};

const leased = async (gateway: Gateway, name: string) => {
  const board = await PaperBoard.pair(gateway, name, owner.id);
  boards.push(board);
  await board.arrive();
  await gateway.accepts(bindingOf(board.id, 1), ...demandOf(name, release.hash, { filter: { board: board.id } }));
  return { board, lease: await board.lease(name) };
};

const next = (federation: Federation, change: Partial<OperatorDoc>) => nextOperator(nodeCrypto, federation.doc, change, [root.signer]);

const refusedPush = async (gateway: Gateway, body: Bytes, code: ErrorCode, why: RegExp): Promise<void> => {
  const before = await gateway.state();
  expect(await gateway.push(body)).toEqual({ status: ERRORS[code].http, body: { error: told(code, why) } });
  expect(await gateway.state()).toEqual(before);
};

const used = (cpuMicros: bigint) => ({ registers: { ...ZERO, cpuMicros } });

test("a board's key is handed over: the old one is refused, the new one goes on, and the bill counts both", async () => {
  const { gateway } = await one();
  const { board, lease } = await leased(gateway, 'rotating');
  const [former, present] = [board.key, person('rotating 2')];
  const first = board.record(lease.lease, START);
  const second = board.record(lease.lease, first.point, used(1_000_000n));
  const third = board.record(lease.lease, second.point, used(2_000_000n));
  await board.report(2, first.document, second.document);
  const mark = journalMark();
  await gateway.accepts(makeRotation(former.signer, present.signer, board.id, 1));
  // The session that the old key opened is over at once.
  await board.session.ended();
  await gateway.journalled('wrong-signer', new RegExp(board.id), mark);
  expect((await refusal(board.connect())).code).toBe('not-paired');
  await gateway.journalled('wrong-signer', /not the present key of board/, mark);
  board.key = present;
  expect(await board.arrive()).toMatchObject({ known: second.point });
  // What the old key signed and nobody had yet is as good as before.
  const fourth = board.record(lease.lease, third.point, { ...used(3_000_000n), kind: 'close' });
  await board.report(4, third.document, fourth.document);
  await gateway.order('/1/periods', {});
  const bytes = await fetch(`${gateway.url}/1/periods/1/statement`).then((response) => response.arrayBuffer());
  const postings = decodeStatement(new Uint8Array(bytes)).invoices.flatMap((invoice) => invoice.postings);
  expect(postings).toMatchObject([{ lease: lease.lease, fromSeq: 1, toSeq: 4, used: { cpuMicros: 3_000_000n }, uncharged: ZERO }]);
});

test('rotations that are none [trust-12]', async () => {
  const { gateway, federation } = await one();
  const { board } = await leased(gateway, 'not-rotating');
  const [present, thief, other] = [board.key, person('thief'), person('new key')];
  const doc: Rotation = { v: 1, kind: 'board', subject: board.id, version: 1, from: present.key, to: other.key };
  await refusedPush(gateway, sealMany(rotationNoun, doc, [present.signer]), 'wrong-signer', /signed by the present key and the new one/);
  await refusedPush(gateway, sealMany(rotationNoun, doc, [other.signer]), 'wrong-signer', /signed by the present key and the new one/);
  await refusedPush(gateway, makeRotation(thief.signer, other.signer, board.id, 1), 'wrong-signer', /signed by the present key/);
  await refusedPush(gateway, makeRotation(present.signer, other.signer, board.id, 2), 'conflict', /rotation 1 must come before 2/);
  const gatewayDoc: Rotation = { ...doc, kind: 'gateway', subject: gateway.entry.gateway };
  await refusedPush(gateway, sealMany(rotationNoun, gatewayDoc, [present.signer, other.signer]), 'not-found', /board/);
  await gateway.accepts(makeRotation(present.signer, other.signer, board.id, 1));
  await refusedPush(gateway, makeRotation(present.signer, thief.signer, board.id, 1), 'stale', /rotation 1 is known, this is 1/);
  // A key that was taken back hands nothing over.
  await gateway.accepts(next(federation, { revoked: [other.key] }).document);
  await refusedPush(gateway, makeRotation(other.signer, thief.signer, board.id, 2), 'revoked-key', /pair the board anew/);
});

test("a board's key is revoked: its session ends at once, and no other [trust-7]", async () => {
  const { gateway, federation } = await one();
  const [lost, kept] = [await leased(gateway, 'lost'), await leased(gateway, 'kept')];
  const mark = journalMark();
  await gateway.accepts(next(federation, { revoked: [lost.board.key.key] }).document);
  await lost.board.session.ended();
  await gateway.journalled('revoked-key', new RegExp(lost.board.id), mark);
  const before = await gateway.state();
  expect((await refusal(lost.board.connect())).code).toBe('not-paired');
  // Nor does it come in by the other door.
  const claim = await claimAt(gateway, owner.id);
  expect((await refusal(show(claim, lost.board.key))).code).toBe('revoked-key');
  expect(await gateway.state()).toEqual(before);
  await kept.board.report(1, kept.board.record(kept.lease.lease, START).document);
  await show(claim, person('lost 2'));
});

test('a board that says it is gone does not slip away from its revocation', async () => {
  const { gateway, federation } = await one();
  const { board } = await leased(gateway, 'slippery');
  await board.session.publish('gone', Uint8Array.of(0xa1, 0x61, 0x76, 0x01));
  const from = board.session.heard.all.length;
  void board.sayHello();
  await board.now(from);
  await gateway.accepts(next(federation, { revoked: [board.key.key] }).document);
  await board.session.ended();
});

test("a tenant's key is revoked: its session ends, and what it signs is refused at both doors", async () => {
  const { gateway, federation } = await one();
  const door = await gateway.mqtt();
  await gateway.accepts(...demandOf('before', release.hash));
  const mark = journalMark();
  await gateway.accepts(next(federation, { revoked: [tenant.key] }).document);
  expect((await refusal(door.push(requestOf('after', release.hash).document))).code).toBe('unavailable');
  await gateway.journalled('revoked-key', new RegExp(tenant.id), mark);
  expect((await refusal(gateway.mqtt())).code).toBe('unknown-key');
  await refusedPush(gateway, requestOf('after', release.hash).document, 'revoked-key', new RegExp(tenant.id));
});

test("a publisher's key is revoked: nothing new is taken or placed of it", async () => {
  const { gateway } = await one();
  const { board } = await leased(gateway, 'running');
  // Wanted, and not placed yet: no board fits.
  await gateway.accepts(...demandOf('waiting', release.hash, { filter: { tier: 'full' } }), secondPublisher.document);
  // And now one does: the wish is as it was, the room is there, and still.
  const roomy = await PaperBoard.pair(gateway, 'roomy', owner.id);
  boards.push(roomy);
  await roomy.arrive({ offer: { ...OFFER, tier: 'full' } });
  await gateway.accepts(bindingOf(roomy.id, 1));
  const door = await gateway.mqtt();
  expect(await door.push(smallRelease('late').document)).toMatchObject(answered('revoked-key', /meadow has revoked the key/));
  await refusedPush(gateway, smallRelease('late').document, 'revoked-key', /meadow has revoked the key/);
  await refusedPush(gateway, requestOf('again', release.hash).document, 'revoked-key', /the publisher has taken back the key/);
  // The very document that was accepted before is answered as it was then, and changes nothing.
  await gateway.accepts(publisher.document);
  const mended = smallRelease('echo', 2, {}, secondReleaseKey.signer);
  await gateway.accepts(...piecesOf(mended), ...demandOf('mended', mended.hash, { filter: { board: board.id } }));
  expect(await board.lease('mended')).toMatchObject({ publisher: nodeCrypto.sha256(payloadIn(secondPublisher.document)) });
  const instances = await gateway.get<{ name: string }[]>('/1/instances');
  expect(instances.map(({ name }) => name).sort()).toEqual(['mended', 'running']);
});

const peersUp = async (gateway: Gateway, ...others: Gateway[]): Promise<void> => {
  await until(`${gateway.entry.name} to have its peers`, PATIENCE_MS, async () => {
    const { peers } = await gateway.get<{ peers: { gateway: string; up: boolean }[] }>('/1/status');
    const up = peers.filter((peer) => peer.up).map((peer) => peer.gateway);
    return up.length === others.length && others.every(({ entry }) => up.includes(entry.gateway));
  });
};

const vectorOf = async (gateway: Gateway): Promise<Record<string, number>> =>
  (await gateway.get<{ vector: Record<string, number> }>('/1/status')).vector;

const same = async (...gateways: Gateway[]): Promise<void> => {
  await until('all logs to be everywhere', PATIENCE_MS, async () => {
    const vectors = await Promise.all(gateways.map(vectorOf));
    return vectors.every((vector) => JSON.stringify(sorted(vector)) === JSON.stringify(sorted(vectors[0]!)));
  });
};
const sorted = (vector: Record<string, number>) => Object.entries(vector).sort(([a], [b]) => (a < b ? -1 : 1));

test("a gateway's key is rotated: boards are told before, peers take its log before and after [trust-13]", async () => {
  const federation = await federate('north', 'south', 'east');
  const [north, south] = await start(federation, 'north', 'south');
  await peersUp(north!, south!);
  await supplied(north!);
  const { board, lease } = await leased(north!, 'at-north');
  await same(north!, south!);
  const present = person('gateway north 2');
  const entries = federation.entries.map((entry) => (entry.name === 'north' ? { ...entry, key: present.key } : entry));
  const second = next(federation, { gateways: entries });
  const from = board.session.heard.all.length;
  await north!.accepts(second.document);
  // Told by the gateway itself while the board is with it, whose next dial would find a stranger.
  expect((await board.now(from)).operators.map(hex)).toEqual([hex(second.document)]);
  const first = board.record(lease.lease, START);
  await board.report(1, first.document);
  // With a key that is no longer its own it signs no lease, and does not fall over it.
  await north!.accepts(...demandOf('later', release.hash, { filter: { board: board.id } }));
  await north!.close();
  open.splice(open.indexOf(north!), 1);
  const later = { ...federation, entries };
  const again = await Gateway.open(later, 'north', { key: present, dir: north!.dir });
  open.push(again);
  await peersUp(again, south!);
  await same(again, south!);
  expect(await board.arrive({}, again)).toMatchObject({ known: first.point });
  await board.lease('at-north');
  await board.report(2, board.record(lease.lease, first.point).document);
  // Whoever comes late learns all of it, from the old key's time and from the new one's.
  const [east] = await start({ ...later, document: federation.document }, 'east');
  await peersUp(east!, again, south!);
  await same(again, south!, east!);
  expect(await east!.state()).toMatchObject({ pending: 0, releases: [{ recipe: 'echo', missing: 0 }] });
  // The key that it had opens no door any more.
  const stranger = person('gateway north');
  const { stream } = await south!.dial('lichen-peer/1', stranger);
  stream.resume();
  await new Promise((resolve) => stream.once('close', resolve));
});

test('a gateway that runs on with its former key signs no lease, and none of its that was not opened stays', async () => {
  const { gateway, federation } = await one();
  const { board, lease } = await leased(gateway, 'before');
  expect(lease.term).toBe(1);
  const present = person('gateway north 2');
  const entries = [{ ...gateway.entry, key: present.key }];
  await gateway.accepts(next(federation, { gateways: entries }).document);
  await gateway.accepts(...demandOf('meanwhile', release.hash, { filter: { board: board.id } }));
  const named = async (of: Gateway) =>
    (await of.get<{ name: string; term: number }[]>('/1/instances')).map(({ name, term }) => [name, term]);
  expect(await named(gateway)).toEqual([['before', 1]]);
  await gateway.close();
  const again = await Gateway.open({ ...federation, entries }, 'north', { key: present, dir: gateway.dir });
  open.splice(0, 1, again);
  await board.arrive({}, again);
  // The board would not believe the one that it never saw, were it told of it now.
  expect(await board.lease('meanwhile')).toMatchObject({ term: 1 });
  await board.desired(({ leases }) => leases.length === 2);
  expect((await named(again)).sort()).toContainEqual(['before', 2]);
});

test("a gateway's key is revoked: its peers drop it, keep what it logged, and stay together [trust-14]", async () => {
  const federation = await federate('north', 'south', 'east');
  const [north, south, east] = await start(federation, 'north', 'south', 'east');
  await Promise.all([peersUp(north!, south!, east!), peersUp(south!, north!, east!), peersUp(east!, north!, south!)]);
  await supplied(south!);
  await same(north!, south!, east!);
  const held = (await vectorOf(south!))[south!.entry.gateway];
  await north!.accepts(next(federation, { revoked: [south!.entry.key] }).document);
  await Promise.all([peersUp(north!, east!), peersUp(east!, north!)]);
  await south!.admit(person('nobody will hear of'));
  // The others go on, and the log of the one that is gone is still what it was.
  await north!.admit(person('after'));
  await until(
    'east to have it',
    PATIENCE_MS,
    async () => (await vectorOf(east!))[north!.entry.gateway] === (await vectorOf(north!))[north!.entry.gateway],
  );
  expect((await vectorOf(east!))[south!.entry.gateway]).toBe(held);
  await peersUp(north!, east!);
  const rows = await north!.get<{ name: string; serving: boolean; revoked: boolean }[]>('/1/gateways');
  expect(rows.map(({ name, serving, revoked }) => [name, serving, revoked])).toEqual([
    ['north', true, false],
    ['south', false, true],
    ['east', true, false],
  ]);
  // It goes on dialling, or is dialled no more; either way nobody lets it in.
  const { stream } = await north!.dial('lichen-peer/1', person('gateway south'));
  stream.resume();
  await new Promise((resolve) => stream.once('close', resolve));
});
