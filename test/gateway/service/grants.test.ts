/** Renewals of leases that must never run in two places, and who replaces them, among real gateways. */
import { describe, expect, test } from 'vitest';
import { currentLease } from '../../../gateway/core/leased.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { outlivesMs } from '../../../runtime/protocol/nouns/grant.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import {
  demand,
  hashOf,
  OPERATOR,
  RATES,
  REQUEST,
  secondOperator,
  signedRequest,
  signedVoucher,
  voucher,
} from '../../support/federation.ts';
import { type CastOptions, cast } from '../../support/gateway-cast.ts';
import { type GatewayWorld, type Node, SILENCE_MS } from '../../support/gateway-world.ts';
import type { PaperBoard } from '../../support/paper-board.ts';

const { leaseMs } = LIMITS;
const PATIENCE_MS = 20_000;
const WAIT_MS = outlivesMs(leaseMs);
const STOP = { replicas: 1, onIsolation: 'stop' as const, patienceMs: PATIENCE_MS };

/** One instance on the first of two boards at two gateways, from a time on at which every guardian is free. */
const guarded = (options: CastOptions = {}) => {
  const { world, boards } = cast({ boards: ['board 1', 'board 2'], at: [0, 1], request: STOP, ...options });
  world.pass(WAIT_MS);
  const [first, second] = boards.toSorted((a, b) => b.leases.length - a.leases.length) as [PaperBoard, PaperBoard];
  return { world, boards, first, second, lease: first.leases[0]! };
};

const current = (node: Node): Lease | undefined => node.read((work) => currentLease(work, REQUEST, 0))?.doc;

/** Renewed at this pace for a while. */
const keep = (world: GatewayWorld, board: PaperBoard, lease: Lease, ms: number): void => {
  for (let left = ms; left > 0; left -= leaseMs / 3) {
    board.renew(lease);
    world.pass(Math.min(left, leaseMs / 3));
  }
};

describe('a lease that must stop', () => {
  test('names the guardians of its request, and how long it goes without them', () => {
    const { world, lease } = guarded();
    expect(lease.guarded?.leaseMs).toBe(leaseMs);
    expect([...(lease.guarded?.guardians ?? [])].sort()).toEqual(world.nodes.map(({ id }) => id).sort());
    expect(lease.onIsolation).toBe('stop');
  });

  test('goes to no board that does not end what must be over', () => {
    const enforces = { memory: true, cpu: true, pids: true, network: true, disk: true, deadline: false };
    const { world, boards } = cast({ boards: ['board 1'], request: STOP, offer: { enforces } });
    world.pass(5000);
    expect(boards[0]!.leases).toEqual([]);
  });

  test('is not signed while no majority of its guardians is heard', () => {
    const { world, boards } = cast();
    const [a] = world.nodes as [Node, Node, Node];
    world.isolate(a);
    world.pass(2 * SILENCE_MS);
    a.accept(signedRequest(STOP).body);
    world.pass(WAIT_MS);
    expect(boards[0]!.leases).toEqual([]);
    world.heal().pass(3000);
    expect(boards[0]!.leases).toHaveLength(1);
  });
});

describe('a renewal', () => {
  test('is granted by every guardian that is heard, its home or not', () => {
    const { world, first, lease } = guarded();
    const granted = first.renew(lease);
    world.pass(500);
    expect([...granted().keys()].sort()).toEqual(world.nodes.map(({ id }) => id).sort());
    expect([...granted().values()].every((leases) => leases[0] === lease.lease)).toBe(true);
  });

  test('of a lease that is not this board’s, or not the newest, or of nothing is granted by nobody', () => {
    const { world, first, second, lease } = guarded();
    const stolen = second.renew(lease);
    world.pass(500);
    expect(stolen().size).toBe(0);
    world.node(0).accept(signedRequest({ ...STOP, sequence: 2, state: 'destroyed' }).body);
    world.pass(1000);
    const late = first.renew(lease);
    world.pass(500);
    expect(late().size).toBe(0);
  });

  test('that its board did not sign parts no gateways', () => {
    const { world, first, second, lease } = guarded();
    const { signer } = first;
    first.signer = second.signer;
    first.renew(lease);
    world.pass(500);
    first.signer = signer;
    expect(world.pairs.every(([one, other]) => world.isLinked(one, other))).toBe(true);
  });

  test('is granted anew at once by a guardian that began again, and to nobody else for as long as a lease may run [guardians-7]', () => {
    const { world, first, second, lease } = guarded();
    first.renew(lease);
    world.pass(500);
    for (const node of world.nodes) {
      node.stop();
      node.start();
    }
    world.heal();
    for (const [i, board] of [first, second].entries()) board.connect(world.node(i));
    const again = first.renew(lease);
    world.pass(500);
    expect(again().size).toBe(3);
    first.disconnect();
    world.pass(WAIT_MS - 5000);
    expect(second.leases).toEqual([]);
  });
});

describe('a replacement', () => {
  test('comes only when nothing runs any more that a majority has granted [guardians-8]', () => {
    const { world, first, second, lease } = guarded();
    first.renew(lease);
    world.pass(500);
    first.disconnect();
    world.pass(WAIT_MS - 2000);
    expect(second.leases).toEqual([]);
    world.pass(PATIENCE_MS);
    const [next] = second.leases;
    expect(next).toMatchObject({ term: 2, request: REQUEST });
    expect(next?.guarded).toEqual(lease.guarded);
    const granted = second.renew(next!);
    world.pass(500);
    expect(granted().size).toBeGreaterThanOrEqual(2);
  });

  test('is asked for now and then while two wait for room that no board has, and not by every answer', () => {
    const { world, boards } = cast({ boards: ['board 1'], request: STOP });
    const [first] = world.nodes as [Node, Node, Node];
    // Of four, one gateway acts for two at least.
    const names = ['echo', 'second', 'third', 'fourth'];
    for (const name of names.slice(1)) first.accept(...demand(name, STOP));
    world.pass(WAIT_MS);
    expect(boards[0]!.leases).toHaveLength(names.length);
    const none = Object.fromEntries(Object.keys(RATES).map((rate) => [rate, 0n])) as typeof RATES;
    for (const name of names) {
      const paid = voucher({ name, serial: 2 });
      first.accept(signedVoucher(paid).body);
      first.accept(signedRequest({ ...STOP, name, sequence: 2, voucher: hashOf(voucherNoun, paid), priceCap: none }).body);
    }
    // `pass` throws when the gateways never come to rest.
    world.pass(WAIT_MS + 30_000);
    expect(boards[0]!.leases).toHaveLength(names.length);
  });

  test('is not granted by a guardian for as long as what it granted before may run [guardians-7]', () => {
    const { world, first, second, lease } = guarded();
    first.renew(lease);
    world.pass(500);
    // The tenant asks for it elsewhere, and its board is out of reach: nothing says that it has ended.
    first.disconnect();
    world.pass(1000);
    const node = world.node(1);
    node.accept(signedRequest({ ...STOP, sequence: 2, filter: { board: second.id }, release: lease.release }).body);
    world.pass(WAIT_MS - 5000);
    expect(second.leases).toEqual([]);
  });

  test('is at once where the board has signed that it is over [guardians-9]', () => {
    const { world, first, second, lease } = guarded();
    first.use(lease, { kind: 'open' });
    first.renew(lease);
    world.pass(500);
    first.use(lease, { kind: 'close' });
    first.offer = { ...first.offer, partitions: 0 };
    first.connect(first.node!);
    world.pass(2000);
    const [next] = second.leases;
    expect(next?.term).toBeGreaterThan(1);
    const granted = second.renew(next!);
    world.pass(500);
    expect(granted().size).toBe(3);
  });

  test('does not come when the acting guardian alone does not hear its home, and others renew it', () => {
    const { world, first, lease } = guarded();
    keep(world, first, lease, leaseMs);
    const home = world.nodes.find(({ id }) => id === first.home)!;
    const [other] = world.nodes.filter((node) => node !== home);
    world.cut(home, other!);
    keep(world, first, lease, 5 * leaseMs);
    for (const node of world.nodes) expect(current(node)?.lease).toBe(lease.lease);
  });

  test('keeps the guardians that serve; the operator’s word puts others in the place of those that do not [guardians-10]', () => {
    const { world, first, second, lease } = guarded();
    const [a, b, c] = lease.guarded!.guardians.map((id) => world.nodes.find((node) => node.id === id)!) as [Node, Node, Node];
    c.stop();
    first.disconnect();
    second.connect(a === world.node(1) ? b : a);
    a.accept(secondOperator({ operator: OPERATOR, retired: [c.id] }).body);
    world.pass(2 * WAIT_MS);
    const next = current(a);
    expect(next?.term).toBe(2);
    expect(next?.guarded?.guardians).toEqual([a.id, b.id]);
  });
});
