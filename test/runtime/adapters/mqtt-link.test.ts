/** The board's link: against the real door, and against gateways that are hostile, dead or slow. */
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MqttLink, type MqttLinkOptions } from '../../../runtime/adapters/mqtt-link.ts';
import { type Dial, dial } from '../../../runtime/adapters/tls.ts';
import type { LinkEvent } from '../../../runtime/ports/link.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import type { GatewayEntry } from '../../../runtime/protocol/nouns/trust.ts';
import { TOPICS, topicOf } from '../../../runtime/protocol/topics.ts';
import { publish, refusedWith, remainingLength } from '../../gateway/broker/packets.ts';
import { ofKind, someone, Trace, World } from '../../gateway/broker/world.ts';
import { HandBroker } from './hand-broker.ts';

const board = someone(1);
const other = someone(2);

class TestLink {
  readonly events = new Trace<LinkEvent>();
  readonly link: MqttLink;

  constructor(options: Partial<MqttLinkOptions> = {}) {
    this.link = new MqttLink({ identity: board, keepaliveS: 60, ...options });
    this.link.watch(this.events.add);
  }

  async linked(gateway: GatewayEntry): Promise<this> {
    this.link.dial(gateway);
    expect(await this.events.next(() => true)).toEqual({ kind: 'linked', gateway });
    return this;
  }

  /** The code that the link came down with. */
  async unlinked(): Promise<string> {
    const event = await this.events.next(({ kind }) => kind === 'unlinked');
    return event.kind === 'unlinked' ? event.error.code : '';
  }
}

const links: TestLink[] = [];
const newLink = (options: Partial<MqttLinkOptions> = {}): TestLink => {
  const link = new TestLink(options);
  links.push(link);
  return link;
};
afterEach(() => {
  for (const { link } of links.splice(0)) link.hangUp();
});

describe('with a gateway', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    world.admit('board', board);
  });
  afterEach(() => world.close());

  test('linked means subscribed: what is sent at once arrives', async () => {
    const { events, link } = await newLink().linked(world.entry);
    const { session } = await world.events.next(ofKind('connected'));
    for (const topic of ['now', 'desired', 'chunk', 'ack'] as const)
      world.door.front.send(session, topic, Uint8Array.of(TOPICS[topic].qos));
    await events.next((event) => event.kind === 'message' && event.topic === 'ack');
    expect(events.all.slice(1)).toEqual([
      { kind: 'message', topic: 'now', payload: Uint8Array.of(1) },
      { kind: 'message', topic: 'desired', payload: Uint8Array.of(1) },
      { kind: 'message', topic: 'chunk', payload: Uint8Array.of(0) },
      { kind: 'message', topic: 'ack', payload: Uint8Array.of(1) },
    ]);
    link.publish('hello', Uint8Array.of(9));
    expect(await world.events.next(ofKind('message'))).toMatchObject({ id: board.id, topic: 'hello', payload: Uint8Array.of(9) });
  });

  test('the largest payload comes through both ways', async () => {
    const { events, link } = await newLink().linked(world.entry);
    const { session } = await world.events.next(ofKind('connected'));
    const payload = Uint8Array.from({ length: LIMITS.packetBytes - 1024 }, (_, at) => at % 253);
    world.door.front.send(session, 'desired', payload);
    expect(await events.next(({ kind }) => kind === 'message')).toEqual({ kind: 'message', topic: 'desired', payload });
    link.publish('report', payload);
    expect((await world.events.next(ofKind('message'))).payload).toEqual(payload);
  });

  test('hanging up says goodbye: no last will, and no event', async () => {
    const { events, link } = await newLink().linked(world.entry);
    link.hangUp();
    await world.events.next(ofKind('disconnected'));
    expect(world.events.all.map(({ kind }) => kind)).toEqual(['connected', 'disconnected']);
    link.publish('hello', Uint8Array.of(1));
    expect(events.all).toHaveLength(1);
  });

  test('hanging up does not wait for acknowledgements that are owed', async () => {
    world.onMessage = () => {};
    const { link } = await newLink().linked(world.entry);
    link.publish('usage', Uint8Array.of(1));
    await world.events.next(ofKind('message'));
    link.hangUp();
    await world.events.next(ofKind('disconnected'));
  });

  test('a link that breaks leaves the will at the gateway', async () => {
    let stream: Duplex | undefined;
    const watched: Dial = (options, done) =>
      dial(options, (result) => {
        if ('stream' in result) stream = result.stream;
        done(result);
      });
    const link = await newLink({ dial: watched }).linked(world.entry);
    stream?.destroy();
    expect(await link.unlinked()).toBe('unavailable');
    const gone = await world.events.next(ofKind('message'));
    expect([gone.topic, gone.payload.length > 0]).toEqual(['gone', true]);
    await world.events.next(ofKind('disconnected'));
  });

  test('waits for an answer as long as the dial says, or else as it was told', async () => {
    const waits: number[] = [];
    const silent: Dial = ({ timeoutMs }) => {
      waits.push(timeoutMs);
      return () => {};
    };
    const { link } = newLink({ dial: silent, timeoutMs: 700 });
    link.dial(world.entry);
    link.dial(world.entry, 40_000);
    expect(waits).toEqual([700, 40_000]);
    link.hangUp();
  });

  test('refused by the gatekeeper', async () => {
    const link = newLink({ identity: other });
    link.link.dial(world.entry);
    expect(await link.unlinked()).toBe('not-paired');
    expect(link.events.all).toHaveLength(1);
  });

  test('another key than the pinned one: the gateway never hears of it', async () => {
    const link = newLink();
    link.link.dial({ ...world.entry, key: other.signer.publicKey });
    expect(await link.unlinked()).toBe('pin-mismatch');
    await newLink().linked(world.entry);
    expect(world.events.all).toHaveLength(1);
  });

  test('dropped by the gateway', async () => {
    const link = await newLink().linked(world.entry);
    await world.door.close();
    expect(await link.unlinked()).toBe('unavailable');
    expect(link.events.all.filter(({ kind }) => kind === 'unlinked')).toHaveLength(1);
  });

  test('dialling anew ends what there was, and only the new one is heard of', async () => {
    const second = await World.open();
    second.admit('board', board);
    try {
      const { events, link } = await newLink().linked(world.entry);
      const former = await world.events.next(ofKind('connected'));
      const entry = { ...second.entry, name: 'second' };
      link.dial(entry);
      world.door.front.send(former.session, 'now', Uint8Array.of(1));
      await events.next((event) => event.kind === 'linked' && event.gateway === entry);
      const latter = await second.events.next(ofKind('connected'));
      second.door.front.send(latter.session, 'now', Uint8Array.of(2));
      await events.next(({ kind }) => kind === 'message');
      expect(events.all.slice(1)).toEqual([
        { kind: 'linked', gateway: entry },
        { kind: 'message', topic: 'now', payload: Uint8Array.of(2) },
      ]);
      await world.events.next(ofKind('disconnected'));
    } finally {
      await second.close();
    }
  });

  test('a dial that answers though it was undone changes nothing', async () => {
    const answers: Parameters<Dial>[1][] = [];
    const silent: Dial = (_options, done) => {
      answers.push(done);
      return () => {};
    };
    const { link, events } = newLink({ dial: silent });
    link.dial(world.entry);
    link.hangUp();
    const [near, far] = duplexPair();
    answers[0]?.({ stream: near, exporter: new Uint8Array(32) });
    await new Promise((resolve) => far.resume().once('end', resolve));
    expect([near.destroyed, far.readableLength]).toEqual([true, 0]);
    link.dial(world.entry);
    answers[0]?.(new LichenError('unavailable', 'of the former one'));
    answers[1]?.(new LichenError('unavailable', 'of this one'));
    expect(events.all).toEqual([{ kind: 'unlinked', gateway: world.entry, error: new LichenError('unavailable', 'of this one') }]);
  });

  test('of many dials in a row only the last one answers', async () => {
    const { events, link } = newLink();
    const entries = Array.from({ length: 10 }, (_, at) => ({
      ...world.entry,
      name: `g${at}`,
      ...(at % 3 === 1 ? { address: '127.0.0.1:1' } : {}),
    }));
    for (const entry of entries) link.dial(entry);
    expect(await events.next(() => true)).toEqual({ kind: 'linked', gateway: entries[9] });
    expect(events.all).toHaveLength(1);
  });
});

describe('with a gateway that is not as it should be', () => {
  let broker: HandBroker;
  beforeEach(async () => {
    broker = await HandBroker.open(other);
  });
  afterEach(() => broker.close());
  const entry = (): GatewayEntry => ({
    gateway: other.id as GatewayEntry['gateway'],
    key: other.signer.publicKey,
    name: 'g',
    region: 'eu',
    address: broker.address,
  });

  test('one that falls silent is noticed', async () => {
    broker.onPing = () => {};
    const link = await newLink({ keepaliveS: 1 }).linked(entry());
    expect(await link.unlinked()).toBe('unavailable');
    expect(broker.heard.filter((type) => type === 12)).toHaveLength(1);
  });

  test('one that answers pings is kept, whatever the board publishes meanwhile', async () => {
    const pings = new Trace<number>();
    broker.onPing = (stream) => {
      stream.write(Buffer.from([0xd0, 0]));
      pings.add(1);
    };
    const link = await newLink({ keepaliveS: 1 }).linked(entry());
    // Neither publishing nor its acknowledgement puts the ping off.
    const busy = setInterval(() => link.link.publish('report', Uint8Array.of(1)), 100);
    try {
      await pings.next(() => pings.all.length === 2);
    } finally {
      clearInterval(busy);
    }
    expect(link.events.all).toHaveLength(1);
  });

  test.each([
    ['never says CONNACK', () => (broker.onConnect = () => {})],
    ['never grants the subscriptions', () => (broker.grant = null)],
  ])('one that %s is given up', async (_name, spoil) => {
    spoil();
    const link = newLink({ timeoutMs: 300 });
    link.link.dial(entry());
    expect(await link.unlinked()).toBe('unavailable');
  });

  test('one that refuses a subscription', async () => {
    broker.grant = 128;
    const link = newLink();
    link.link.dial(entry());
    expect(await link.unlinked()).toBe('foreign-topic');
  });

  test.each([
    [1, 'version-unsupported'],
    [2, 'not-paired'],
    [3, 'unavailable'],
    [5, 'not-paired'],
  ])('one that refuses with code %i', async (code, expected) => {
    broker.onConnect = (stream) => stream.end(refusedWith(code));
    const link = newLink();
    link.link.dial(entry());
    expect(await link.unlinked()).toBe(expected);
  });

  const hostile: [name: string, bytes: Buffer, code: string][] = [
    ['a message of 200 MiB', Buffer.concat([Buffer.from([0x30]), remainingLength(200 * 1024 * 1024)]), 'too-large'],
    ['a SUBACK of 100 KiB', Buffer.concat([Buffer.from([0x90]), remainingLength(100 * 1024)]), 'too-large'],
    ['a message of QoS 2', publish(topicOf('now', board.id), Buffer.alloc(1), { qos: 2 }), 'bad-packet'],
    ['a retained message', publish(topicOf('now', board.id), Buffer.alloc(1), { retain: true }), 'bad-packet'],
    ['a packet that only clients send', Buffer.from([0xc0, 0]), 'bad-packet'],
  ];
  test.each(hostile)('one that sends %s is cut off, and little of it is kept', async (_name, bytes, code) => {
    const link = await newLink().linked(entry());
    const [stream] = broker.streams;
    const held = process.memoryUsage().arrayBuffers;
    const flood = Buffer.alloc(64 * 1024);
    let taken = 0;
    const pour = (): void => {
      while (!stream!.destroyed && taken < 256 * 1024 * 1024) {
        taken += flood.length;
        if (!stream!.write(flood)) return void stream!.once('drain', pour);
      }
    };
    stream!.write(bytes);
    pour();
    expect(await link.unlinked()).toBe(code);
    expect(taken).toBeLessThan(16 * 1024 * 1024);
    expect(process.memoryUsage().arrayBuffers - held).toBeLessThan(16 * 1024 * 1024);
    expect(link.events.all.filter(({ kind }) => kind === 'message')).toEqual([]);
  });

  test('an oversized packet instead of CONNACK', async () => {
    broker.onConnect = (stream) =>
      void stream.write(Buffer.concat([Buffer.from([0x20]), remainingLength(LIMITS.packetBeforeConnectBytes)]));
    const link = newLink();
    link.link.dial(entry());
    expect(await link.unlinked()).toBe('too-large');
  });

  test('messages for others, upward ones and too long ones are not heard', async () => {
    const link = await newLink().linked(entry());
    const [stream] = broker.streams;
    const unheard = [
      publish(topicOf('now', other.id), Buffer.of(1)),
      publish(topicOf('hello', board.id), Buffer.of(1)),
      publish(topicOf('answer', board.id), Buffer.of(1)),
      publish('lichen/1/b', Buffer.of(1)),
      publish(topicOf('ack', board.id), Buffer.alloc(TOPICS.ack.maxBytes + 1)),
    ];
    stream!.write(Buffer.concat([...unheard, publish(topicOf('ack', board.id), Buffer.of(7))]));
    await link.events.next(({ kind }) => kind === 'message');
    expect(link.events.all.slice(1)).toEqual([{ kind: 'message', topic: 'ack', payload: Uint8Array.of(7) }]);
  });
});
