/** Logs: a board answers what a tenant signed, sealed to the key that it named, and nobody else. */
import { expect, test } from 'vitest';
import { boxPair, openBox } from '../../../runtime/adapters/hpke.ts';
import { type Bytes, equal, utf8 } from '../../../runtime/protocol/bytes.ts';
import type { TenantId } from '../../../runtime/protocol/ids.ts';
import { decodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { LOG_INFO, type LogFrame, type LogText, logFrame, logText, type Watch, watchNoun } from '../../../runtime/protocol/nouns/watch.ts';
import type { TopicName } from '../../../runtime/protocol/topics.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { idOf } from '../../support/federation.ts';

const READER = boxPair(new Uint8Array(32).fill(5));

const running = (): { world: BoardWorld; one: Placed; ask(changes?: Partial<Watch>, by?: string): LogFrame } => {
  const world = new BoardWorld();
  const one = placed(world);
  world.pair().assign(one).pass(5_000);
  const heard: Bytes[] = [];
  for (const gateway of world.gateways) {
    const { hear } = gateway;
    gateway.hear = (topic: TopicName, payload, answer) =>
      topic === 'log' ? void heard.push(payload) : hear.call(gateway, topic, payload, answer);
  }
  const ask = (changes: Partial<Watch> = {}, by = 'tenant'): LogFrame => {
    const { tenant, name, index } = one.lease;
    const watch: Watch = {
      ...{ v: 1, tenant, name, index, lease: null, from: null, tailBytes: 1024, waitMs: 0, to: READER.publicKey },
      ...changes,
    };
    const question = seal(watchNoun, watch, keyOf(by));
    world.message('tail', question);
    world.pass(100);
    const frame = decodeAs(logFrame, heard.at(-1) ?? new Uint8Array(), 'log');
    expect(equal(frame.of, testCrypto.sha256(question))).toBe(true);
    return frame;
  };
  return { world, one, ask };
};

const opened = ({ box, of }: LogFrame, reader = READER): LogText =>
  decodeAs(logText, openBox(reader, utf8(LOG_INFO), of, box ?? new Uint8Array()), 'log');
const textOf = (frame: LogFrame): string => new TextDecoder().decode(opened(frame).text);

test('a tenant reads what its instance says, from where it asks [logs-4]', () => {
  const { world, one, ask } = running();
  expect(textOf(ask())).toBe(world.engine.said);
  expect(opened(ask())).toMatchObject({ lease: one.lease.lease, from: 0, next: world.engine.said.length, missed: 0 });
  expect(textOf(ask({ lease: one.lease.lease, from: 27 }))).toBe('moin\n');
  // A position in the log of another lease is none in this one.
  expect(textOf(ask({ lease: 'a'.repeat(32) as never, from: 27 }))).toBe(world.engine.said);
});

test('whoever carries the answer cannot open it [logs-3]', () => {
  const { ask } = running();
  expect(() => opened(ask(), boxPair(new Uint8Array(32).fill(6)))).toThrow('bad-signature');
});

test('nobody else is answered with anything [logs-1]', () => {
  const { world, ask } = running();
  const steps = world.engine.steps.length;
  expect(ask({}, 'second tenant').refusal?.code).toBe('wrong-signer');
  // Signed rightly by one who rents nothing here.
  expect(ask({ tenant: idOf<TenantId>('second tenant') }, 'second tenant').refusal?.code).toBe('not-found');
  expect(ask({ name: 'other' }).refusal?.code).toBe('not-found');
  expect(ask({ index: 7 }).refusal?.code).toBe('not-found');
  expect(world.engine.steps.slice(steps).map(({ kind }) => kind)).not.toContain('log');
});

test('a key to which nothing can be sealed is refused', () => {
  const { ask } = running();
  expect(ask({ to: new Uint8Array(32) }).refusal?.code).toBe('weak-key');
});
