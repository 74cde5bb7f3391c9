/** Real mqtt.js, aedes and peer links over the streams of tier B: the carrier's promises, one by one. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FrontEvent } from '../../../gateway/service/doors.ts';
import type { LinkEvent } from '../../../runtime/ports/link.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';
import { federation, StreamWorld, ToyBoard, ToyGateway } from './stream-world.ts';

const S = 1000;

let world: StreamWorld;
beforeEach(() => {
  world = new StreamWorld('streams');
});
afterEach(() => world.carrier.close());

const told = (board: ToyBoard): string[] =>
  board.events.map((event) => (event.kind === 'unlinked' ? `${event.kind} ${event.error.code}` : event.kind));
const last = (board: ToyBoard): LinkEvent | undefined => board.events.at(-1);

const pair = async (keepaliveMs = 10 * S): Promise<{ gateway: ToyGateway; board: ToyBoard }> => {
  const gateway = new ToyGateway(world, 'g');
  const board = new ToyBoard(world, 'b', [], { keepaliveMs });
  board.link.dial(gateway.entry);
  await world.runTo(world.clock.nowMs + S);
  expect(told(board)).toEqual(['linked']);
  return { gateway, board };
};

/** How long it takes until there is one more, as long as that is within the limit. */
const untilMore = async (list: unknown[], withinMs: number): Promise<number> => {
  const before = list.length;
  const startMs = world.clock.nowMs;
  while (list.length === before && world.clock.nowMs < startMs + withinMs) await world.runTo(world.clock.nowMs + 50);
  return world.clock.nowMs - startMs;
};
const untilTold = (board: ToyBoard, withinMs: number): Promise<number> => untilMore(board.events, withinMs);

describe('a session', () => {
  test('carries messages both ways, and each is heard where it arrives', async () => {
    const { gateway, board } = await pair();
    board.link.publish('usage', new Uint8Array(500).fill(7));
    await world.runTo(2 * S);
    expect(gateway.kinds()).toEqual(['connected', 'message usage']);
    const [, message] = gateway.events as [FrontEvent, Extract<FrontEvent, { kind: 'message' }>];
    expect([message.id, message.payload.length, message.payload[0]]).toEqual([board.end.id, 500, 7]);
    expect(last(board)).toMatchObject({ kind: 'message', topic: 'ack' });
    const [b, g] = [board.end.id.slice(0, 4), gateway.end.id.slice(0, 4)];
    expect(world.heard).toEqual([`${b}>${g} usage 500`, `${g}>${b} ack 300`]);
  });

  test('lives on for hours with nothing to say', async () => {
    const { gateway, board } = await pair(60 * S);
    await world.runTo(5 * 3600 * S);
    expect([told(board), gateway.kinds()]).toEqual([['linked'], ['connected']]);
  });

  test('ends with a goodbye: no last will', async () => {
    const { gateway, board } = await pair();
    board.link.hangUp();
    await world.runTo(5 * S);
    expect([told(board), gateway.kinds()]).toEqual([['linked'], ['connected', 'disconnected']]);
  });

  test('is acknowledged when it is settled: what is not ends it', async () => {
    const { gateway, board } = await pair();
    gateway.onEvent = (event) => {
      if (event.kind === 'message') gateway.doors.front.settle(event.receipt, new LichenError('storage-full', 'no room'));
    };
    board.link.publish('report', new Uint8Array(10));
    await world.runTo(3 * S);
    expect(told(board)).toEqual(['linked', 'unlinked unavailable']);
    expect(gateway.notes.map(({ code }) => code)).toContain('storage-full');
  });

  test('takes a slow way for a long message', async () => {
    const { gateway, board } = await pair();
    world.ways.bytesPerMs = 10;
    board.link.publish('usage', new Uint8Array(60 * 1024));
    await world.runTo(6 * S);
    expect(gateway.kinds()).toEqual(['connected']);
    await world.runTo(9 * S);
    expect(gateway.kinds()).toEqual(['connected', 'message usage']);
  });
});

describe('who is let in', () => {
  test('a gateway with another key is not', async () => {
    const [gateway, other] = [new ToyGateway(world, 'g'), new ToyGateway(world, 'other')];
    const board = new ToyBoard(world, 'b', []);
    board.link.dial({ ...gateway.entry, key: other.end.signer.publicKey });
    await world.runTo(5 * S);
    expect([told(board), gateway.events]).toEqual([['unlinked pin-mismatch'], []]);
  });

  test('a board that the gateway does not know is not', async () => {
    const gateway = new ToyGateway(world, 'g');
    const board = new ToyBoard(world, 'b', []);
    world.keys.clear();
    board.link.dial(gateway.entry);
    await world.runTo(5 * S);
    expect([told(board), gateway.events]).toEqual([['unlinked not-paired'], []]);
    expect(gateway.notes.map(({ code }) => code)).toEqual(['unknown-key']);
  });
});

describe('a dial', () => {
  const dialled = async (prepare: (gateway: ToyGateway, board: ToyBoard) => void, ms = 60 * S) => {
    const gateway = new ToyGateway(world, 'g');
    const board = new ToyBoard(world, 'b', []);
    await world.runTo(S);
    prepare(gateway, board);
    board.link.dial(gateway.entry);
    return { gateway, board, tookMs: await untilTold(board, ms) };
  };

  test('fails after the time-out where nothing passes', async () => {
    const { board, tookMs } = await dialled((gateway, { end }) => world.ways.cut(gateway.end.id, end.id));
    expect([told(board), tookMs]).toEqual([['unlinked unavailable'], 10 * S]);
  });

  test.each(['up', 'down'])('fails after the time-out where only one direction passes: %s', async (passes) => {
    const { board, gateway, tookMs } = await dialled((to, { end }) =>
      world.ways.lost.add(passes === 'up' ? `${to.end.id}>${end.id}` : `${end.id}>${to.end.id}`),
    );
    expect([told(board), tookMs, gateway.events]).toEqual([['unlinked unavailable'], 10 * S, []]);
  });

  test('fails after the time-out where it opens and then nothing is heard', async () => {
    const { board, gateway, tookMs } = await dialled((to, { end }) => {
      world.ways.cut(to.end.id, end.id);
      world.ways.opens = () => true;
    });
    expect([told(board), tookMs, gateway.events]).toEqual([['unlinked unavailable'], 10 * S, []]);
  });

  test('fails after the time-out where something captive took it, though the way is free soon', async () => {
    const { board, gateway, tookMs } = await dialled((to, { end }) => {
      world.ways.captive.add(`${end.id}>${to.end.id}`);
      world.clock.at(world.clock.nowMs + 2 * S, () => world.ways.captive.clear());
    });
    expect([told(board), tookMs, gateway.events]).toEqual([['unlinked unavailable'], 10 * S, []]);
  });

  test('is refused at once by a machine whose gateway has ended', async () => {
    const { board, tookMs } = await dialled((gateway) => gateway.stop('killed'));
    expect([told(board), tookMs]).toEqual([['unlinked unavailable'], 50]);
  });

  test('is not answered by a machine without power', async () => {
    const { board, tookMs } = await dialled((gateway) => gateway.stop('gone'));
    expect([told(board), tookMs]).toEqual([['unlinked unavailable'], 10 * S]);
  });

  test('comes through when the way heals before the time-out', async () => {
    const { board } = await dialled((gateway, { end }) => {
      world.ways.cut(gateway.end.id, end.id);
      world.clock.at(world.clock.nowMs + 5 * S, () => world.ways.heal());
    });
    expect(told(board)).toEqual(['linked']);
  });

  test('that is replaced is never heard of', async () => {
    const { board, gateway } = await dialled((to, { link }) => {
      link.dial({ ...to.entry, address: 'nowhere:1' });
      link.dial({ ...to.entry, address: 'elsewhere:1' });
    });
    await world.runTo(60 * S);
    expect([told(board), gateway.kinds()]).toEqual([['linked'], ['connected']]);
  });
});

describe('silence', () => {
  test.each([31, 33, 36, 39])('is noticed by both within half to one and a half keep alives: from %d s on', async (fromS) => {
    const { gateway, board } = await pair();
    await world.runTo(fromS * S);
    world.ways.cut(gateway.end.id, board.end.id);
    const tookMs = await untilTold(board, 60 * S);
    expect(tookMs).toBeGreaterThanOrEqual(5 * S);
    expect(tookMs).toBeLessThanOrEqual(15 * S);
    expect(told(board)).toEqual(['linked', 'unlinked unavailable']);
    if (gateway.events.length === 1) await untilMore(gateway.events, 60 * S);
    expect(world.clock.nowMs - fromS * S).toBeLessThanOrEqual(15.1 * S);
    expect(gateway.kinds()).toEqual(['connected', 'message gone', 'disconnected']);
  });

  test('of one direction is noticed too', async () => {
    const { gateway, board } = await pair();
    world.ways.lost.add(`${gateway.end.id}>${board.end.id}`);
    await untilTold(board, 60 * S);
    expect(told(board)).toEqual(['linked', 'unlinked unavailable']);
    await world.runTo(world.clock.nowMs + S);
    // The board's end of it gets through.
    expect(gateway.kinds()).toEqual(['connected', 'message gone', 'disconnected']);
    // The last will came with CONNECT, and is on no wire now.
    expect(world.heard).toEqual([]);
  });

  test('that is over before anybody has given up has only made things late', async () => {
    const { gateway, board } = await pair(60 * S);
    world.ways.cut(gateway.end.id, board.end.id);
    board.link.publish('report', new Uint8Array(10));
    await world.runTo(20 * S);
    expect(gateway.kinds()).toEqual(['connected']);
    world.ways.heal();
    await world.runTo(60 * S);
    expect([gateway.kinds(), told(board)]).toEqual([['connected', 'message report'], ['linked']]);
  });
});

describe('the end of a life', () => {
  test('of a gateway that is killed: its boards hear at once, and it says nothing more', async () => {
    const { gateway, board } = await pair();
    gateway.stop('killed');
    expect(await untilTold(board, 60 * S)).toBeLessThanOrEqual(50);
    expect([told(board), gateway.kinds()]).toEqual([['linked', 'unlinked unavailable'], ['connected']]);
  });

  test('of a gateway whose machine vanishes: its boards find out by themselves', async () => {
    const { gateway, board } = await pair();
    gateway.stop('gone');
    const tookMs = await untilTold(board, 60 * S);
    expect(tookMs).toBeGreaterThanOrEqual(5 * S);
    expect([told(board), gateway.kinds()]).toEqual([['linked', 'unlinked unavailable'], ['connected']]);
  });

  test('of a machine that is back before it was missed: it refuses what it does not know', async () => {
    const { gateway, board } = await pair(60 * S);
    gateway.stop('gone');
    await world.runTo(3 * S);
    const next = new ToyGateway(world, 'g');
    board.link.publish('report', new Uint8Array(10));
    expect(await untilTold(board, 60 * S)).toBeLessThan(S);
    expect([told(board), next.kinds()]).toEqual([['linked', 'unlinked unavailable'], []]);
    board.link.dial(next.entry);
    await world.runTo(world.clock.nowMs + S);
    expect([told(board).at(-1), next.kinds()]).toEqual(['linked', ['connected']]);
  });

  test.each(['gone', 'killed'] as const)('of a board (%s): nothing it began is heard, and its next life is another', async (how) => {
    const { gateway, board } = await pair();
    board.link.publish('report', new Uint8Array(10));
    board.stop(how);
    board.link.publish('report', new Uint8Array(10));
    await world.runTo(2 * S);
    expect(gateway.kinds()).toEqual(how === 'gone' ? ['connected'] : ['connected', 'message gone', 'disconnected']);
    const next = new ToyBoard(world, 'b', [], { keepaliveMs: 10 * S });
    next.link.dial(gateway.entry);
    await world.runTo(60 * S);
    expect(gateway.kinds().slice(how === 'gone' ? 1 : 3)).toEqual([
      ...(how === 'gone' ? ['message gone', 'disconnected'] : []),
      'connected',
    ]);
    expect([told(board), told(next)]).toEqual([['linked'], ['linked']]);
  });

  test('of a clone leaves the other one alone', async () => {
    const { gateway, board } = await pair();
    const clone = new ToyBoard(world, 'b', [], { keepaliveMs: 10 * S, at: 'elsewhere' });
    clone.link.dial(gateway.entry);
    await world.runTo(5 * S);
    // One session a client id: the newer one takes over.
    expect([told(board), told(clone)]).toEqual([['linked', 'unlinked unavailable'], ['linked']]);
    board.stop('gone');
    await world.runTo(60 * S);
    expect([told(clone), gateway.kinds().at(-1)]).toEqual([['linked'], 'connected']);
    clone.stop('killed');
    await world.runTo(61 * S);
    expect(gateway.kinds().at(-1)).toBe('disconnected');
  });

  test('of everybody leaves nothing to be done', async () => {
    const { gateways, boards } = federation(world, 3);
    await world.runTo(60 * S);
    for (const [i, one] of [...gateways, ...boards].entries()) one.stop(i % 2 === 0 ? 'gone' : 'killed');
    await world.runTo(3600 * S);
    expect(world.clock.next()).toBeNull();
  });

  test('while it dials: nobody hears of it', async () => {
    const gateway = new ToyGateway(world, 'g');
    const board = new ToyBoard(world, 'b', []);
    board.link.dial(gateway.entry);
    await world.runTo(45);
    board.stop('gone');
    await world.runTo(60 * S);
    expect([told(board), gateway.events]).toEqual([[], []]);
  });
});

describe('gateways', () => {
  test('link up, carry frames in order up to the largest, and know a silence', async () => {
    const { gateways } = federation(world, 0);
    const [a, b] = gateways as [ToyGateway, ToyGateway];
    await world.runTo(S);
    for (const gateway of gateways)
      expect([...gateway.links.keys()].sort()).toEqual(
        gateways
          .filter((one) => one !== gateway)
          .map(({ end }) => end.id)
          .sort(),
      );
    world.ways.bytesPerMs = 500;
    const session = a.links.get(b.end.id) ?? '';
    const author = a.entry.gateway;
    const entries = Array.from({ length: 7 }, (_, i) => new Uint8Array(LIMITS.packetBytes).fill(i));
    for (let from = 0; from < 5; from++) a.doors.peers.send(session, { kind: 'entries', author, from, entries, head: 'head' });
    await world.runTo(30 * S);
    const frames = b.events.flatMap((event) => (event.kind === 'peer-frame' && event.frame.kind === 'entries' ? [event.frame] : []));
    expect(frames.map(({ from }) => from)).toEqual([0, 1, 2, 3, 4]);
    expect(frames[4]?.entries[6]?.every((byte) => byte === 6)).toBe(true);
    expect(world.heard.filter((line) => line.endsWith(' entries'))).toHaveLength(5);
    world.ways.cut(a.end.id, b.end.id);
    await world.runTo(40 * S);
    expect([a.links.has(b.end.id), b.links.has(a.end.id)]).toEqual([false, false]);
    world.ways.heal();
    await world.runTo(120 * S);
    expect([a.links.has(b.end.id), b.links.has(a.end.id)]).toEqual([true, true]);
  });

  test('let nobody in whom they do not know', async () => {
    const [a, b] = [new ToyGateway(world, 'g1'), new ToyGateway(world, 'g2')];
    world.keys.clear();
    for (const gateway of [a, b]) gateway.doors.peers.reach([a.entry, b.entry]);
    await world.runTo(10 * S);
    expect([a.links.size + b.links.size, [...a.notes, ...b.notes].map(({ code }) => code)]).toEqual([
      0,
      expect.arrayContaining(['unknown-key']),
    ]);
  });
});

test('the same seed gives the same bytes, run after run in one process', async () => {
  await world.carrier.close();
  const hashes: string[] = [];
  for (const seed of ['one', 'one', 'two']) {
    world = new StreamWorld(seed);
    world.ways.jitterMs = 30;
    federation(world, 6);
    await world.runTo(1800 * S);
    await world.carrier.close();
    hashes.push(world.hash.digest('hex'));
  }
  expect(hashes[0]).toBe(hashes[1]);
  expect(hashes[0]).not.toBe(hashes[2]);
});

test('when it is closed, nothing goes on', async () => {
  federation(world, 4);
  await world.runTo(60 * S);
  await world.carrier.close();
  const { pieces } = world;
  const heard = world.heard.length;
  world.clock.runTo(3600 * S);
  expect([world.pieces, world.heard.length]).toEqual([pieces, heard]);
  expect(chanceFrom('x').unit()).not.toBe(Math.random());
});
