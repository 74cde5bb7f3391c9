/** A board's own system and runtime from others on its network, and for them: as of any release, each piece by its hash alone. */
import { describe, expect, test } from 'vitest';
import { unpackZstd } from '../../../runtime/adapters/zstd.ts';
import type { Neighbours } from '../../../runtime/ports/neighbours.ts';
import { type Bytes, hex } from '../../../runtime/protocol/bytes.ts';
import { seal, unseal } from '../../../runtime/protocol/noun.ts';
import { neighbourKey } from '../../../runtime/protocol/nouns/neighbours.ts';
import { manifestNoun } from '../../../runtime/protocol/nouns/release.ts';
import { type Upkeep, upkeepNoun } from '../../../runtime/protocol/nouns/upkeep.ts';
import { contentIn } from '../../../runtime/protocol/packing.ts';
import { type LanHost, Lans } from '../../../sim/net/lan.ts';
import { entriesOf } from '../../contract/receive.ts';
import type { BoardWorld, WorldLan } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { FakeLan } from '../../support/fake-lan.ts';
import { hashOf } from '../../support/federation.ts';
import { filesOf } from '../../support/files-of.ts';
import { assign, hexOf, runtimeRelease, type System, slottedWorld, system, upkeep } from '../../support/system.ts';
import { type ManualClock, manualClock } from '../../support/world.ts';

const ANNA = 'a1'.repeat(8);
const two = system(2);

/** Hash → the piece, as it lies in a file. */
const piecesOf = (one: System): Map<string, Bytes> =>
  new Map(
    filesOf(entriesOf(one)).flatMap(({ pieces }) =>
      [...pieces].map(({ chunk: [hash, length] }): [string, Bytes] => {
        const bytes = contentIn(testCrypto, unpackZstd, hash, one.content.get(hex(hash))!, length);
        return [hex(hash), bytes!];
      }),
    ),
  );
const PIECES = piecesOf(two);
/** Pieces of it that the gateways were asked for. */
const wants = (world: BoardWorld, pieces = PIECES): string[] =>
  world.gateways.flatMap(({ wanted }) => wanted.flat()).filter((key) => pieces.has(key));
const said = (world: BoardWorld, what: RegExp): boolean => world.journal.some((line) => what.test(line));
const sharedNow = (lan: FakeLan) => lan.shared.map(({ release, whole }) => [hex(release), whole]);

const word = (world: BoardWorld, changes: Partial<Upkeep>): Upkeep => {
  const doc = upkeep(changes);
  world.hold([hashOf(upkeepNoun, doc), seal(upkeepNoun, doc, keyOf('owner'))]);
  for (const gateway of world.gateways) gateway.forge.desired = { ...gateway.forge.desired, upkeep: hashOf(upkeepNoun, doc) };
  return doc;
};

describe('[delivery-15] a system that others on the network have', () => {
  test('comes from them, and nothing of it from the gateway', () => {
    const lan = new FakeLan();
    const anna = lan.add(ANNA, true, (key) => PIECES.get(key) ?? null);
    const { world, slots } = slottedWorld(undefined, lan);
    assign(world, two);
    world.pass(60_000);
    expect(slots.system).toMatchObject({ release: hexOf(two), root: two.root });
    expect(wants(world)).toEqual([]);
    // What the running slot has as well is asked of nobody.
    expect(anna.asked.length).toBeGreaterThan(2);
    expect(anna.asked.length).toBeLessThan(PIECES.size);
  });

  test('is as good when one of them lies: that is refused by its hash, and never reaches the card [delivery-12]', () => {
    const lan = new FakeLan();
    lan.add(ANNA, true, (key) => PIECES.get(key)?.with(3, (PIECES.get(key)![3]! + 1) % 256) ?? null);
    const { world, slots } = slottedWorld(undefined, lan);
    const written: string[] = [];
    const perform = slots.perform.bind(slots);
    slots.perform = (step, answer) => {
      if (step.kind === 'write') written.push(hex(testCrypto.sha256(step.bytes)));
      perform(step, answer);
    };
    assign(world, two);
    world.pass(60_000);
    expect(slots.system).toMatchObject({ release: hexOf(two), root: two.root });
    expect(said(world, /neighbour a1.*bad-signature/)).toBe(true);
    expect(written.length).toBeGreaterThan(2);
    for (const key of written) expect(PIECES.has(key)).toBe(true);
  });

  test('so does a runtime alone', () => {
    const lan = new FakeLan();
    const one = runtimeRelease(2);
    const pieces = piecesOf(one);
    lan.add(ANNA, true, (key) => pieces.get(key) ?? null);
    const { world, versions } = slottedWorld(undefined, lan);
    assign(world, one);
    world.pass(60_000);
    expect(versions.system).toMatchObject({ release: hexOf(one), root: one.root });
    expect(wants(world, pieces)).toEqual([]);
  });
});

describe('[delivery-13] what a board gives of its system', () => {
  test('is of what it writes, of what it has written, and once that was kept of what runs', () => {
    const lan = new FakeLan();
    lan.add(ANNA, false, () => null);
    const { world, slots } = slottedWorld(undefined, lan);
    world.pass(3000);
    expect(sharedNow(lan)).toEqual([]);
    const hour = 3_600_000;
    const minute = Math.floor((world.clock.now().wallMs % (24 * hour)) / 60_000);
    // It may be started in an hour.
    assign(world, two, upkeep({ windows: [{ fromMinute: (minute + 60) % 1440, minutes: 60 }] }));
    world.pass(600);
    expect(sharedNow(lan)).toEqual([[hexOf(two), false]]);
    expect(lan.shared[0]!.key).toEqual(neighbourKey(testCrypto, unseal(testCrypto, manifestNoun, two.document).value));
    world.pass(60_000);
    expect([slots.running, sharedNow(lan)]).toEqual(['a', [[hexOf(two), true]]]);
    world.pass(2 * hour);
    expect([slots.running, slots.state.trial, sharedNow(lan)]).toEqual(['b', false, [[hexOf(two), true]]]);
  });

  test('is nothing of what is on trial', () => {
    const lan = new FakeLan();
    const { world, slots } = slottedWorld(undefined, lan);
    assign(world, two);
    while (!slots.state.trial) world.pass(500);
    lan.steps.length = 0;
    world.pass(5000);
    expect([slots.state.trial, lan.steps]).toEqual([true, []]);
    world.pass(20_000);
    expect(sharedNow(lan)).toEqual([[hexOf(two), true]]);
  });

  test('ends when nobody assigns it any more', () => {
    const lan = new FakeLan();
    const { world } = slottedWorld(undefined, lan);
    assign(world, two);
    world.pass(60_000);
    expect(sharedNow(lan)).toEqual([[hexOf(two), true]]);
    assign(world, system(3));
    world.pass(60_000);
    expect(sharedNow(lan)).toEqual([[hexOf(system(3)), true]]);
  });

  test('is nothing once its owner says so, and it takes nothing either', () => {
    const lan = new FakeLan();
    const anna = lan.add(ANNA, true, (key) => PIECES.get(key) ?? null);
    const { world, slots } = slottedWorld(undefined, lan);
    assign(world, two, word(world, { version: 1, neighbours: false }));
    world.pass(60_000);
    expect(slots.system.release).toBe(hexOf(two));
    expect([sharedNow(lan), anna.asked]).toEqual([[], []]);
    expect(wants(world).length).toBeGreaterThan(2);
  });
});

describe('[delivery-15] ten boards behind one line', () => {
  const street = (count: number, isMet: boolean) => {
    const clock = manualClock();
    const passed: { from: string; bytes: number }[] = [];
    const lans = new Lans((from, _to, bytes) => passed.push({ from, bytes: bytes.length }));
    const boards = Array.from({ length: count }, (_, i) => {
      const name = `board ${i}`;
      const lan = isMet ? lanOf(lans, name, clock, (piece) => board.slots.piece(piece)) : null;
      const board: ReturnType<typeof slottedWorld> = slottedWorld(undefined, lan, { clock, name });
      return board;
    });
    const line = (): number =>
      boards.flatMap(({ world }) => wants(world)).reduce((sum, key) => sum + (two.content.get(key)?.length ?? 0), 0);
    return { clock, lans, passed, boards, line };
  };

  /** The simulator's network, a life of the runtime after the other. */
  const lanOf = (lans: Lans, at: string, clock: ManualClock, read: LanHost['read']): WorldLan => {
    let door: Neighbours | null = null;
    return {
      begins: () => {
        door?.close();
        door = null;
      },
      perform: (step, _clock, say) => {
        if (door === null) {
          const host = { nowMs: () => clock.now().monoMs, later: (ms: number, call: () => void) => void clock.after(ms, call) };
          door = lans.attach({ at, lan: 'village', alive: () => true, read, ...host });
          door.watch(say);
        }
        door.perform(step);
      },
    };
  };

  const alone = (() => {
    const { boards, clock, line } = street(1, false);
    for (const { world } of boards) assign(world, two);
    clock.pass(90_000);
    return line();
  })();
  const all = (boards: readonly ReturnType<typeof slottedWorld>[]): void => {
    for (const { world } of boards) assign(world, two);
  };
  const isRunBy = (boards: readonly ReturnType<typeof slottedWorld>[]): void => {
    for (const { slots } of boards) expect(slots.system).toMatchObject({ release: hexOf(two), root: two.root });
  };
  const sum = (passed: readonly { bytes: number }[]): number => passed.reduce((total, { bytes }) => total + bytes, 0);

  test('fetch their system over it about once, and all of them run it', () => {
    const { clock, passed, boards, line } = street(10, true);
    all(boards);
    clock.pass(120_000);
    isRunBy(boards);
    expect(alone).toBeGreaterThan(30_000);
    expect(line()).toBeLessThan(2 * alone);
    expect(sum(passed)).toBeGreaterThan(8 * alone);
  });

  test('have it from the one that runs it already, and one that comes later as well', () => {
    const { clock, boards, line } = street(10, true);
    all(boards.slice(0, 1));
    clock.pass(120_000);
    all(boards.slice(1, 9));
    clock.pass(120_000);
    all(boards.slice(9));
    clock.pass(120_000);
    isRunBy(boards);
    expect(line()).toBe(alone);
  });

  test('do so though the one that has it lies, and another is cut off from them', () => {
    const { clock, lans, passed, boards, line } = street(10, true);
    all(boards.slice(0, 1));
    clock.pass(120_000);
    lans.begin('board 0', 'lies');
    lans.begin('board 1', 'cut');
    all(boards.slice(1));
    clock.pass(300_000);
    isRunBy(boards);
    expect(boards.filter(({ world }) => said(world, /neighbour .*: bad-signature/))).toHaveLength(8);
    // The liar's own, that of who is cut off, and once for the others.
    expect(line()).toBeLessThan(4 * alone);
    expect(sum(passed.filter(({ from }) => from !== 'board 0'))).toBeGreaterThan(5 * alone);
  });
});
