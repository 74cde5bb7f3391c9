/** Finding a home, being welcomed, losing it, and learning what operators have decided meanwhile. */
import { describe, expect, test } from 'vitest';
import { homesFor } from '../../../runtime/core/homing.ts';
import { operators } from '../../../runtime/core/tables.ts';
import { sealMany, unseal } from '../../../runtime/protocol/noun.ts';
import { homeNoun } from '../../../runtime/protocol/nouns/board.ts';
import { type OperatorDoc, operatorNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { BOARD, BoardWorld, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, idOf, OPERATOR, operatorDoc, ROOTS, signedOperator } from '../../support/federation.ts';
import type { PaperGateway } from '../../support/paper-gateway.ts';

const HOMES = homesFor(testCrypto, BOARD, operatorDoc().gateways).map(({ gateway }) => gateway);

/** The world's gateways in the order in which this board dials them. */
const inOrder = (world: BoardWorld): PaperGateway[] => HOMES.map((id) => world.gateways.find((gateway) => gateway.id === id)!);
const tenureOf = (gateway: PaperGateway): number[] => gateway.hellos.map(({ home }) => unseal(testCrypto, homeNoun, home).value.tenure);
const said = (world: BoardWorld, what: RegExp): boolean => world.journal.some((line) => what.test(line));

describe('a board', () => {
  test('that is not paired dials nobody', () => {
    const world = new BoardWorld().pass(60_000);
    expect([world.dialled, world.journal]).toEqual([[], []]);
  });

  test('is not paired by a gateway that shows another operator, or none', () => {
    const world = new BoardWorld();
    const first = operatorDoc().gateways[0]!;
    for (const chains of [[], [[]], [[signedOperator({ name: 'x' }, ['root 1']).body]]])
      world.driven.submit({ kind: 'paired', operator: OPERATOR, first, chains });
    world.pass(10_000);
    expect(world.dialled).toEqual([]);
    expect(world.journal.filter((line) => /unknown-key/.test(line))).toHaveLength(3);
  });

  test('dials its homes in their order, each after a short while', () => {
    const world = new BoardWorld();
    for (const gateway of world.gateways) gateway.up = false;
    world.pair().pass(6000);
    const names = inOrder(world).map(({ name }) => name);
    expect(world.dialled.slice(0, 5)).toEqual([...names, ...names].slice(0, 5));
  });

  test('says hello to the first and signs it the first tenure', () => {
    const world = new BoardWorld().pair().pass(2000);
    const [home, ...others] = inOrder(world);
    expect(home!.hellos).toMatchObject([{ board: BOARD, head: { seq: 0 }, bootId: 'boot 0', speaks: { min: 1, max: 1 } }]);
    expect(tenureOf(home!)).toEqual([1]);
    expect(others.flatMap(({ hellos }) => hellos)).toEqual([]);
    expect(home!.reports).toHaveLength(1);
  });

  test('keeps its tenure with the same home, over links and over lives', () => {
    const world = new BoardWorld().pair().pass(2000);
    world.cut();
    world.pass(2000).restart().pass(2000).reboot().pass(2000);
    expect(tenureOf(inOrder(world)[0]!)).toEqual([1, 1, 1, 1]);
    const nonces = inOrder(world)[0]!.hellos.map(({ nonce }) => Buffer.from(nonce).toString('hex'));
    expect(new Set(nonces).size).toBe(4);
  });

  test('signs a higher tenure to another home, and a higher one again when it comes back', () => {
    const world = new BoardWorld().pair().pass(2000);
    const [first, second] = inOrder(world);
    first!.up = false;
    world.cut();
    world.pass(3000);
    expect([tenureOf(first!), tenureOf(second!)]).toEqual([[1], [2]]);
    expect(world.linked).toBe(second);
    first!.up = true;
    world.cut();
    world.pass(3000);
    expect(tenureOf(first!)).toEqual([1, 3]);
  });

  test('has its tenure on disk before it says hello', () => {
    const world = new BoardWorld().pair();
    world.pass(10);
    expect([world.tenure, world.home.hellos.length]).toEqual([1, 0]);
  });

  test('goes on to the next home when one takes the link and says nothing', () => {
    const world = new BoardWorld().pair();
    const [first, second] = inOrder(world);
    first!.silent = true;
    world.pass(15_000);
    expect(world.linked).toBe(second);
    expect(second!.reports.length).toBeGreaterThan(0);
  });

  test('keeps what runs, whatever becomes of the link', () => {
    const world = new BoardWorld().pair();
    const one = placed(world);
    world.assign(one).pass(3000);
    for (const gateway of world.gateways) gateway.up = false;
    world.cut();
    world.pass(300_000);
    expect(world.engine.cells.get(one.lease.lease)?.running).toBe(true);
    expect(world.engine.did('start')).toHaveLength(1);
    expect(world.outbox.length).toBeGreaterThan(3);
  });
});

describe('a session that is over soon', () => {
  /** Each is cut `lastsMs` after it began. */
  const dials = (lastsMs: number, forMs: number): number => {
    const world = new BoardWorld().pair().pass(2000);
    const before = world.dialled.length;
    for (let left = forMs; left > 0; left -= 1000) {
      const sinceMs = world.linked === null ? 0 : lastsMs;
      world.pass(Math.max(1000, sinceMs));
      left -= Math.max(0, sinceMs - 1000);
      world.cut();
    }
    return world.dialled.length - before;
  };

  test('is tried again at once only a few times: another board with this key comes back as often', () => {
    expect(dials(1000, 1_800_000)).toBeLessThan(120);
  });

  test('is forgotten by one that lasts', () => {
    expect(dials(70_000, 1_800_000)).toBeGreaterThan(22);
  });
});

describe('a welcome is refused', () => {
  const never = (forge: PaperGateway['forge'], why: RegExp): void => {
    const world = new BoardWorld();
    for (const gateway of world.gateways) gateway.forge = forge;
    world.pair().pass(5000);
    expect(world.journal.filter((line) => why.test(line)).length).toBeGreaterThan(0);
    expect(world.gateways.flatMap(({ reports }) => reports)).toEqual([]);
  };

  test('when another key signed it', () => never({ by: 'stranger' }, /now refused: wrong-signer/));
  test('when it is the answer to another hello', () => never({ now: { nonce: new Uint8Array(16) } }, /now refused: stale/));
  test('when it is meant for another board', () => never({ now: { board: idOf('board 2') } }, /now refused: wrong-signer/));
  test('when it names another gateway', () => never({ now: { gateway: idOf('stranger') } }, /now refused: wrong-signer/));
  test('when it chose a version that the board does not speak', () => never({ now: { speaks: 2 } }, /now refused: version-unsupported/));

  test('and nothing else is taken before it', () => {
    const world = new BoardWorld();
    const one = placed(world);
    for (const gateway of world.gateways) gateway.silent = true;
    world.pair().pass(100);
    world.assign(one).pass(1000);
    expect(said(world, /desired refused: stale/)).toBe(true);
    expect(world.instance(one.lease)).toBeNull();
  });

  test('also when it comes again in a later session', () => {
    const world = new BoardWorld().pair();
    const [home] = inOrder(world);
    const heard: Uint8Array[] = [];
    const { hear } = home!;
    home!.hear = (topic, payload, answer) =>
      hear.call(home, topic, payload, (back, bytes) => {
        if (back === 'now') heard.push(bytes);
        answer(back, bytes);
      });
    world.pass(2000);
    world.cut();
    home!.silent = true;
    world.pass(1500);
    world.message('now', heard[0]!);
    world.pass(100);
    expect(said(world, /now refused: stale/)).toBe(true);
  });
});

describe('wall time', () => {
  test('is that of the gateway, and without one of this boot a lower bound', () => {
    const world = new BoardWorld().pair();
    for (const gateway of world.gateways) gateway.skewMs = 3_600_000;
    const one = placed(world);
    world.assign(one).pass(3000);
    const [open] = world.records;
    expect(open!.quality).toBe('exact');
    expect(Math.abs(open!.wallMs - world.clock.now().wallMs - 3_600_000)).toBeLessThan(4000);
    for (const gateway of world.gateways) gateway.up = false;
    world.reboot().pass(70_000);
    for (const gateway of world.gateways) gateway.up = true;
    world.pass(70_000);
    const offline = world.records.find(({ quality }) => quality === 'bounded')!;
    // The board's own clock is an hour behind; time never falls behind what its gateway said last.
    expect(offline.wallMs).toBeGreaterThanOrEqual(open!.wallMs - 4000);
  });

  test('that a gateway told wrongly is over with the next one, and after the power went too [trust-19]', () => {
    const wrongMs = 75 * 365 * 86_400_000;
    const world = new BoardWorld().pair();
    const [liar] = inOrder(world);
    liar!.skewMs = wrongMs;
    const one = placed(world);
    world.assign(one).pass(3000);
    expect(Math.abs(world.records[0]!.wallMs - world.clock.now().wallMs - wrongMs)).toBeLessThan(4000);
    liar!.up = false;
    world.cut();
    world.pass(70_000);
    const honestMs = world.clock.now().wallMs;
    for (const gateway of world.gateways) gateway.up = false;
    world.reboot().pass(70_000);
    for (const gateway of world.gateways) gateway.up = gateway !== liar;
    world.pass(70_000);
    const offline = world.records.filter(({ quality }) => quality === 'bounded');
    expect(offline.length).toBeGreaterThan(0);
    for (const { wallMs } of offline) expect(Math.abs(wallMs - honestMs)).toBeLessThan(200_000);
  });
});

describe('an operator that decides something new', () => {
  const first = operatorDoc();
  const after = (doc: OperatorDoc, changes: Partial<OperatorDoc>): OperatorDoc => ({
    ...doc,
    ...{ version: doc.version + 1, previous: hashOf(operatorNoun, doc) },
    ...changes,
  });
  const second = after(first, { name: 'second' });
  const third = after(second, { name: 'third' });
  const retiring = after(third, { name: 'fourth', retired: [HOMES[0]!] });
  const signed = (doc: OperatorDoc, roots = ROOTS): Uint8Array => sealMany(operatorNoun, doc, roots.map(keyOf));
  const versionOf = (world: BoardWorld): number | undefined => world.read((work) => operators.get(work, OPERATOR))?.doc.version;

  const shown = (world: BoardWorld, ...documents: Uint8Array[]): BoardWorld => {
    for (const gateway of world.gateways) gateway.operators = documents;
    return world;
  };

  test('is followed to its next version', () => {
    const world = shown(new BoardWorld().pair(), signed(second)).pass(3000);
    expect(versionOf(world)).toBe(2);
  });

  test('is followed over versions that the board has missed, which it asks for', () => {
    const world = shown(new BoardWorld().pair(), signed(retiring));
    world.hold([hashOf(operatorNoun, second), signed(second)], [hashOf(operatorNoun, third), signed(third)]);
    world.pass(3000);
    expect(versionOf(world)).toBe(4);
    expect(world.read((work) => operators.get(work, OPERATOR))?.documents).toEqual([
      signedOperator().body,
      signed(second),
      signed(third),
      signed(retiring),
    ]);
    // And what it says is done: nobody dials a retired gateway.
    world.dialled.length = 0;
    world.cut();
    world.pass(20_000);
    expect(world.dialled).toEqual([inOrder(world)[1]!.name]);
  });

  test('is followed once the missing version comes', () => {
    const world = shown(new BoardWorld().pair(), signed(third)).pass(3000);
    expect(versionOf(world)).toBe(1);
    world.hold([hashOf(operatorNoun, second), signed(second)]);
    world.pass(30_000);
    expect(versionOf(world)).toBe(3);
  });

  test('is not followed to an older version, nor by too few of its roots, nor down another line', () => {
    const fork = after(operatorDoc({ name: 'another first' }), { name: 'fork' });
    const world = shown(new BoardWorld().pair(), signed(second)).pass(3000);
    shown(world, signed(first), signed(third, ['root 1']), signed(after(fork, {})));
    world.hold([hashOf(operatorNoun, fork), signed(fork)]);
    world.cut();
    world.pass(30_000);
    expect(versionOf(world)).toBe(2);
    expect(world.read((work) => operators.get(work, OPERATOR))?.doc.name).toBe('second');
  });

  test('that is wrong keeps nothing else of a welcome from being taken', () => {
    const world = shown(new BoardWorld().pair(), signed(third, ['root 1']), signed(second)).pass(3000);
    expect(versionOf(world)).toBe(2);
    expect(world.home.reports.length).toBeGreaterThan(0);
  });
});
