/** Tier A's carrier between toy ends: order, silence, half-open connections, and who hears of what when. */
import { describe, expect, test } from 'vitest';
import type { FrontEvent, PeerEvent } from '../../../gateway/service/doors.ts';
import type { Link, LinkEvent } from '../../../runtime/ports/link.ts';
import type { GatewayEntry } from '../../../runtime/protocol/nouns/trust.ts';
import { Radio } from '../../../sim/hardware/radio.ts';
import type { Carrier } from '../../../sim/net/doors.ts';
import { messageCarrier } from '../../../sim/net/messages.ts';
import { openRoads, type Roads } from '../../../sim/net/paths.ts';
import { chanceFrom, entropyOf } from '../../../sim/world/chance.ts';
import { machineClock, type VirtualClock, virtualClock, whileAlive } from '../../../sim/world/clock.ts';
import { keyOf } from '../../support/crypto.ts';
import { idOf } from '../../support/federation.ts';

const LINE = { latencyMs: 50, jitterMs: 40, lossPermille: 0, bytesPerS: 100_000 };
const KEEPALIVE_MS = 10_000;
const PATIENCE_MS = 8_000;
const SILENCE_MS = 5_000;

interface World {
  clock: VirtualClock;
  roads: Roads;
  carrier: Carrier;
  /** What a gateway or a board heard, as `moment what`. */
  heard: Map<string, string[]>;
}

const openWorld = (): World => {
  const clock = virtualClock();
  const chance = chanceFrom('messages');
  const roads = openRoads({ now: () => clock.nowMs, chance: chance.fork('roads'), backbone: { ...LINE, jitterMs: 0 } });
  const nothing = (): void => {};
  const carrier = messageCarrier({ clock, paths: roads, chance, heard: nothing, frameHeard: nothing });
  return { clock, roads, carrier, heard: new Map() };
};

const life = ({ clock, heard }: World, name: string) => {
  const state = { over: false };
  const lines: string[] = [];
  heard.set(name, lines);
  const alive = (): boolean => !state.over;
  const machine = {
    ...{ id: idOf<string>(name), at: idOf<string>(name), signer: keyOf(name), alive, entropy: entropyOf(chanceFrom(name)) },
    clock: machineClock(clock, (atMs) => ({ wallMs: atMs, monoMs: atMs }), whileAlive(alive)),
  };
  return { machine, state, lines };
};

const entryOf = (name: string): GatewayEntry => ({
  gateway: idOf(name),
  key: keyOf(name).publicKey,
  name: 'g',
  region: 'r',
  address: `${name}:1`,
});

const addGateway = (world: World, name: string) => {
  const { machine, state, lines } = life(world, name);
  world.roads.add(machine.at, 'gateway', null, null);
  world.roads.listen(machine.at, true);
  const sessions: string[] = [];
  const doors = world.carrier.gateway({
    ...machine,
    ...{ address: `${name}:1`, silenceMs: SILENCE_MS, note: () => {} },
    gatekeeper: (_party, id) => ({ id: id ?? 'peer' }),
    listener: (event: FrontEvent | PeerEvent) => {
      if (event.kind === 'connected') sessions.push(event.session);
      const what = event.kind === 'message' ? `${event.topic} ${new TextDecoder().decode(event.payload).slice(0, 4)}` : event.kind;
      lines.push(what);
    },
  });
  return { ...doors, state, lines, sessions, at: machine.at };
};

const addBoard = (world: World, name: string): { link: Link; lines: string[]; at: string; state: { over: boolean } } => {
  const { machine, state, lines } = life(world, name);
  world.roads.add(machine.at, 'board', new Radio(LINE), new Radio(LINE));
  const link = world.carrier.board({ ...machine, keepaliveMs: KEEPALIVE_MS, timeoutMs: PATIENCE_MS });
  link.watch((event: LinkEvent) => lines.push(event.kind === 'message' ? `${event.topic} at ${world.clock.nowMs}` : event.kind));
  return { link, lines, at: machine.at, state };
};

const linked = () => {
  const world = openWorld();
  const gateway = addGateway(world, 'gateway a');
  const board = addBoard(world, 'board 1');
  board.link.dial(entryOf('gateway a'));
  world.clock.runTo(5000);
  expect([board.lines, gateway.lines]).toEqual([['linked'], ['connected']]);
  return { ...world, world, gateway, board };
};

const text = (words: string): Uint8Array => new TextEncoder().encode(words);

describe('a session', () => {
  test('keeps the order of what is sent, whatever the jitter', () => {
    const { clock, gateway, board } = linked();
    for (let i = 0; i < 50; i++) board.link.publish('usage', text(`${i}`.padStart(4, '0')));
    clock.runTo(20_000);
    expect(gateway.lines.slice(1)).toEqual(Array.from({ length: 50 }, (_, i) => `usage ${`${i}`.padStart(4, '0')}`));
  });

  test('ends at both ends when nothing passes, each in its time', () => {
    const { clock, roads, gateway, board } = linked();
    roads.trouble(board.at, { deaf: true, mute: true });
    clock.runTo(5000 + KEEPALIVE_MS / 2 - 1);
    expect([board.lines.length, gateway.lines.length]).toEqual([1, 1]);
    clock.runTo(5000 + 1.5 * KEEPALIVE_MS);
    expect(board.lines).toEqual(['linked', 'unlinked']);
    expect(gateway.lines.map((line) => line.split(' ')[0])).toEqual(['connected', 'gone', 'disconnected']);
  });

  test('outlives a short cut, and what was said meanwhile arrives after it', () => {
    const { clock, roads, gateway, board } = linked();
    roads.trouble(board.at, { mute: true });
    board.link.publish('usage', text('late'));
    clock.runTo(8000);
    expect(gateway.lines).toEqual(['connected']);
    roads.trouble(board.at, { mute: false });
    clock.runTo(40_000);
    expect([gateway.lines, board.lines]).toEqual([['connected', 'usage late'], ['linked']]);
  });

  test('a board that vanished is missed by its gateway only after a keep alive and a half', () => {
    const { clock, carrier, gateway, board } = linked();
    board.state.over = true;
    carrier.end(board.at, 'gone');
    clock.runTo(5000 + 1.5 * KEEPALIVE_MS - 1);
    expect(gateway.lines).toEqual(['connected']);
    clock.runTo(5000 + 1.5 * KEEPALIVE_MS + 1);
    expect(gateway.lines.at(-1)).toBe('disconnected');
  });

  test('the sockets of a process that was killed are closed at once', () => {
    const { clock, carrier, roads, gateway, board } = linked();
    gateway.state.over = true;
    roads.listen(gateway.at, false);
    carrier.end(gateway.at, 'killed');
    clock.runTo(5300);
    expect(board.lines).toEqual(['linked', 'unlinked']);
    expect(gateway.lines).toEqual(['connected']);
  });

  test('of a board that dials anew ends the one before, first', () => {
    const { clock, gateway, board } = linked();
    board.link.dial(entryOf('gateway a'));
    clock.runTo(10_000);
    expect(gateway.lines.map((line) => line.split(' ')[0])).toEqual(['connected', 'gone', 'disconnected', 'connected']);
    expect(board.lines).toEqual(['linked', 'linked']);
  });

  test('that the gateway drops hears nothing more', () => {
    const { clock, gateway, board } = linked();
    const [session = ''] = gateway.sessions;
    gateway.front.send(session, 'ack', text('one'));
    clock.runTo(6000);
    gateway.front.drop(session, null as never);
    gateway.front.send(session, 'ack', text('two'));
    clock.runTo(9000);
    expect(board.lines.map((line) => line.split(' ')[0])).toEqual(['linked', 'ack', 'unlinked']);
  });
});

describe('a dial', () => {
  test('into silence is given up after the patience, one to a dead process sooner', () => {
    const world = openWorld();
    const gateway = addGateway(world, 'gateway a');
    const board = addBoard(world, 'board 1');
    world.roads.trouble(board.at, { captive: true });
    board.link.dial(entryOf('gateway a'));
    world.clock.runTo(PATIENCE_MS - 1);
    expect(board.lines).toEqual([]);
    world.clock.runTo(PATIENCE_MS + 1);
    expect(board.lines).toEqual(['unlinked']);
    world.roads.trouble(board.at, { captive: false });
    world.roads.listen(gateway.at, false);
    board.link.dial(entryOf('gateway a'));
    world.clock.runTo(PATIENCE_MS + 1000);
    expect(board.lines).toEqual(['unlinked', 'unlinked']);
  });
});

describe('a dial that something captive took', () => {
  test.each([0, 100])('is spent, though the way is free soon; the next one is not: from %d ms on', (fromMs) => {
    const world = openWorld();
    addGateway(world, 'gateway a');
    const board = addBoard(world, 'board 1');
    const captive = (is: boolean): void => world.roads.trouble(board.at, { captive: is });
    if (fromMs === 0) captive(true);
    board.link.dial(entryOf('gateway a'));
    world.clock.runTo(fromMs);
    captive(true);
    world.clock.runTo(1500);
    captive(false);
    world.clock.runTo(PATIENCE_MS - 1);
    expect(board.lines).toEqual([]);
    world.clock.runTo(PATIENCE_MS + 1);
    expect(board.lines).toEqual(['unlinked']);
    board.link.dial(entryOf('gateway a'));
    world.clock.runTo(PATIENCE_MS + 1500);
    expect(board.lines).toEqual(['unlinked', 'linked']);
  });
});

describe('a dial that nobody heard', () => {
  test('is heard when it is repeated, once the way is there again', () => {
    const world = openWorld();
    addGateway(world, 'gateway a');
    const board = addBoard(world, 'board 1');
    world.roads.trouble(board.at, { mute: true });
    board.link.dial(entryOf('gateway a'), 60_000);
    // It asks after 1, 3, 7 and 15 s.
    world.clock.runTo(8000);
    world.roads.trouble(board.at, { mute: false });
    world.clock.runTo(14_900);
    expect(board.lines).toEqual([]);
    world.clock.runTo(16_000);
    expect(board.lines).toEqual(['linked']);
  });
});

describe('two gateways', () => {
  const peers = () => {
    const world = openWorld();
    const [one, other] = ['gateway a', 'gateway b'].map((name) => addGateway(world, name)) as [
      ReturnType<typeof addGateway>,
      ReturnType<typeof addGateway>,
    ];
    for (const gateway of [one, other]) gateway.peers.reach(['gateway a', 'gateway b'].map(entryOf));
    world.clock.runTo(2000);
    return { world, one, other };
  };

  test('have one link, whoever of them dials', () => {
    const { one, other } = peers();
    expect([one.lines, other.lines]).toEqual([['peer-up'], ['peer-up']]);
  });

  test('lose it by silence and have it again when the way is free', () => {
    const { world, one, other } = peers();
    world.roads.trouble(one.at, { peersCut: true });
    world.clock.runTo(2000 + SILENCE_MS + 200);
    expect([one.lines, other.lines]).toEqual([
      ['peer-up', 'peer-down'],
      ['peer-up', 'peer-down'],
    ]);
    world.clock.runTo(60_000);
    world.roads.trouble(one.at, { peersCut: false });
    world.clock.runTo(120_000);
    expect([one.lines.at(-1), other.lines.at(-1)]).toEqual(['peer-up', 'peer-up']);
  });
});
