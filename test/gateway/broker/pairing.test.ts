/** Pairing from both ends: the real client against the real door, and clients that cheat. */
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FrameReader, writeFrame } from '../../../runtime/adapters/frames.ts';
import { pair } from '../../../runtime/adapters/pair.ts';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import { ERRORS, LichenError } from '../../../runtime/protocol/errors.ts';
import type { BoardId, GatewayId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { homeNoun, pairingNoun } from '../../../runtime/protocol/nouns/board.ts';
import { type Claim, type PairAnswer, type Paired, pairAnswer } from '../../../runtime/protocol/nouns/messages.ts';
import { ofKind, refusal, someone, untilClosed, World } from './world.ts';

const board = someone(1);
const cheat = someone(2);
const token = new Uint8Array(32).fill(5);

let world: World;
beforeEach(async () => {
  world = await World.open();
});
afterEach(() => world.close());

const claim = (): Claim => ({
  v: 1,
  token,
  gateway: world.gateway.id as GatewayId,
  key: world.gateway.signer.publicKey,
  address: world.address,
  operator: 'o',
});
const paired = (): Paired => ({
  v: 1,
  gateway: world.gateway.id as GatewayId,
  wallMs: 1_700_000_000_000,
  operators: [[Uint8Array.of(1, 2)]],
});
const request = (exporter: Bytes, identity = board): Bytes =>
  seal(pairingNoun, { v: 1, board: identity.id as BoardId, token, exporter }, identity.signer);
const doPair = (over: Partial<Claim> = {}, timeoutMs = 10_000): Promise<Paired> =>
  pair({ claim: { ...claim(), ...over }, identity: board, boardId: board.id as BoardId, timeoutMs });

/** What came back on a connection by hand. */
const answerTo = async (stream: Duplex, ...frames: Bytes[]): Promise<PairAnswer[]> => {
  const closed = untilClosed(stream);
  for (const frame of frames) writeFrame(stream, frame);
  const answers: PairAnswer[] = [];
  new FrameReader(LIMITS.pairAnswerBytes, (frame) => answers.push(decodeAs(pairAnswer, frame, 'answer'))).push(await closed);
  return answers;
};
const refusedWith = (code: string) => [expect.objectContaining({ kind: 'refused', refusal: expect.objectContaining({ code }) })];

test('the service sees the claim, the key and this connection; the board gets its answer', async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, paired());
  expect(await doPair()).toEqual(paired());
  const event = await world.events.next(ofKind('pairing'));
  expect(event.key).toEqual(board.signer.publicKey);
  expect(event.pairing.value).toEqual({ v: 1, board: board.id, token, exporter: event.exporter });
  expect(event.pairing.signer).toEqual(board.signer.publicKey);
});

test('a refusal comes back as the error it is', async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, new LichenError('claim-used', 'used in May'));
  const error = await refusal(doPair());
  expect([error.code, error.detail]).toEqual(['claim-used', 'used in May']);
  expect(ERRORS[error.code].next).toContain('lichen board claim');
});

test('an answer may be given later, once', async () => {
  const answered = doPair();
  const { receipt } = await world.events.next(ofKind('pairing'));
  world.door.front.answerPairing(receipt, paired());
  world.door.front.answerPairing(receipt, new LichenError('claim-used', 'too late'));
  expect(await answered).toEqual(paired());
});

test('a pairing made for another connection is refused', async () => {
  const first = await world.dial('lichen-pair/1', board);
  const second = await world.dial('lichen-pair/1', board);
  expect(first.exporter).not.toEqual(second.exporter);
  expect(await answerTo(second.stream, request(first.exporter))).toEqual(refusedWith('replayed'));
  expect(world.events.all).toEqual([]);
});

test('a pairing seen and forwarded by someone else is refused', async () => {
  const { stream, exporter } = await world.dial('lichen-pair/1', cheat);
  expect(await answerTo(stream, request(exporter, board))).toEqual(refusedWith('wrong-signer'));
  expect(world.events.all).toEqual([]);
});

const bent: [name: string, make: (exporter: Bytes) => Bytes, code: string][] = [
  ['a bent signature', (exporter) => request(exporter).map((byte, at, all) => (at === all.length - 1 ? byte ^ 1 : byte)), 'bad-signature'],
  [
    'another noun',
    () => seal(homeNoun, { v: 1, board: board.id as BoardId, tenure: 1, gateway: world.gateway.id as GatewayId }, board.signer),
    'bad-schema',
  ],
  ['no COSE at all', () => Uint8Array.of(1, 2, 3), 'bad-cbor'],
  ['nothing', () => new Uint8Array(0), 'bad-cbor'],
];
test.each(bent)('%s is refused', async (_name, make, code) => {
  const { stream, exporter } = await world.dial('lichen-pair/1', board);
  expect(await answerTo(stream, make(exporter))).toEqual(refusedWith(code));
  expect(world.events.all).toEqual([]);
});

test('a frame over the limit is refused by its length', async () => {
  const { stream } = await world.dial('lichen-pair/1', board);
  const closed = untilClosed(stream);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(LIMITS.pairFrameBytes + 1);
  stream.write(length);
  expect(await closed).toEqual(Buffer.alloc(0));
  await world.notes.next(({ code }) => code === 'too-large');
});

test('a second frame on one connection ends it', async () => {
  const { stream, exporter } = await world.dial('lichen-pair/1', board);
  expect(await answerTo(stream, request(exporter), request(exporter))).toEqual([]);
  expect(world.events.all.filter(ofKind('pairing'))).toHaveLength(1);
});

test("a service that does not answer: the door's deadline ends it", async () => {
  await world.close();
  world = await World.open({ limits: { connectDeadlineMs: 300 } });
  expect((await refusal(doPair())).code).toBe('unavailable');
  expect(world.notes.all.some(({ detail }) => detail.includes('not accepted within'))).toBe(true);
});

test('the board waits no longer than it was told', async () => {
  expect((await refusal(doPair({}, 300))).code).toBe('unavailable');
});

test('a gateway with another key is never shown the token', async () => {
  expect((await refusal(doPair({ key: cheat.signer.publicKey }))).code).toBe('pin-mismatch');
  expect(world.events.all).toEqual([]);
});

test("an answer in another gateway's name is refused", async () => {
  world.onPairing = ({ receipt }) => world.door.front.answerPairing(receipt, { ...paired(), gateway: cheat.id as GatewayId });
  expect((await refusal(doPair())).code).toBe('pin-mismatch');
});
