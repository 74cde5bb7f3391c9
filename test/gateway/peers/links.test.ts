/** Links between gateways over real sockets, and with a peer that cheats, dies or stops reading. */
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PeerTimings } from '../../../gateway/peers/links.ts';
import type { Identity } from '../../../runtime/adapters/certificate.ts';
import { readFrames, writeFrame } from '../../../runtime/adapters/frames.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs } from '../../../runtime/protocol/noun.ts';
import { type PeerFrame, peerFrame } from '../../../runtime/protocol/nouns/log.ts';
import { type Event, ofKind, someone, Trace, untilClosed, World } from '../broker/world.ts';

const [small, middle, large] = [someone(11), someone(12), someone(13)].sort((a, b) => (a.id < b.id ? -1 : 1)) as [
  Identity,
  Identity,
  Identity,
];
const TIMINGS: Partial<PeerTimings> = { backoffBaseMs: 20, backoffCapMs: 50 };

const worlds: World[] = [];
const open = async (gateway: Identity, timings: Partial<PeerTimings> = {}): Promise<World> => {
  const world = await World.open({ peerTimings: { ...TIMINGS, ...timings } }, gateway);
  for (const one of [small, middle, large]) world.admit('gateway', one);
  worlds.push(world);
  return world;
};
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

const have = (size: number): PeerFrame => ({ kind: 'have', vector: { [small.id]: size }, cosigned: null });
const up = (world: World, from = 0) => world.events.next(ofKind('peer-up'), from);
const down = (world: World, from = 0) => world.events.next(ofKind('peer-down'), from);
const kinds = (events: Event[]) => events.map(({ kind }) => kind);

/** A gateway by hand that has dialled. */
const byHand = async (world: World, identity: Identity): Promise<{ stream: Duplex; heard: Trace<PeerFrame | null> }> => {
  const { stream } = await world.dial('lichen-peer/1', identity);
  const heard = new Trace<PeerFrame | null>();
  const frame = (content: Uint8Array) => heard.add(content.length === 0 ? null : decodeAs(peerFrame, content, 'frame'));
  readFrames(stream, LIMITS.peerFrameBytes, { frame, ended: () => {} });
  return { stream, heard };
};

describe('two gateways', () => {
  test('the smaller id dials, both see one link, and frames go both ways', async () => {
    const [a, b] = [await open(small), await open(large)];
    for (const world of [a, b]) world.door.peers.reach([a.entry, b.entry]);
    const [atA, atB] = [await up(a), await up(b)];
    expect([atA.gateway, atB.gateway]).toEqual([large.id, small.id]);
    a.door.peers.send(atA.session, have(1));
    b.door.peers.send(atB.session, have(2));
    expect((await b.events.next(ofKind('peer-frame'))).frame).toEqual(have(1));
    expect((await a.events.next(ofKind('peer-frame'))).frame).toEqual(have(2));
    for (const world of [a, b]) world.door.peers.reach([a.entry, b.entry]);
    expect([kinds(a.events.all), kinds(b.events.all)]).toEqual([
      ['peer-up', 'peer-frame'],
      ['peer-up', 'peer-frame'],
    ]);
  });

  test('frames come whole and in order, up to the largest', async () => {
    const [a, b] = [await open(small), await open(large)];
    a.door.peers.reach([b.entry]);
    const { session } = await up(a);
    const entries = Array.from({ length: 7 }, (_, at) => new Uint8Array(LIMITS.packetBytes).fill(at));
    const big: PeerFrame = { kind: 'entries', author: a.entry.gateway, from: 0, entries, head: 'h' };
    for (let i = 0; i < 5; i++) {
      a.door.peers.send(session, big);
      a.door.peers.send(session, have(i));
    }
    await b.events.next((event) => event.kind === 'peer-frame' && event.frame.kind === 'have' && event.frame.vector[small.id] === 4);
    const frames = b.events.all.filter(ofKind('peer-frame')).map(({ frame }) => frame);
    expect(frames).toHaveLength(10);
    expect(frames[8]).toEqual(big);
  });

  test('a peer that comes back is linked again, by whoever is to dial', async () => {
    const [a, first] = [await open(small), await open(large)];
    a.door.peers.reach([first.entry]);
    await up(a);
    const address = first.entry;
    await first.close();
    await down(a);
    const from = a.events.all.length;
    const second = await World.open({ port: Number(address.address.split(':')[1]) }, large);
    worlds.push(second);
    second.admit('gateway', small);
    await up(a, from);
    await up(second);
  });

  test('a peer that is not there yet is dialled until it is', async () => {
    const probe = await World.open({}, large);
    const { entry } = probe;
    await probe.close();
    const a = await open(small);
    a.door.peers.reach([entry]);
    await a.notes.next(() => a.notes.all.length >= 3);
    const b = await World.open({ port: Number(entry.address.split(':')[1]) }, large);
    worlds.push(b);
    b.admit('gateway', small);
    await up(a);
  });

  test('a peer that is no longer one is dropped, and not dialled again', async () => {
    const [a, b] = [await open(small), await open(large)];
    a.door.peers.reach([b.entry]);
    await Promise.all([up(a), up(b)]);
    a.door.peers.reach([]);
    await Promise.all([down(a), down(b)]);
    // The other one comes meanwhile: whoever wanted to dial would have.
    const c = await open(middle);
    a.door.peers.reach([c.entry]);
    await up(a, a.events.all.length - 1);
    expect(kinds(b.events.all)).toEqual(['peer-up', 'peer-down']);
  });

  test('another key under the address: not linked, and said why', async () => {
    const [a, b] = [await open(small), await open(large)];
    a.door.peers.reach([{ ...b.entry, key: middle.signer.publicKey }]);
    await a.notes.next(({ code }) => code === 'pin-mismatch');
    expect([...a.events.all, ...b.events.all]).toEqual([]);
    a.door.peers.reach([b.entry]);
    await up(a);
    // A rotated key is another gateway until it has shown itself.
    a.door.peers.reach([{ ...b.entry, key: middle.signer.publicKey }]);
    await down(a);
  });

  test('dropping ends the link at both ends, and it is dialled anew', async () => {
    const [a, b] = [await open(small), await open(large)];
    a.door.peers.reach([b.entry]);
    const { session } = await up(b);
    b.door.peers.drop(session, new LichenError('fork', 'two histories'));
    await down(b);
    await down(a);
    expect(b.notes.all.some(({ code }) => code === 'fork')).toBe(true);
    expect((await up(b, 2)).session).not.toBe(session);
  });
});

describe('who is let in', () => {
  let world: World;
  beforeEach(async () => {
    world = await open(middle);
  });

  test.each([
    ['an unknown key', someone(77), 'unknown-key'],
    ['a gateway with the larger id, which ought to wait', large, 'not-offered'],
  ])('not %s', async (_name, identity, code) => {
    const { stream } = await byHand(world, identity);
    await untilClosed(stream);
    await world.notes.next((note) => note.code === code);
    expect(world.events.all).toEqual([]);
  });

  test('not a board, though it may speak MQTT', async () => {
    const board = someone(5);
    world.admit('board', board);
    await untilClosed((await byHand(world, board)).stream);
    expect(world.events.all).toEqual([]);
  });

  test('one that dials anew replaces its former link', async () => {
    const first = await byHand(world, small);
    const one = await up(world);
    const second = await byHand(world, small);
    await untilClosed(first.stream);
    const two = await up(world, 1);
    expect(kinds(world.events.all)).toEqual(['peer-up', 'peer-down', 'peer-up']);
    expect(two.session).not.toBe(one.session);
    writeFrame(second.stream, encodeAs(peerFrame, have(3), 'frame'));
    expect((await world.events.next(ofKind('peer-frame'))).session).toBe(two.session);
  });
});

describe('a peer that misbehaves', () => {
  const length = (bytes: number): Buffer => {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(bytes);
    return prefix;
  };
  const cases: [name: string, bytes: Buffer, code: string][] = [
    ['a frame of 4 GiB', length(0xffffffff), 'too-large'],
    ['a frame one byte too long', length(LIMITS.peerFrameBytes + 1), 'too-large'],
    ['no CBOR', Buffer.concat([length(2), Buffer.from([0xff, 0xff])]), 'bad-cbor'],
    ['CBOR that is no peer frame', Buffer.concat([length(1), Buffer.from([0xa0])]), 'bad-schema'],
  ];
  test.each(cases)('%s ends the link', async (_name, bytes, code) => {
    const world = await open(large);
    const { stream } = await byHand(world, small);
    await up(world);
    stream.write(bytes);
    await untilClosed(stream);
    await down(world);
    await world.notes.next((note) => note.code === code);
    expect(world.events.all.filter(ofKind('peer-frame'))).toEqual([]);
  });

  test('one that falls silent is noticed; one whose heart beats is kept', async () => {
    const world = await open(large, { heartbeatMs: 40, silenceMs: 150 });
    const { stream: alive, heard } = await byHand(world, small);
    const heart = setInterval(() => writeFrame(alive, new Uint8Array(0)), 40);
    try {
      await up(world);
      const from = world.events.all.length;
      await byHand(world, middle);
      const silent = await up(world, from);
      expect((await down(world)).session).toBe(silent.session);
      await world.notes.next(({ detail }) => detail.includes('silent for'));
      // Ours beats as well: several times in what has been a whole silence.
      await heard.next(() => heard.all.length >= 3);
      expect(heard.all.every((frame) => frame === null)).toBe(true);
      expect(world.events.all.filter(ofKind('peer-down'))).toHaveLength(1);
    } finally {
      clearInterval(heart);
    }
  });

  test('one that does not read is cut off before much waits for it', async () => {
    const world = await open(large);
    const { stream } = await byHand(world, small);
    const { session } = await up(world);
    stream.pause();
    const blob: PeerFrame = { kind: 'blob', hash: new Uint8Array(32), bytes: new Uint8Array(LIMITS.packetBytes) };
    let sent = 0;
    for (; sent < 4000 && !world.events.all.some(ofKind('peer-down')); sent++) {
      world.door.peers.send(session, blob);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await world.notes.next(({ detail }) => detail.includes('reads too slowly'));
    expect(sent * LIMITS.packetBytes).toBeLessThan(64 * 1024 * 1024);
  });

  test('our own frame over the limit ends the link instead of being cut short', async () => {
    const world = await open(large);
    const { stream } = await byHand(world, small);
    const { session } = await up(world);
    const entries = Array.from({ length: 9 }, () => new Uint8Array(LIMITS.packetBytes));
    world.door.peers.send(session, { kind: 'entries', author: world.entry.gateway, from: 0, entries, head: 'h' });
    await untilClosed(stream);
    await world.notes.next(({ code }) => code === 'too-large');
  });
});
