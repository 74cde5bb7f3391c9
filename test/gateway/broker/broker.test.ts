/** The broker from outside: real sockets, real TLS, and packets that no client library would send. */
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Broker } from '../../../gateway/broker/broker.ts';
import type { Shelf } from '../../../gateway/service/doors.ts';
import { openClock } from '../../../runtime/adapters/clock.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs } from '../../../runtime/protocol/noun.ts';
import { chunk } from '../../../runtime/protocol/nouns/messages.ts';
import { TOPICS, topicOf } from '../../../runtime/protocol/topics.ts';
import { CONNECTED, connect, PINGREQ, PINGRESP, packet, publish, refusedWith, remainingLength, subscribe } from './packets.ts';
import { ofKind, someone, Trace, untilBytes, untilClosed, World } from './world.ts';

const board = someone(1);
const other = someone(2);
const tenant = someone(3);
const stranger = someone(4);

let world: World;
beforeEach(async () => {
  world = await World.open();
  world.admit('board', board);
  world.admit('board', other);
  world.admit('tenant', tenant);
});
afterEach(() => world.close());

/** A raw MQTT connection of the board that CONNECT has been accepted on. */
const connected = async (identity = board): Promise<Duplex> => {
  const { stream } = await world.dial('mqtt', identity);
  const answer = untilBytes(stream, CONNECTED.length);
  stream.write(connect({ clientId: identity.id }));
  expect(await answer).toEqual(CONNECTED);
  return stream;
};

const noteWith = (code: string) => world.notes.next((note) => note.code === code);
const messages = () => world.events.all.filter(ofKind('message'));

describe('who may connect', () => {
  test('a board under its id, a tenant under its id with or without a suffix', async () => {
    await world.session('board', board);
    await world.session('tenant', tenant);
    await world.session('tenant', tenant, { clientId: `${tenant.id}-laptop` });
    const connects = world.events.all.filter(ofKind('connected'));
    expect(connects.map(({ party, id }) => [party, id])).toEqual([
      ['board', board.id],
      ['tenant', tenant.id],
      ['tenant', tenant.id],
    ]);
    expect(connects[0]?.key).toEqual(board.signer.publicKey);
    expect(new Set(connects.map(({ session }) => session)).size).toBe(3);
    expect(world.events.all.filter(ofKind('disconnected'))).toEqual([]);
  });

  test('a tenant no more often than its share, and again once one has gone', async () => {
    const called = (word: number) => ({ clientId: `${tenant.id}-${word}` });
    const [first] = await Promise.all(
      Array.from({ length: LIMITS.sessionsPerTenant }, (_, i) => world.session('tenant', tenant, called(i))),
    );
    const { stream } = await world.dial('mqtt', tenant);
    const refusal = untilBytes(stream, CONNECTED.length);
    stream.write(connect(called(99)));
    expect(await refusal).toEqual(refusedWith(3));
    expect((await noteWith('too-many')).detail).toContain(`${LIMITS.sessionsPerTenant} sessions`);
    await world.session('board', board);
    // Taking one's own place over is no session more.
    await world.session('tenant', tenant, called(3));
    first?.close();
    await vi.waitFor(() => expect(world.events.all.filter(ofKind('disconnected'))).toHaveLength(2));
    await world.session('tenant', tenant, called(99));
  });

  const refusals: [name: string, identity: typeof board, packet: Buffer, code: number][] = [
    ['an unknown key', stranger, connect({ clientId: stranger.id }), 5],
    ['an unknown key under the id of a board', stranger, connect({ clientId: board.id }), 5],
    ["another board's id", board, connect({ clientId: other.id }), 2],
    ["a suffix to a board's id", board, connect({ clientId: `${board.id}-two` }), 5],
    ['no client id', board, connect({ clientId: '' }), 5],
    ['a client id that is an inherited name', board, connect({ clientId: '__proto__' }), 5],
    ['a suffix out of the alphabet', tenant, connect({ clientId: `${tenant.id}-A` }), 5],
    ['a session that is kept', board, connect({ clientId: board.id, clean: false }), 5],
    ['no keep alive', board, connect({ clientId: board.id, keepaliveS: 0 }), 5],
    ['too long a keep alive', board, connect({ clientId: board.id, keepaliveS: LIMITS.keepaliveMaxS + 1 }), 5],
    ['MQTT 3.1', board, connect({ clientId: board.id, level: 3 }), 2],
    ['a will of another board', board, connect({ clientId: board.id, will: { topic: topicOf('gone', other.id) } }), 5],
    ['a will on another topic', board, connect({ clientId: board.id, will: { topic: topicOf('report', board.id) } }), 5],
    ['a retained will', board, connect({ clientId: board.id, will: { topic: topicOf('gone', board.id), retain: true } }), 5],
    ['a will of QoS 2', board, connect({ clientId: board.id, will: { topic: topicOf('gone', board.id), qos: 2 } }), 5],
    ['too long a will', board, connect({ clientId: board.id, will: { topic: topicOf('gone', board.id), payload: Buffer.alloc(65) } }), 5],
    ["a tenant's will", tenant, connect({ clientId: tenant.id, will: { topic: topicOf('gone', tenant.id) } }), 5],
  ];
  test.each(refusals)('not %s', async (_name, identity, packet, code) => {
    const { stream } = await world.dial('mqtt', identity);
    const closed = untilClosed(stream);
    stream.write(packet);
    expect(await closed).toEqual(refusedWith(code));
    expect(world.events.all).toEqual([]);
  });

  test('not a revoked key, and the note says why', async () => {
    world.revoked.add(Buffer.from(board.signer.publicKey).toString('hex'));
    const { stream } = await world.dial('mqtt', board);
    const closed = untilClosed(stream);
    stream.write(connect({ clientId: board.id }));
    expect(await closed).toEqual(refusedWith(5));
    expect((await noteWith('revoked-key')).detail).toBe('revoked');
  });
});

describe('what may be said', () => {
  const alien: [name: string, make: () => Buffer, code: string][] = [
    ["to another board's topic", () => publish(topicOf('hello', other.id), Buffer.from('x'), { qos: 1 }), 'foreign-topic'],
    ['to a topic of its own that is downward', () => publish(topicOf('desired', board.id), Buffer.from('x')), 'foreign-topic'],
    ["to a tenant's topic", () => publish(topicOf('push', board.id), Buffer.from('x')), 'foreign-topic'],
    ['to $SYS', () => publish('$SYS/x/heartbeat', Buffer.from('x')), 'foreign-topic'],
    ['retained', () => publish(topicOf('report', board.id), Buffer.from('x'), { retain: true }), 'bad-packet'],
    ['at QoS 2', () => publish(topicOf('report', board.id), Buffer.from('x'), { qos: 2 }), 'bad-packet'],
    ["over its topic's size", () => publish(topicOf('hello', board.id), Buffer.alloc(TOPICS.hello.maxBytes + 1)), 'too-large'],
  ];
  test.each(alien)('a message %s ends the connection', async (_name, make, code) => {
    const stream = await connected();
    const closed = untilClosed(stream);
    stream.write(make());
    expect(await closed).toEqual(Buffer.alloc(0));
    await noteWith(code);
    expect(messages()).toEqual([]);
    await world.events.next(ofKind('disconnected'));
  });

  test("exactly its topic's size passes, byte for byte", async () => {
    const session = await world.session('board', board);
    const payload = Uint8Array.from({ length: TOPICS.hello.maxBytes }, (_, at) => at % 251);
    await session.publish('hello', payload);
    const [message] = messages();
    expect(message?.payload).toEqual(payload);
    expect(message).toMatchObject({ party: 'board', id: board.id, topic: 'hello' });
  });

  test('subscriptions are granted for its own downward topics and for nothing else', async () => {
    const stream = await connected();
    const wanted: [string, number][] = [
      [topicOf('now', board.id), 1],
      [topicOf('chunk', board.id), 0],
      [topicOf('desired', board.id), 2],
      [topicOf('hello', board.id), 1],
      [topicOf('desired', other.id), 1],
      [topicOf('answer', tenant.id), 1],
      [`lichen/1/b/${board.id}/+`, 1],
      [`lichen/1/b/${board.id}/#`, 1],
      ['#', 0],
      ['+/+/+/+/+', 0],
      ['$SYS/#', 0],
    ];
    const answer = untilBytes(stream, 4 + wanted.length);
    stream.write(subscribe(wanted, 7));
    expect([...(await answer)]).toEqual([0x90, 2 + wanted.length, 0, 7, 1, 0, ...wanted.slice(2).map(() => 128)]);
  });

  test('no client hears what another one says', async () => {
    const [one, two, third] = [
      await world.session('board', board),
      await world.session('board', other),
      await world.session('tenant', tenant),
    ];
    await one.publish('report', Uint8Array.of(1));
    await third.publish('push', Uint8Array.of(2));
    await two.publish('report', Uint8Array.of(3));
    expect([one, two, third].flatMap(({ heard }) => heard.all)).toEqual([]);
    expect(messages()).toHaveLength(3);
  });
});

describe('size and time', () => {
  /** Writes for as long as the far end takes it; answers with how much it took. */
  const pourIn = (stream: Duplex, chunk: Buffer, mostBytes: number): Promise<number> =>
    new Promise((resolve) => {
      let sent = 0;
      const pour = () => {
        while (!stream.destroyed && sent < mostBytes) {
          sent += chunk.length;
          if (!stream.write(chunk)) {
            stream.once('drain', pour);
            return;
          }
        }
      };
      stream.once('close', () => resolve(sent));
      stream.on('error', () => {});
      pour();
    });

  const claims: [name: string, header: Buffer, before: boolean][] = [
    ['a CONNECT of 200 MiB', Buffer.concat([Buffer.from([0x10]), remainingLength(200 * 1024 * 1024)]), true],
    ['a PUBLISH before CONNECT', Buffer.concat([Buffer.from([0x30]), remainingLength(LIMITS.packetBeforeConnectBytes)]), true],
    ['a PUBLISH of 200 MiB', Buffer.concat([Buffer.from([0x30]), remainingLength(200 * 1024 * 1024)]), false],
    ['a PUBLISH one byte too long', Buffer.concat([Buffer.from([0x30]), remainingLength(LIMITS.packetBytes - 3)]), false],
    [
      'a SUBSCRIBE as long as a PUBLISH may be',
      Buffer.concat([Buffer.from([0x82]), remainingLength(LIMITS.packetBeforeConnectBytes)]),
      false,
    ],
  ];
  test.each(claims)('%s is refused by its header, and nothing of it is kept', async (_name, header, before) => {
    const stream = before ? (await world.dial('mqtt', board)).stream : await connected();
    const held = process.memoryUsage().arrayBuffers;
    stream.write(header);
    const taken = await pourIn(stream, Buffer.alloc(64 * 1024), 256 * 1024 * 1024);
    await noteWith('too-large');
    // What the two kernels' socket buffers swallow before the reset arrives.
    expect(taken).toBeLessThan(16 * 1024 * 1024);
    expect(process.memoryUsage().arrayBuffers - held).toBeLessThan(16 * 1024 * 1024);
    expect(messages()).toEqual([]);
  });

  test('many small packets before CONNECT is accepted are refused too', async () => {
    const { stream } = await world.dial('mqtt', board);
    const closed = untilClosed(stream);
    stream.write(Buffer.concat([connect({ clientId: board.id }), ...Array.from({ length: 2048 }, () => PINGREQ)]));
    await closed;
    expect((await noteWith('too-large')).detail).toContain('before CONNECT');
  });

  test('the largest packet allowed comes through', async () => {
    const session = await world.session('board', board);
    const overhead = 1 + 3 + 2 + topicOf('report', board.id).length + 2;
    await session.publish('report', new Uint8Array(LIMITS.packetBytes - overhead));
    expect(messages()[0]?.payload.length).toBe(LIMITS.packetBytes - overhead);
    void session.publish('report', new Uint8Array(LIMITS.packetBytes - overhead + 1));
    await session.ended();
    await noteWith('too-large');
  });

  const malformed: [name: string, bytes: number[]][] = [
    ['a remaining length of five bytes', [0x10, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['a remaining length longer than needed', [0x10, 0x80, 0x00]],
    ['a reserved packet type', [0x00, 0x00]],
    ["MQTT 5's AUTH", [0xf0, 0x00]],
    ['a packet that only servers send', [0x20, 0x02, 0x00, 0x00]],
    ['reserved flags', [0x11, 0x00]],
  ];
  test.each(malformed)('%s is refused', async (_name, bytes) => {
    const { stream } = await world.dial('mqtt', board);
    const closed = untilClosed(stream);
    stream.write(Buffer.from(bytes));
    expect(await closed).toEqual(Buffer.alloc(0));
    await noteWith('bad-packet');
  });

  test('a packet other than CONNECT first, or a second CONNECT, ends the connection', async () => {
    const { stream } = await world.dial('mqtt', board);
    const first = untilClosed(stream);
    stream.write(PINGREQ);
    expect(await first).toEqual(Buffer.alloc(0));
    const again = await connected();
    const second = untilClosed(again);
    again.write(connect({ clientId: board.id }));
    await second;
    await world.events.next(ofKind('disconnected'));
  });
});

describe('published means durable', () => {
  test('PUBACK waits for the service, pings meanwhile do not', async () => {
    world.onMessage = () => {};
    const stream = await connected();
    const alive = untilBytes(stream, PINGRESP.length);
    stream.write(publish(topicOf('usage', board.id), Buffer.from('u'), { qos: 1, id: 0x0102 }));
    const message = await world.events.next(ofKind('message'));
    stream.write(PINGREQ);
    expect(await alive).toEqual(PINGRESP);
    const acked = untilBytes(stream, 4);
    world.door.front.settle(message.receipt, null);
    expect([...(await acked)]).toEqual([0x40, 2, 1, 2]);
  });

  test('a message that is refused ends the session without PUBACK', async () => {
    world.onMessage = ({ receipt }) => world.door.front.settle(receipt, new LichenError('storage-full', 'full'));
    const stream = await connected();
    const closed = untilClosed(stream);
    stream.write(publish(topicOf('usage', board.id), Buffer.from('u'), { qos: 1 }));
    expect(await closed).toEqual(Buffer.alloc(0));
    await noteWith('storage-full');
    await world.events.next(ofKind('disconnected'));
  });

  test('QoS 0 is settled too, and never acknowledged', async () => {
    const stream = await connected();
    const alive = untilBytes(stream, PINGRESP.length);
    stream.write(publish(topicOf('want', board.id), Buffer.from('w')));
    await world.events.next(ofKind('message'));
    stream.write(PINGREQ);
    expect(await alive).toEqual(PINGRESP);
  });

  test('no more than the limit is with the service at once, the rest follows in order', async () => {
    const receipts: number[] = [];
    world.onMessage = ({ receipt }) => receipts.push(receipt);
    const stream = await connected();
    const count = 3 * LIMITS.unsettledPerSession;
    const acks = untilBytes(stream, 4 * count);
    stream.write(
      Buffer.concat(
        Array.from({ length: count }, (_, at) => publish(topicOf('usage', board.id), Buffer.from([at]), { qos: 1, id: at + 1 })),
      ),
    );
    await world.events.next(ofKind('message'));
    // Another client's round trip: the door has had its turns meanwhile.
    await world.session('tenant', tenant);
    expect(receipts).toHaveLength(LIMITS.unsettledPerSession);
    for (let settled = 0; settled < count; settled++) {
      const receipt = receipts[settled];
      if (receipt === undefined) break;
      world.door.front.settle(receipt, null);
    }
    const ids = await acks;
    expect(Array.from({ length: count }, (_, at) => ids.readUInt16BE(4 * at + 2))).toEqual(
      Array.from({ length: count }, (_, at) => at + 1),
    );
    expect(messages().map(({ payload }) => payload[0])).toEqual(Array.from({ length: count }, (_, at) => at));
  });

  test('a receipt that is settled twice, or was never given, changes nothing', async () => {
    const session = await world.session('board', board);
    await session.publish('report', Uint8Array.of(1));
    const [message] = messages();
    world.door.front.settle(message!.receipt, new LichenError('internal', 'late'));
    world.door.front.settle(9_999_999, null);
    await session.publish('report', Uint8Array.of(2));
    expect(session.ends.all).toEqual([]);
  });
});

describe('the broker without a network', () => {
  const order = new Trace<string>();
  let broker: Broker;
  beforeEach(async () => {
    order.all.length = 0;
    broker = await Broker.open({
      id: world.gateway.id,
      gatekeeper: world.gatekeeper,
      listener: (event) => order.add('session' in event ? `${event.kind} ${event.session}` : event.kind),
      clock: openClock(),
      note: () => {},
      prefix: 'x-',
      connectDeadlineMs: 10_000,
      settleDeadlineMs: 10_000,
    });
  });
  afterEach(() => broker.close());

  /** The far end of a stream on which the board has said CONNECT, and more. */
  const come = (...more: Buffer[]): Duplex => {
    const [near, far] = duplexPair();
    broker.accept(near, board.signer.publicKey, () => {});
    far.write(Buffer.concat([connect({ clientId: board.id }), ...more]));
    far.resume();
    return far;
  };
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
  };

  test('a client that is faster than its own CONNACK is announced before it is heard', async () => {
    const far = come();
    far.once('data', () => far.write(publish(topicOf('hello', board.id), Buffer.from('x'), { qos: 1 })));
    await order.next((event) => event.startsWith('message'));
    expect(order.all).toEqual(['connected x-m1', 'message x-m1']);
  });

  test('whenever the one before goes, the newest session alone stands', async () => {
    let count = 0;
    for (let pause = 0; pause < 16; pause++) {
      const subscribes = subscribe([[topicOf('now', board.id), 1]]);
      const first = come(subscribes);
      await order.next((event) => event === `connected x-m${count + 1}`);
      await turns(4);
      // The second comes while the first goes, at every moment of its going; the third takes over from the second.
      if (pause < 8) first.destroy();
      const second = come(subscribes);
      await turns(pause % 8);
      first.destroy();
      await order.next((event) => event === `connected x-m${count + 2}`);
      await turns(10);
      come();
      await order.next((event) => event === `connected x-m${count + 3}`);
      await order.next((event) => event === `disconnected x-m${count + 2}`);
      await turns(10);
      const ends = order.all.filter((event) => event.startsWith('disconnected'));
      const begins = order.all.filter((event) => event.startsWith('connected'));
      expect(begins.length - ends.length).toBe(1);
      expect(second.destroyed || second.readableEnded).toBe(true);
      count += 3;
    }
  });
});

describe('sessions', () => {
  test('what is sent reaches the one client', async () => {
    const [one, two] = [await world.session('board', board), await world.session('board', other)];
    const [first] = world.events.all.filter(ofKind('connected'));
    world.door.front.send(first!.session, 'desired', Uint8Array.of(7));
    world.door.front.send(first!.session, 'chunk', Uint8Array.of(8));
    await one.heard.next(({ topic }) => topic === 'chunk');
    expect(one.heard.all).toEqual([
      { topic: 'desired', payload: Uint8Array.of(7) },
      { topic: 'chunk', payload: Uint8Array.of(8) },
    ]);
    expect(two.heard.all).toEqual([]);
  });

  test('content goes to the one client that asked for it, as it lies on the shelf, and what is not there is told', async () => {
    const [one, two] = [await world.session('board', board), await world.session('board', other)];
    const [first] = world.events.all.filter(ofKind('connected'));
    const pieces = Array.from({ length: 40 }, (_, nth) => new Uint8Array(nth * 1000).fill(nth));
    const lent = new Uint8Array(64 * 1024);
    const shelf: Shelf = (hash) => {
      const piece = pieces[hash[0] ?? 0];
      if (piece === undefined) return null;
      lent.set(piece);
      return lent.subarray(0, piece.length);
    };
    const asked = [...pieces.keys(), 99].map((nth) => new Uint8Array(32).fill(nth));
    world.door.front.give(first!.session, asked, shelf);
    world.door.front.send(first!.session, 'desired', Uint8Array.of(7));
    await one.heard.next(({ topic, payload }) => topic === 'chunk' && decodeAs(chunk, payload, 'chunk').bytes === null);
    const given = one.heard.all.filter(({ topic }) => topic === 'chunk').map(({ payload }) => decodeAs(chunk, payload, 'chunk'));
    expect(given.map(({ bytes }) => bytes)).toEqual([...pieces, null]);
    expect(given.map(({ hash }) => hash)).toEqual(asked);
    expect(one.heard.all.map(({ topic }) => topic)).toContain('desired');
    expect(two.heard.all).toEqual([]);
  });

  test('who asks for more than anybody needs at once loses the session', async () => {
    const session = await world.session('board', board);
    const { session: name } = await world.events.next(ofKind('connected'));
    const some = Array.from({ length: LIMITS.wantHashes }, () => new Uint8Array(32));
    for (let at = 0; at <= LIMITS.wantsWaiting; at += some.length) world.door.front.give(name, some, () => null);
    await session.ended();
    expect((await noteWith('unavailable')).message).toContain(`${LIMITS.wantsWaiting} pieces`);
  });

  test('nothing is sent to a client that has not subscribed, or no longer', async () => {
    const stream = await connected();
    const { session } = await world.events.next(ofKind('connected'));
    const rest: number[] = [];
    stream.on('data', (chunk: Buffer) => rest.push(...chunk));
    const roundTrip = async (packet: Buffer, answerType: number) => {
      const answered = untilBytes(stream, 2);
      stream.write(packet);
      expect((await answered).readUInt8(0)).toBe(answerType);
      rest.length = 0;
    };
    const sendAndPing = async (): Promise<number[]> => {
      world.door.front.send(session, 'desired', Uint8Array.of(7));
      // aedes writes a message one turn after it was given it.
      await new Promise((resolve) => setImmediate(resolve));
      const answered = new Promise<void>((resolve) => stream.on('data', () => rest.at(-2) === 0xd0 && resolve()));
      stream.write(PINGREQ);
      await answered;
      return rest.splice(0);
    };
    expect(await sendAndPing()).toEqual([...PINGRESP]);
    await roundTrip(subscribe([[topicOf('desired', board.id), 1]]), 0x90);
    expect((await sendAndPing()).length).toBeGreaterThan(PINGRESP.length);
    const topic = topicOf('desired', board.id);
    await roundTrip(packet(0xa2, Buffer.from([0, 2, 0, topic.length]), Buffer.from(topic)), 0xb0);
    expect(await sendAndPing()).toEqual([...PINGRESP]);
  });

  test('what does not fit into a packet is not sent, and the session goes on', async () => {
    const client = await world.session('board', board);
    const { session } = await world.events.next(ofKind('connected'));
    world.door.front.send(session, 'ack', new Uint8Array(TOPICS.ack.maxBytes + 1));
    world.door.front.send(session, 'desired', new Uint8Array(LIMITS.packetBytes));
    world.door.front.send(session, 'ack', Uint8Array.of(1));
    expect(await client.heard.next(() => true)).toEqual({ topic: 'ack', payload: Uint8Array.of(1) });
    expect(world.notes.all.filter(({ code }) => code === 'internal')).toHaveLength(2);
  });

  test('a second session of a board takes over, and the events tell the two apart', async () => {
    const first = await world.session('board', board);
    const second = await world.session('board', board);
    await first.ended();
    const [one, two] = world.events.all.filter(ofKind('connected'));
    const gone = await world.events.next(ofKind('disconnected'));
    expect(gone.session).toBe(one!.session);
    expect(two!.session).not.toBe(one!.session);
    const order = world.events.all.map(({ kind }) => kind);
    expect(order).toEqual(['connected', 'message', 'disconnected', 'connected']);
    expect(messages()[0]).toMatchObject({ topic: 'gone', session: one!.session });
    world.door.front.send(one!.session, 'now', Uint8Array.of(1));
    world.door.front.send(two!.session, 'now', Uint8Array.of(2));
    expect((await second.heard.next(() => true)).payload).toEqual(Uint8Array.of(2));
  });

  test('taking over again and again leaves the last one standing', async () => {
    for (let i = 0; i < 8; i++) await connected();
    const last = await world.session('board', board);
    const connects = world.events.all.filter(ofKind('connected'));
    const ends = world.events.all.filter(ofKind('disconnected'));
    expect(connects).toHaveLength(9);
    expect(ends.map(({ session }) => session)).toEqual(connects.slice(0, 8).map(({ session }) => session));
    await last.publish('report', Uint8Array.of(1));
  });

  test('a board that goes without a word leaves its will, one that says goodbye does not', async () => {
    const silent = await world.dial('mqtt', board);
    const acked = untilBytes(silent.stream, 4);
    silent.stream.write(connect({ clientId: board.id, will: { topic: topicOf('gone', board.id), payload: Buffer.from('w'), qos: 1 } }));
    await acked;
    silent.stream.destroy();
    await world.events.next(ofKind('disconnected'));
    expect(world.events.all.map(({ kind }) => kind)).toEqual(['connected', 'message', 'disconnected']);
    expect(messages()[0]).toMatchObject({ topic: 'gone', payload: Uint8Array.from(Buffer.from('w')) });
    const from = world.events.all.length;
    (await world.session('board', other)).close();
    await world.events.next(ofKind('disconnected'), from);
    expect(world.events.all.slice(from).map(({ kind }) => kind)).toEqual(['connected', 'disconnected']);
  });

  test('dropping ends the connection', async () => {
    const session = await world.session('board', board);
    const { session: name } = await world.events.next(ofKind('connected'));
    world.door.front.drop(name, new LichenError('revoked-key', 'revoked meanwhile'));
    await session.ended();
    await noteWith('revoked-key');
    expect(world.events.all.filter(ofKind('disconnected')).map(({ session }) => session)).toEqual([name]);
  });

  test('a client that reads nothing is cut off and holds up nobody', async () => {
    const frozen = await connected();
    const answer = untilBytes(frozen, 5);
    frozen.write(subscribe([[topicOf('chunk', board.id), 0]]));
    await answer;
    frozen.pause();
    const brisk = await world.session('board', other);
    const [slow, fast] = world.events.all.filter(ofKind('connected'));
    const chunk = new Uint8Array(64 * 1024);
    let sent = 0;
    while (!world.events.all.some(ofKind('disconnected')) && sent < 4000) {
      world.door.front.send(slow!.session, 'chunk', chunk);
      world.door.front.send(fast!.session, 'chunk', chunk);
      sent++;
      // The brisk one has each before the next is sent: it never waits for the other.
      await brisk.heard.next(() => brisk.heard.all.length === sent);
    }
    expect((await world.events.next(ofKind('disconnected'))).session).toBe(slow!.session);
    expect((await noteWith('unavailable')).detail).toContain('reads too slowly');
    expect(brisk.heard.all).toHaveLength(sent);
    expect(brisk.ends.all).toEqual([]);
  });
});
