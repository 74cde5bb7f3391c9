/** A tenant's push through the real door. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openPush, type Push, type PushOptions } from '../../../gateway/cli/mqtt-push.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { type Answer, answer } from '../../../runtime/protocol/nouns/messages.ts';
import { topicOf } from '../../../runtime/protocol/topics.ts';
import { type EventOf, ofKind, refusal, someone, World } from '../broker/world.ts';

const tenant = someone(3);
const seed = new Uint8Array(32).fill(3);

let world: World;
const pushes: Push[] = [];
beforeEach(async () => {
  world = await World.open();
  world.admit('tenant', tenant);
});
afterEach(async () => {
  for (const push of pushes.splice(0)) push.close();
  await world.close();
});

const open = async (over: Partial<PushOptions> = {}): Promise<Push> => {
  const options = {
    address: world.address,
    gatewayKey: world.gateway.signer.publicKey,
    tenant: tenant.id,
    seed,
    timeoutMs: 10_000,
    ...over,
  };
  const push = await openPush(options);
  pushes.push(push);
  return push;
};
const answerTo = (payload: Bytes, ok = true): Answer => ({
  v: 1,
  of: nodeCrypto.sha256(payload),
  ok,
  code: ok ? '' : 'stale',
  why: '',
  next: '',
  missing: [],
});
const reply = ({ session, receipt, payload }: EventOf<'message'>, ok = true): void => {
  world.door.front.settle(receipt, null);
  world.door.front.send(session, 'answer', encodeAs(answer, answerTo(payload, ok), 'answer'));
};

test('each push gets its own answer, in whatever order they come', async () => {
  const waiting: EventOf<'message'>[] = [];
  world.onMessage = (event) => {
    waiting.push(event);
    if (waiting.length === 3) for (const one of waiting.reverse()) reply(one, one.payload[0] !== 2);
  };
  const push = await open();
  const payloads = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  expect(await Promise.all(payloads.map((payload) => push.push(payload)))).toEqual(
    payloads.map((payload, at) => answerTo(payload, at !== 1)),
  );
});

test('the same document twice at once', async () => {
  world.onMessage = (event) => reply(event);
  const push = await open();
  const payload = Uint8Array.of(1);
  expect(await Promise.all([push.push(payload), push.push(payload)])).toEqual([answerTo(payload), answerTo(payload)]);
});

test('several clients of one tenant, each hearing its own', async () => {
  world.onMessage = (event) => reply(event);
  const [one, two] = [await open({ suffix: 'one' }), await open({ suffix: 'two' })];
  expect(await one.push(Uint8Array.of(1))).toEqual(answerTo(Uint8Array.of(1)));
  expect(await two.push(Uint8Array.of(2))).toEqual(answerTo(Uint8Array.of(2)));
  expect(new Set(world.events.all.filter(ofKind('connected')).map(({ session }) => session)).size).toBe(2);
});

test('a gateway that goes: what waits fails at once, and what comes later too', async () => {
  world.onMessage = () => void world.door.close();
  const push = await open();
  expect((await refusal(push.push(Uint8Array.of(1)))).code).toBe('unavailable');
  expect((await refusal(push.push(Uint8Array.of(2)))).code).toBe('unavailable');
});

test('no answer in time', async () => {
  const push = await open({ timeoutMs: 300 });
  expect((await refusal(push.push(Uint8Array.of(1)))).detail).toContain('300 ms');
});

test('an answer that is none ends it', async () => {
  world.onMessage = ({ session, receipt }) => {
    world.door.front.settle(receipt, null);
    world.door.front.send(session, 'answer', Uint8Array.of(0xff));
  };
  const push = await open();
  expect((await refusal(push.push(Uint8Array.of(1)))).code).toBe('bad-cbor');
});

test('refusals: too long, unknown tenant, another gateway', async () => {
  const push = await open();
  world.onMessage = (event) => reply(event);
  const largest = new Uint8Array(LIMITS.packetBytes - (1 + 3 + 2 + topicOf('push', tenant.id).length + 2));
  expect(await push.push(largest)).toEqual(answerTo(largest));
  expect((await refusal(push.push(new Uint8Array(largest.length + 1)))).code).toBe('too-large');
  expect(await refusal(open({ seed: new Uint8Array(32).fill(9) }))).toMatchObject({
    code: 'unknown-key',
    next: expect.stringContaining('lichen tenant admit'),
  });
  expect((await refusal(open({ gatewayKey: tenant.signer.publicKey }))).code).toBe('pin-mismatch');
});
