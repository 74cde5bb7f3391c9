import { describe, expect, test } from 'vitest';
import type { Rows } from '../../../gateway/core/context.ts';
import { actsFor, alive, awayMs, guardiansOf } from '../../../gateway/core/homing.ts';
import { boards } from '../../../gateway/core/tables.ts';
import { derive, type RequestId } from '../../../runtime/protocol/ids.ts';
import type { Instant } from '../../../runtime/turn/clock.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { OPERATOR, secondOperator } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import { type GatewayWorld, type Node, SILENCE_MS } from '../../support/gateway-world.ts';
import type { PaperBoard } from '../../support/paper-board.ts';

const contextOf = (node: Node) => ({
  crypto: testCrypto,
  signer: keyOf(node.name),
  me: node.id,
  operator: OPERATOR,
  silenceMs: SILENCE_MS,
});
const requestOf = (i: number): RequestId => derive<RequestId>(testCrypto, 'request', String(i));

/** Asks in the middle of a turn, when what a gateway only remembers is there too. */
const asked = <T>(node: Node, question: (work: Rows, now: Instant) => T): T =>
  node.inside((work) => question(work, node.world.clock.now()));

const actors = (world: GatewayWorld, request: RequestId): string[] =>
  world.nodes
    .filter((node) => node.running && asked(node, (work, now) => actsFor(work, contextOf(node), request, now)))
    .map(({ name }) => name);

describe('guardians', () => {
  test('are the same at every gateway, and not always the same ones', () => {
    const { world } = cast({ boards: [] });
    const orders = Array.from({ length: 12 }, (_, i) =>
      world.nodes.map((node) => asked(node, (work) => guardiansOf(work, contextOf(node), requestOf(i))).join()),
    );
    for (const order of orders) expect(new Set(order).size).toBe(1);
    expect(new Set(orders.map(([order]) => order)).size).toBeGreaterThan(2);
  });

  test('leave out who is retired or revoked', () => {
    const { world } = cast({ boards: [] });
    const [a, b, c] = world.nodes as [Node, Node, Node];
    a.accept(secondOperator({ retired: [b.id], revoked: [keyOf('gateway c').publicKey] }).body);
    expect(asked(a, (work) => guardiansOf(work, contextOf(a), requestOf(1)))).toEqual([a.id]);
    expect(c.id).not.toBe(a.id);
  });

  test('act one at a time, and the next one once the first is silent', () => {
    const { world } = cast({ boards: [] });
    for (let i = 0; i < 6; i++) expect(actors(world, requestOf(i))).toHaveLength(1);
    const [first] = actors(world, requestOf(0));
    world.nodes.find(({ name }) => name === first)!.stop();
    world.pass(SILENCE_MS - 1000);
    expect(actors(world, requestOf(0))).toEqual([]);
    world.pass(2000);
    expect(actors(world, requestOf(0))).toHaveLength(1);
  });

  test('without a key that is listed now do not act', () => {
    const { world } = cast({ boards: [] });
    const [a] = world.nodes as [Node];
    const stranger = { ...contextOf(a), signer: keyOf('gateway a old') };
    const requests = Array.from({ length: 12 }, (_, i) => requestOf(i)).filter((request) => actors(world, request).includes(a.name));
    expect(requests.length).toBeGreaterThan(0);
    for (const request of requests) expect(asked(a, (work, now) => actsFor(work, stranger, request, now))).toBe(false);
  });
});

describe('a gateway', () => {
  test('is alive while it is linked, and for a hiccup after', () => {
    const { world } = cast({ boards: [] });
    const [a, b] = world.nodes as [Node, Node];
    const isAlive = (): boolean => asked(a, (work, now) => alive(work, contextOf(a), b.id, now));
    expect(isAlive()).toBe(true);
    world.cut(a, b);
    world.clock.pass(SILENCE_MS - 1);
    expect(isAlive()).toBe(true);
    world.clock.pass(1);
    expect(isAlive()).toBe(false);
    world.link(a, b);
    expect(isAlive()).toBe(true);
    expect(asked(a, (work, now) => alive(work, contextOf(a), a.id, now))).toBe(true);
  });

  test('that nobody lists is not', () => {
    const { world } = cast({ boards: [] });
    const [a] = world.nodes as [Node];
    expect(asked(a, (work, now) => alive(work, contextOf(a), 'z'.repeat(32), now))).toBe(false);
  });
});

describe('a board', () => {
  const away = (node: Node, board: PaperBoard): number => asked(node, (work, now) => awayMs(work, contextOf(node), board.id, now));

  test('is not away while it is at any home, and is since it left', () => {
    const {
      world,
      boards: [board],
    } = cast({ at: [1] });
    const [a, b] = world.nodes as [Node, Node];
    expect([away(a, board!), away(b, board!)]).toEqual([0, 0]);
    board!.disconnect();
    world.pass(4000);
    expect([away(a, board!), away(b, board!)]).toEqual([4000, 4000]);
    board!.connect(a);
    world.pass(500);
    expect([away(a, board!), away(b, board!)]).toEqual([0, 0]);
  });

  test('is away since its home is silent, but not for that home itself', () => {
    const {
      world,
      boards: [board],
    } = cast({ at: [1] });
    const [a, b] = world.nodes as [Node, Node];
    world.isolate(b);
    world.clock.pass(2500);
    expect([away(a, board!), away(b, board!)]).toEqual([2500, 0]);
  });

  test('that was never anywhere is not away', () => {
    const {
      world,
      boards: [board],
    } = cast();
    expect(asked(world.node(0), (work) => boards.get(work, board!.id)?.home?.tenure)).toBe(1);
    expect(asked(world.node(0), (work, now) => awayMs(work, contextOf(world.node(0)), 'z'.repeat(32), now))).toBe(0);
  });
});
