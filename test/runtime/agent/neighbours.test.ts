/** Content from others on the board's own network, some of whom are slow, empty-handed or liars; and what is shared with them. */
import { describe, expect, test } from 'vitest';
import { statusOf } from '../../../runtime/agent/status.ts';
import { shareOut } from '../../../runtime/core/neighbours.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { neighbourKey } from '../../../runtime/protocol/nouns/neighbours.ts';
import { type Entry, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { type Upkeep, upkeepNoun } from '../../../runtime/protocol/nouns/upkeep.ts';
import { BOARD, BoardWorld, PACE, type Placed, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { FakeLan } from '../../support/fake-lan.ts';
import { hashOf } from '../../support/federation.ts';
import { smallRelease } from '../../support/small-release.ts';
import { upkeep } from '../../support/system.ts';

const [ANNA, BERT] = ['a1'.repeat(8), 'be'.repeat(8)];
const PIECES = Array.from({ length: 40 }, (_, i) => new TextEncoder().encode(`#!piece ${i} `.repeat(30)));
const KEYS = PIECES.map((piece) => hex(testCrypto.sha256(piece)));

/** One file of forty pieces. */
const many = (): Placed['release'] => {
  const whole = Buffer.concat(PIECES);
  const entries: Entry[] = [
    {
      kind: 'file',
      path: 'big',
      executable: true,
      hash: testCrypto.sha256(whole),
      bytes: whole.length,
      chunks: PIECES.map((piece) => [testCrypto.sha256(piece), piece.length]),
    },
  ];
  const release = smallRelease({ recipe: 'many', args: ['/big'] }, { tree: [entries] });
  for (const piece of [...PIECES, encodeAs(pageSchema, { v: 1, entries }, 'page')])
    release.content.set(hex(testCrypto.sha256(piece)), piece);
  return release;
};

const begun = (lan: FakeLan): { world: BoardWorld; one: Placed } => {
  const world = new BoardWorld({}, null, null, lan).pair();
  return { world, one: placed(world, { release: many() }) };
};
const right = (key: string): Uint8Array | null => PIECES[KEYS.indexOf(key)] ?? null;
/** Pieces that the gateways were asked for. */
const wants = (world: BoardWorld): string[] => world.gateways.flatMap(({ wanted }) => wanted.flat()).filter((key) => KEYS.includes(key));
const said = (world: BoardWorld, what: RegExp): boolean => world.journal.some((line) => what.test(line));
const isRunning = (world: BoardWorld, { lease }: Placed): boolean => world.state(lease)?.state === 'running';
const gained = (world: BoardWorld): number => world.read((rows) => statusOf(BOARD, rows as never)).neighbours.bytes;

const word = (world: BoardWorld, changes: Partial<Upkeep>): void => {
  const doc = upkeep({ publisher: null, ...changes });
  world.hold([hashOf(upkeepNoun, doc), seal(upkeepNoun, doc, keyOf('owner'))]);
  for (const gateway of world.gateways) gateway.forge.desired = { ...gateway.forge.desired, upkeep: hashOf(upkeepNoun, doc) };
};

describe('[delivery-10] what others on the network have', () => {
  test('comes from them, and nothing of it from the gateway', () => {
    const lan = new FakeLan();
    const anna = lan.add(ANNA, true, right);
    const { world, one } = begun(lan);
    world.assign(one).pass(5000);
    expect(isRunning(world, one)).toBe(true);
    expect(wants(world)).toEqual([]);
    expect([...anna.asked].sort()).toEqual([...KEYS].sort());
    expect(gained(world)).toBe(PIECES.reduce((sum, { length }) => sum + length, 0));
  });

  test('is asked of the gateway as before where there are none', () => {
    const { world, one } = begun(new FakeLan());
    world.assign(one).pass(5000);
    expect(isRunning(world, one)).toBe(true);
    expect(new Set(wants(world)).size).toBe(40);
    expect(gained(world)).toBe(0);
  });

  test('goes on coming while no gateway is heard', () => {
    const lan = new FakeLan();
    let isSlow = true;
    lan.add(ANNA, true, (key) => (isSlow && KEYS.indexOf(key) > 5 ? undefined : right(key)));
    const { world, one } = begun(lan);
    world.assign(one).pass(2000);
    for (const gateway of world.gateways) gateway.up = false;
    world.cut();
    isSlow = false;
    world.pass(60_000);
    expect(world.files.steps.filter(({ kind }) => kind === 'plant')).toHaveLength(1);
    expect(wants(world)).toEqual([]);
    expect(one.lease.release).toEqual(one.release.release);
  });
});

describe('[delivery-11] of those who fetch the same', () => {
  /** As it is for the board and these, whatever the board is called. */
  const parts = (world: BoardWorld, lan: FakeLan, ids: string[]) => {
    const who = lan.steps.flatMap((step) => (step.kind === 'share' ? [step.who] : []))[0] ?? '';
    expect(world.journal).not.toContain(who);
    return shareOut(
      KEYS,
      who,
      ids.map((id) => ({ id, whole: false })),
    );
  };

  test('each asks the gateway for its own part, once', () => {
    const lan = new FakeLan();
    const theirs = new Set<string>();
    const gives = (key: string): Uint8Array | null => (theirs.has(key) ? right(key) : null);
    const [anna, bert] = [lan.add(ANNA, false, gives), lan.add(BERT, false, gives)];
    const { world, one } = begun(lan);
    world.assign(one).pass(1500);
    const { owed, tried } = parts(world, lan, [ANNA, BERT]);
    const own = [...tried.values()].flat();
    expect(own.length).toBeGreaterThan(3);
    expect([...wants(world)].sort()).toEqual([...own].sort());
    for (const list of owed.values()) for (const key of list) theirs.add(key);
    world.pass(10_000);
    expect(isRunning(world, one)).toBe(true);
    expect(wants(world)).toHaveLength(own.length);
    // What it would have got twice: pieces that a neighbour had from before.
    for (const [id, list] of tried) expect(list.some((key) => (id === ANNA ? anna : bert).asked.includes(key))).toBe(true);
  });

  test('one that had a piece before this board came is asked for it first', () => {
    const lan = new FakeLan();
    lan.add(ANNA, false, right);
    const { world, one } = begun(lan);
    world.assign(one).pass(5000);
    expect(isRunning(world, one)).toBe(true);
    expect(wants(world)).toEqual([]);
  });

  test('one that has nothing yet is asked now and then, and not all the time', () => {
    const lan = new FakeLan();
    const anna = lan.add(ANNA, false, () => null);
    const { world, one } = begun(lan);
    world.assign(one).pass(LIMITS.neighbourAgainMs);
    const { owed } = parts(world, lan, [ANNA]);
    const asks = (): number => anna.asked.filter((key) => owed.get(ANNA)?.includes(key)).length;
    const before = asks();
    world.pass(4 * LIMITS.neighbourAgainMs);
    expect(asks() - before).toBeGreaterThan(0);
    expect(asks() - before).toBeLessThanOrEqual(5 * LIMITS.neighbourPieces);
  });

  test('one that never comes by its part is left, and its part is fetched', () => {
    const lan = new FakeLan();
    lan.add(ANNA, false, () => null);
    const { world, one } = begun(lan);
    world.assign(one).pass(3 * PACE.patienceMs + 10_000);
    expect(isRunning(world, one)).toBe(true);
    expect(said(world, /neighbour a1.*: it does not come by/)).toBe(true);
    expect(wants(world)).toHaveLength(40);
  });
});

describe('[delivery-12] a neighbour', () => {
  test('that gives something else is refused that, left, and nothing of it is written', () => {
    const lan = new FakeLan();
    const anna = lan.add(ANNA, true, (key) => right(key)?.with(3, 7) ?? null);
    const { world, one } = begun(lan);
    world.assign(one).pass(5000);
    expect(isRunning(world, one)).toBe(true);
    const written = world.files.steps.flatMap((step) => (step.kind === 'write' ? [hex(testCrypto.sha256(step.bytes))] : []));
    expect(written.sort()).toEqual([...KEYS].sort());
    expect(new Set(wants(world)).size).toBe(40);
    expect(said(world, /neighbour a1.*bad-signature/)).toBe(true);
    expect(anna.asked.length).toBeLessThanOrEqual(LIMITS.neighbourPieces);
    expect(gained(world)).toBe(0);
  });

  test('that gives too little is refused that', () => {
    const lan = new FakeLan();
    lan.add(ANNA, true, (key) => right(key)?.subarray(1) ?? null);
    const { world, one } = begun(lan);
    world.assign(one).pass(5000);
    expect([isRunning(world, one), said(world, /neighbour a1.*bad-signature/)]).toEqual([true, true]);
  });

  test('that says nothing is left after the patience', () => {
    const lan = new FakeLan();
    lan.add(ANNA, true, () => undefined);
    const { world, one } = begun(lan);
    world.assign(one).pass(PACE.patienceMs - 2000);
    expect(wants(world)).toEqual([]);
    world.pass(5000);
    expect(isRunning(world, one)).toBe(true);
    expect(said(world, /neighbour a1.*does not answer/)).toBe(true);
  });

  test('that is gone costs nothing', () => {
    const lan = new FakeLan();
    lan.add(ANNA, true, right);
    lan.add(BERT, true, right);
    const { world, one } = begun(lan);
    lan.neighbours.get(ANNA)!.gives = (key) => {
      lan.neighbours.delete(ANNA);
      return right(key);
    };
    world.assign(one).pass(8000);
    expect(isRunning(world, one)).toBe(true);
    expect(wants(world)).toEqual([]);
  });

  test('that says it has all and has not is believed no further', () => {
    const lan = new FakeLan();
    lan.add(ANNA, true, (key) => (KEYS.indexOf(key) % 2 === 0 ? right(key) : null));
    const { world, one } = begun(lan);
    world.assign(one).pass(5000);
    expect(isRunning(world, one)).toBe(true);
    expect(said(world, /neighbour a1.*has not all that it says/)).toBe(true);
  });

  test('that gives what was not asked for is not heard', () => {
    const lan = new FakeLan();
    lan.add(ANNA, false, () => null);
    const { world, one } = begun(lan);
    world.assign(one).pass(800);
    const bytes = PIECES[0]!;
    const before = world.files.count('write');
    world.driven.submit({ kind: 'neighbour-gave', release: one.release.release, neighbour: BERT, hash: testCrypto.sha256(bytes), bytes });
    expect(world.files.count('write')).toBe(before);
  });
});

describe('[delivery-13] what a board gives', () => {
  const sharedNow = (lan: FakeLan) => lan.shared.map(({ release, whole }) => [hex(release), whole]);

  test('is of releases that it holds or fetches, under a key that follows from the manifest', () => {
    const lan = new FakeLan();
    lan.add(ANNA, false, () => null);
    const { world, one } = begun(lan);
    const release = hex(one.release.release);
    world.assign(one).pass(700);
    expect(sharedNow(lan)).toEqual([[release, false]]);
    expect(lan.shared[0]!.key).toEqual(neighbourKey(testCrypto, one.release.manifest));
    world.pass(60_000);
    expect(sharedNow(lan)).toEqual([[release, true]]);
    world.assign().pass(60_000);
    expect(sharedNow(lan)).toEqual([]);
  });

  test('is nothing once its owner says so, and it takes nothing either', () => {
    const lan = new FakeLan();
    const anna = lan.add(ANNA, true, right);
    const { world, one } = begun(lan);
    word(world, { version: 1, neighbours: false });
    world.assign(one).pass(5000);
    expect(isRunning(world, one)).toBe(true);
    expect([sharedNow(lan), anna.asked]).toEqual([[], []]);
    expect(new Set(wants(world)).size).toBe(40);
    expect(world.read((rows) => statusOf(BOARD, rows as never)).neighbours.allowed).toBe(false);
    world.reboot().pass(5000);
    expect(sharedNow(lan)).toEqual([]);
    word(world, { version: 2 });
    world.assign(one).pass(5000);
    expect(sharedNow(lan)).toEqual([]);
    word(world, { version: 3, neighbours: true });
    world.assign(one).pass(5000);
    expect(sharedNow(lan)).toHaveLength(1);
  });

  test('ends in the middle when its owner says so', () => {
    const lan = new FakeLan();
    const anna = lan.add(ANNA, true, (key) => (KEYS.indexOf(key) < 3 ? right(key) : undefined));
    const { world, one } = begun(lan);
    world.assign(one).pass(2000);
    expect(anna.asked.length).toBeGreaterThan(0);
    word(world, { version: 1, neighbours: false });
    world.assign(one).pass(5000);
    expect(sharedNow(lan)).toEqual([]);
    expect(lan.steps.some((step) => step.kind === 'leave' && step.neighbour === ANNA)).toBe(true);
    expect(isRunning(world, one)).toBe(true);
  });

  test.each([
    ['somebody else signed', { version: 1 }, 'tenant'],
    ['is of another board', { version: 1, board: hex(new Uint8Array(16)).replaceAll('0', 'q') as never }, 'owner'],
  ] as const)('does not change by a word that %s', (_what, changes, by) => {
    const lan = new FakeLan();
    const { world, one } = begun(lan);
    const doc = upkeep({ publisher: null, neighbours: false, ...changes });
    world.hold([hashOf(upkeepNoun, doc), seal(upkeepNoun, doc, keyOf(by))]);
    for (const gateway of world.gateways) gateway.forge.desired = { ...gateway.forge.desired, upkeep: hashOf(upkeepNoun, doc) };
    world.assign(one).pass(5000);
    expect(said(world, /the owner's word .* is not taken/)).toBe(true);
    expect(sharedNow(lan)).toHaveLength(1);
  });

  test('is nothing where the machine has no door', () => {
    const world = new BoardWorld().pair();
    const one = placed(world, { release: many() });
    world.assign(one).pass(3000);
    expect(isRunning(world, one)).toBe(true);
  });
});
