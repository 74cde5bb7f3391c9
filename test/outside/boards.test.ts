/**
 * What boards say wrongly, or strangers in their place. MQTT 3.1.1 has no word for a refusal but the end of the session,
 * so the reason stands in the gateway's journal; pairing and subscribing are answered.
 */
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { readFrames, writeFrame } from '../../runtime/adapters/frames.ts';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import { encode } from '../../runtime/protocol/cbor.ts';
import { ERRORS, type ErrorCode, LichenError } from '../../runtime/protocol/errors.ts';
import type { BoardId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { ZERO } from '../../runtime/protocol/money.ts';
import { decodeAs, seal, unseal } from '../../runtime/protocol/noun.ts';
import { homeNoun, pairingNoun, reportNoun, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import { pairAnswer } from '../../runtime/protocol/nouns/messages.ts';
import { topicOf } from '../../runtime/protocol/topics.ts';
import { refusal } from '../gateway/broker/world.ts';
import { claimAt, PaperBoard, START, show } from './board.ts';
import { bindingOf, demandOf, owner, piecesOf, publisher, smallRelease } from './documents.ts';
import { federate, Gateway, journalMark, tenant } from './gateway.ts';
import { closed, header, publish, suback, subscribe, untilHeard } from './mqtt.ts';
import { type Person, person } from './person.ts';

const release = smallRelease('echo');
const DAY_MS = 24 * 3_600_000;

let gateway: Gateway;
const boards: PaperBoard[] = [];

beforeAll(async () => {
  gateway = await Gateway.open(await federate('north'), 'north');
  await gateway.admit(tenant);
  await gateway.accepts(publisher.document, ...piecesOf(release));
});
afterEach(() => {
  for (const board of boards.splice(0)) board.close();
});
afterAll(() => gateway.end());

const paired = async (name: string): Promise<PaperBoard> => {
  const board = await PaperBoard.pair(gateway, name, owner.id);
  boards.push(board);
  return board;
};

/** At home, with one lease. */
const leased = async (name: string): Promise<{ board: PaperBoard; lease: Lease }> => {
  const board = await paired(name);
  await board.arrive();
  await gateway.accepts(bindingOf(board.id, 1), ...demandOf(name, release.hash, { filter: { board: board.id } }));
  return { board, lease: await board.lease(name) };
};

/** Says it, and the session is over for this reason; nothing has changed. */
const endsWith = async (board: PaperBoard, code: ErrorCode, why: RegExp, say: () => unknown): Promise<void> => {
  const [before, mark] = [await gateway.state(), journalMark()];
  say();
  await board.session.ended();
  expect(await gateway.journalled(code, why, mark)).toContain(board.id);
  expect(await gateway.state()).toEqual(before);
};

const refusedClaim = async (says: () => Promise<unknown>, code: ErrorCode, why: RegExp): Promise<void> => {
  const before = await gateway.state();
  const error = await refusal(says());
  expect(error.code).toBe(code);
  expect(error.detail).toMatch(why);
  expect(await gateway.state()).toEqual(before);
};

test('a second board on one claim', async () => {
  const claim = await claimAt(gateway, owner.id);
  await show(claim, person('first'));
  await refusedClaim(() => show(claim, person('second')), 'claim-used', /another board has shown it before/);
  // The one that used it may show it again: its answer may have been lost.
  await show(claim, person('first'));
  await show(await claimAt(gateway, owner.id), person('second'));
});

test('a claim that this gateway never made', async () => {
  const claim = { ...(await claimAt(gateway, owner.id)), token: nodeCrypto.sha256(utf8('guessed')) };
  await refusedClaim(() => show(claim, person('guesser')), 'claim-unknown', /has made no such claim/);
  await show(await claimAt(gateway, owner.id), person('guesser'));
});

test('a claim that has expired', async () => {
  const claim = await claimAt(gateway, owner.id);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY_MS + 1000 });
  try {
    await refusedClaim(() => show(claim, person('late')), 'claim-unknown', /the claim has expired/);
    await show(await claimAt(gateway, owner.id), person('late'));
  } finally {
    vi.useRealTimers();
  }
});

/** Sends one frame over a connection of one's own and reads the answer. */
const sendPairing = async (one: Person, makeFrame: (exporter: Bytes) => Bytes) => {
  const { stream, exporter } = await gateway.dial('lichen-pair/1', one);
  const answer = new Promise<Bytes>((resolve, reject) => {
    readFrames(stream, LIMITS.pairAnswerBytes, {
      frame: resolve,
      ended: (error) => reject(error ?? new LichenError('unavailable', 'no answer')),
    });
  });
  writeFrame(stream, makeFrame(exporter));
  return decodeAs(pairAnswer, await answer, 'answer');
};

test('a pairing that was seen on another connection', async () => {
  const { token } = await claimAt(gateway, owner.id);
  const board = person<BoardId>('replayed');
  const pairing = (exporter: Bytes): Bytes => seal(pairingNoun, { v: 1, board: board.id, token, exporter }, board.signer);
  let seen: Bytes | null = null;
  const before = await gateway.state();
  // The document itself is right, and bound to a connection that never carried it.
  const elsewhere = await gateway.dial('lichen-pair/1', board);
  seen = pairing(elsewhere.exporter);
  elsewhere.stream.destroy();
  const refused = (code: ErrorCode) => ({ kind: 'refused', refusal: expect.objectContaining({ code, next: ERRORS[code].next }) });
  expect(await sendPairing(board, () => seen as Bytes)).toEqual(refused('replayed'));
  expect(await sendPairing(person('thief'), () => seen as Bytes)).toEqual(refused('wrong-signer'));
  expect(await gateway.state()).toEqual(before);
  expect(await sendPairing(board, pairing)).toMatchObject({ kind: 'paired' });
});

test('a packet too large before CONNECT', async () => {
  const board = await paired('eager');
  const [before, mark] = [await gateway.state(), journalMark()];
  const { stream } = await gateway.dial('mqtt', board.key);
  stream.resume();
  stream.write(header(0x10, LIMITS.packetBeforeConnectBytes));
  await closed(stream);
  await gateway.journalled('too-large', /at most 4096 are allowed/, mark);
  expect(await gateway.state()).toEqual(before);
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

test('bytes without end before CONNECT', async () => {
  const board = await paired('babbler');
  const mark = journalMark();
  const { stream } = await gateway.dial('mqtt', board.key);
  stream.resume();
  // Small packets, each allowed by itself.
  stream.write(Buffer.concat(Array.from({ length: 3000 }, () => header(0xc0, 0))));
  await closed(stream);
  await gateway.journalled('too-large', /before CONNECT was accepted/, mark);
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

/** A board in session, and the raw stream under it. */
const onStream = async (board: PaperBoard) => {
  const { stream } = await gateway.dial('mqtt', board.key);
  await board.over(stream);
  void board.sayHello();
  await board.now();
  return stream;
};

test('a packet too large after CONNECT', async () => {
  const board = await paired('greedy');
  const stream = await onStream(board);
  const [before, mark] = [await gateway.state(), journalMark()];
  stream.write(header(0x32, LIMITS.packetBytes));
  await board.session.ended();
  await gateway.journalled('too-large', /an MQTT packet of 131076 bytes; at most 131072 are allowed/, mark);
  expect(await gateway.state()).toEqual(before);
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

test.each([
  ['a retained message', 0x33, /a retained message/],
  ['a message of QoS 2', 0x34, /a message of QoS 2/],
])('%s', async (name, first, why) => {
  const board = await paired(name);
  const stream = await onStream(board);
  const [before, mark] = [await gateway.state(), journalMark()];
  stream.write(publish(topicOf('report', board.id), utf8('x'), first));
  await board.session.ended();
  await gateway.journalled('bad-packet', why, mark);
  expect(await gateway.state()).toEqual(before);
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

test('a message on the topic of another board', async () => {
  const [board, victim] = [await paired('intruder'), await paired('victim')];
  const stream = await onStream(board);
  await victim.arrive();
  const home = seal(homeNoun, { v: 1, board: victim.id, tenure: 9, gateway: gateway.entry.gateway }, board.key.signer);
  await endsWith(board, 'foreign-topic', /a message to lichen\/1\/b\//, () => stream.write(publish(topicOf('hello', victim.id), home)));
  expect(victim.session.ends.all).toEqual([]);
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

test.each([
  ['the topic of another board', (victim: string) => topicOf('desired', victim)],
  ['every board', () => 'lichen/1/b/+/desired'],
  ['everything', () => '#'],
  ['what the broker says of itself', () => '$SYS/#'],
  ['its own way up', (_: string, own: string) => topicOf('usage', own)],
])('a subscription to %s', async (name, topic) => {
  const [board, victim] = [await paired(`curious ${name}`), await paired(`watched ${name}`)];
  const stream = await onStream(board);
  const [before, mark] = [await gateway.state(), journalMark()];
  const answer = untilHeard(stream, suback(0x80));
  stream.write(subscribe(topic(victim.id, board.id)));
  await answer;
  await gateway.journalled('foreign-topic', /subscription to/, mark);
  expect(await gateway.state()).toEqual(before);
  // Whoever it is, it goes on hearing its own and nothing else.
  const from = board.session.heard.all.length;
  await victim.arrive();
  await victim.desired();
  void board.sayHello();
  await board.now(from);
  expect(board.session.heard.all.slice(from).map((heard) => heard.topic)).not.toContain('chunk');
  expect(board.session.heard.all.slice(from).filter((heard) => heard.topic === 'desired').length).toBeLessThanOrEqual(1);
});

test('a hello with no common version', async () => {
  const board = await paired('from the future');
  await board.connect();
  await endsWith(board, 'version-unsupported', /here 1 to 1, there 2 to 3/, () => board.sayHello({ speaks: { min: 2, max: 3 } }));
  expect(await board.arrive({ speaks: { min: 1, max: 3 } })).toMatchObject({ speaks: 1 });
});

test('a hello that another key signed', async () => {
  const board = await paired('masked');
  await board.connect();
  const honest = board.key;
  await endsWith(board, 'wrong-signer', /not signed by the board of this session/, () => {
    board.key = person('mask');
    const said = board.sayHello();
    board.key = honest;
    return said;
  });
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

test("a hello with another board's tenure", async () => {
  const [board, other] = [await paired('borrower'), await paired('lender')];
  const borrowed = seal(homeNoun, { v: 1, board: other.id, tenure: 5, gateway: gateway.entry.gateway }, other.key.signer);
  await board.connect();
  await endsWith(board, 'wrong-signer', /the tenure is that of board/, () => board.sayHello({ home: borrowed }));
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

test('a tenure that is over', async () => {
  const board = await paired('mover');
  board.tenure = 3;
  await board.arrive();
  board.close();
  board.tenure = 2;
  await board.connect();
  await endsWith(board, 'stale', /tenure 3 at .* is known, this is 2/, () => board.sayHello());
  board.tenure = 4;
  expect(await board.arrive()).toMatchObject({ board: board.id });
});

test('a usage record of another board', async () => {
  const [{ board }, other] = [await leased('reader'), await leased('author')];
  const { document } = other.board.record(other.lease.lease, START);
  await endsWith(board, 'wrong-signer', /a record of another board/, () => board.send(document));
  await other.board.report(1, document);
});

test("a usage record about another board's lease", async () => {
  const [{ board, lease }, other] = [await leased('claimer'), await leased('claimed')];
  await endsWith(board, 'wrong-signer', /is another board's/, () => board.send(board.record(other.lease.lease, START).document));
  await board.arrive();
  await board.report(1, board.record(lease.lease, START).document);
});

test('a usage record that another key signed', async () => {
  const { board, lease } = await leased('forged');
  const { value } = unseal(nodeCrypto, usageNoun, board.record(lease.lease, START).document);
  await endsWith(board, 'wrong-signer', /did not sign it/, () => board.send(seal(usageNoun, value, person('forger').signer)));
  await board.arrive();
  await board.report(1, board.record(lease.lease, START).document);
});

test('usage with a gap', async () => {
  const { board, lease } = await leased('gap');
  const first = board.record(lease.lease, START);
  const second = board.record(lease.lease, first.point);
  const third = board.record(lease.lease, second.point);
  await board.report(1, first.document);
  const [before, mark] = [await gateway.state(), journalMark()];
  await board.report(1, third.document);
  await gateway.journalled('conflict', /record 3 of .*, but those of its boot end at 1/, mark);
  expect(await gateway.state()).toEqual(before);
  await board.report(3, second.document, third.document);
});

test('two usage records of one number', async () => {
  const { board, lease } = await leased('forked');
  const first = board.record(lease.lease, START);
  const [second, other] = [10n, 20n].map((cpuMicros) => board.record(lease.lease, first.point, { registers: { ...ZERO, cpuMicros } }));
  await board.report(2, first.document, second!.document);
  const mark = journalMark();
  const size = (await gateway.log()).length;
  await board.report(2, other!.document);
  await gateway.journalled('fork', /record 2 of .* does not follow from 2 of its boot/, mark);
  const rows = await gateway.get<{ board: string; quarantined: boolean; usage: { seq: number } }[]>('/1/boards');
  expect(rows.find((row) => row.board === board.id)).toMatchObject({ quarantined: true, usage: { seq: 2 } });
  // Both are in the log, where peers and auditors find them; a third would prove no more.
  expect((await gateway.log()).slice(size).map(({ kind, body }) => [kind, body])).toEqual([['usage', other!.document]]);
  const third = board.record(lease.lease, first.point, { registers: { ...ZERO, cpuMicros: 30n } });
  await board.report(2, third.document);
  expect((await gateway.log()).length).toBe(size + 1);
  // Nothing new is placed there; others are not touched by it.
  await gateway.accepts(...demandOf('after-fork', release.hash, { filter: { board: board.id } }));
  const honest = await leased('not-forked');
  await honest.board.report(1, honest.board.record(honest.lease.lease, START).document);
  const instances = await gateway.get<{ name: string }[]>('/1/instances');
  expect(instances.map(({ name }) => name)).not.toContain('after-fork');
});

test('a batch that is no batch', async () => {
  const { board, lease } = await leased('batch');
  await endsWith(board, 'bad-cbor', /ends too early/, () => board.session.publish('usage', Uint8Array.of(0xa2)));
  await board.arrive();
  const { document } = board.record(lease.lease, START);
  await endsWith(board, 'bad-schema', /usage/, () => board.session.publish('usage', encode({ v: 1 })));
  await board.arrive();
  await board.report(1, document);
});

test("a report about another board's instance", async () => {
  const [{ board, lease }, other] = [await leased('gossip'), await leased('subject')];
  const reportOf = (of: Lease, signer = board.key.signer): Bytes => {
    const instance = { lease: of.lease, state: 'crashed', promise: 'broken', restarts: 99, address: null, detail: '' } as const;
    return seal(reportNoun, { v: 1, board: board.id, bootId: 'boot', monoMs: 1, instances: [instance] }, signer);
  };
  await endsWith(board, 'wrong-signer', /is another board's/, () => board.session.publish('report', reportOf(other.lease)));
  await board.arrive();
  await board.session.publish('report', reportOf(lease));
  const instances = await gateway.get<{ lease: string; report: { restarts: number } | null }[]>('/1/instances');
  expect(instances.find((row) => row.lease === lease.lease)?.report).toMatchObject({ restarts: 99 });
  expect(instances.find((row) => row.lease === other.lease.lease)?.report).toBeNull();
});
