/** Where instances go, who says so, and when they go elsewhere. */
import { describe, expect, test } from 'vitest';
import { currentLease } from '../../../gateway/core/leased.ts';
import { costMicro, ZERO } from '../../../runtime/protocol/money.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { type Request, requestIdOf, voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import { publisherNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { rendezvous } from '../../../runtime/protocol/rendezvous.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import {
  demand,
  hashOf,
  idOf,
  RATES,
  REQUEST,
  secondOperator,
  signedBinding,
  signedRequest,
  signedVoucher,
  TENANT,
  voucher,
} from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import { type GatewayWorld, type Node, SILENCE_MS } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';
import { nextPublisher, publisherDoc, signedPublisher, smallRelease } from '../../support/small-release.ts';

const BOARDS = ['board 1', 'board 2', 'board 3'];

/** The lease of each instance that counts. */
const currents = (node: Node): Lease[] => {
  const instances = new Set(
    [...node.disk.rows.keys()].filter((key) => key.startsWith('lease-of/')).map((key) => key.split('/').slice(1, 3).join('/')),
  );
  return node.read((work) =>
    [...instances].flatMap((instance) => {
      const [request = '', index = ''] = instance.split('/');
      return currentLease(work, request, Number(index))?.doc ?? [];
    }),
  );
};
const count = (node: Node): number => [...node.disk.rows.keys()].filter((key) => key.startsWith('lease/')).length;
/** The name of a request that this gateway is the first to guard. */
const guardedBy = (node: Node): string => {
  const ids = node.world.nodes.map(({ id }) => id);
  const names = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
  return names.find((name) => rendezvous(testCrypto, requestIdOf(testCrypto, TENANT, name), ids)[0] === node.id)!;
};
const signersOf = (world: GatewayWorld): string[] =>
  world.nodes.filter((node) => node.journal.some((line) => line.startsWith('lease '))).map(({ name }) => name);

describe('an instance', () => {
  test('is leased by the acting guardian only, once, with what all have signed', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const [board] = boards as [PaperBoard];
    const [lease] = board.leases;
    expect(signersOf(world)).toHaveLength(1);
    expect(lease).toMatchObject({
      request: REQUEST,
      index: 0,
      term: 1,
      board: board.id,
      tenant: idOf('tenant'),
      owner: idOf('owner'),
      binding: 1,
    });
    expect(lease).toMatchObject({ rates: RATES, currency: 'EUR', feePermille: 137, capMicro: voucher().capMicro });
    world.pass(5000);
    for (const node of world.nodes) expect(count(node)).toBe(1);
  });

  test('goes with its replicas to boards of their own, the emptiest first', () => {
    const { world, boards } = cast({ boards: BOARDS, request: { replicas: 3 } });
    expect(boards.map(({ leases }) => leases.length)).toEqual([1, 1, 1]);
    expect(boards.flatMap(({ leases }) => leases.map(({ index }) => index)).sort()).toEqual([0, 1, 2]);
    expect(boards[0]!.leases[0]!.capMicro).toBe(voucher().capMicro / 3n);
    world.node(0).accept(...demand('second', { replicas: 1 }));
    world.pass(1000);
    expect(boards.reduce((sum, { leases }) => sum + leases.length, 0)).toBe(4);
  });

  test('waits when there are more replicas than boards, and goes where one comes up', () => {
    const { world, boards } = cast({ boards: BOARDS, request: { replicas: 4 } });
    expect(count(world.node(0))).toBe(3);
    boards[2]!.disconnect();
    world.pass(1000);
    expect(count(world.node(0))).toBe(3);
  });

  test('says of boards that could not take it why, the commonest reason first', () => {
    const { world, boards } = cast({ boards: BOARDS });
    const node = world.node(0);
    const limits = { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 8 };
    const [{ memoryMib, cpuMillis }] = boards.map(({ offer }) => offer) as [PaperBoard['offer']];
    const asks = (recipe: string, more: Partial<typeof limits>, request: Partial<Request> = {}): string[] => {
      const release = smallRelease({ recipe, limits: { ...limits, ...more } });
      node.accept(release.document, ...release.content.values(), ...demand(recipe, { release: release.release, replicas: 1, ...request }));
      world.pass(1000);
      return (node.json('requests') as { name: string; lacks: string[] }[]).find(({ name }) => name === recipe)?.lacks ?? [];
    };
    expect(asks('fine', {})).toEqual([]);
    expect(asks('large', { memoryMib: memoryMib + 1 })).toEqual([
      `3 boards are short of memory: ${memoryMib + 9} MiB are asked for, at most ${memoryMib} are left`,
    ]);
    expect(asks('busy', { cpuMillis: cpuMillis + 1 })).toEqual([
      `3 boards are short of processor: ${cpuMillis + 1} thousandths of one are asked for, at most ${cpuMillis} are left`,
    ]);
    expect(asks('elsewhere', {}, { filter: { region: 'nowhere' } })).toEqual(['3 boards are not in region nowhere']);
    expect(asks('dear', {}, { priceCap: { ...RATES, cpuSecond: 0n } })).toEqual(['3 boards are dearer than its price cap']);
    boards[2]!.disconnect();
    world.pass(60_000);
    expect(asks('many', {}, { replicas: 4 })).toEqual([
      '2 boards are taken by it already: each instance is on a board of its own',
      '1 board is away',
    ]);
    const empty = smallRelease({ recipe: 'absent' });
    node.accept(empty.document, ...demand('absent', { release: empty.release, replicas: 1 }));
    world.pass(1000);
    expect(node.json('requests')).toContainEqual(
      expect.objectContaining({ name: 'absent', lacks: [expect.stringMatching(/^\d+ pieces? of its release ha(ve|s) not come/)] }),
    );
  });

  test('that another voucher pays for gets another lease with its cap, where it was', () => {
    const { world, boards } = cast({ boards: BOARDS, request: { replicas: 1 } });
    const before = boards.flatMap(({ leases }) => leases);
    const board = boards.find(({ leases }) => leases.length === 1)!;
    const more = voucher({ serial: 2, capMicro: 7_000_000n });
    world.node(0).accept(signedVoucher({ serial: 2, capMicro: 7_000_000n }).body);
    const asks = (sequence: number) => signedRequest({ sequence, replicas: 1, voucher: hashOf(voucherNoun, more) }).body;
    world.node(0).accept(asks(2));
    world.pass(1000);
    const [lease] = board.leases;
    expect(lease).toMatchObject({ term: 2, capMicro: 7_000_000n });
    expect(lease?.lease).not.toBe(before[0]?.lease);
    world.node(0).accept(asks(3));
    world.pass(1000);
    expect(
      board.leases.map(({ term }) => term),
      'the same voucher changes nothing',
    ).toEqual([2]);
  });

  test('of another release goes where it was while there is room, for its data are there', () => {
    const { world, boards } = cast({ boards: BOARDS, request: { replicas: 1 } });
    const board = boards.find(({ leases }) => leases.length === 1)!;
    const release = smallRelease({ recipe: 'echo', sequence: 2 });
    world.node(0).accept(release.document, ...release.content.values());
    world.node(0).accept(signedRequest({ sequence: 2, replicas: 1, release: release.release }).body);
    world.pass(1000);
    expect(board.leases.map(({ term }) => term)).toEqual([2]);
  });

  test('that may fall back to another release has room for the larger of both, and one /data', () => {
    const { world, boards } = cast({ boards: ['board 1'], request: { replicas: 1 } });
    const node = world.node(0);
    const limits = { memoryMib: 16, cpuMillis: 900, pids: 4, tmpMib: 1, dataInodes: 100, openFiles: 64 };
    const [one, two] = [smallRelease({ sequence: 2 }), smallRelease({ sequence: 3, limits })];
    for (const { document, content } of [one, two]) node.accept(document, ...content.values());
    const fallback = { release: two.release, bakeMs: 1000 };
    node.accept(signedRequest({ sequence: 2, replicas: 1, release: one.release, fallback }).body);
    world.pass(1000);
    expect(boards[0]!.leases.map(({ limits: leased }) => leased)).toEqual([
      { memoryMib: 32, cpuMillis: 900, pids: 16, tmpMib: 8, openFiles: 64 },
    ]);
  });

  test('waits for a release that is not whole', () => {
    const { world, boards } = cast();
    const release = smallRelease({ recipe: 'other' });
    const node = world.node(0).accept(release.document, signedRequest({ release: release.release, replicas: 1 }).body);
    world.pass(1000);
    expect(boards[0]!.leases).toEqual([]);
    node.accept(...release.content.values());
    world.pass(3000);
    expect(boards[0]!.leases).toHaveLength(1);
    for (const other of world.nodes)
      expect(other.json('releases')).toContainEqual(expect.objectContaining({ recipe: 'other', missing: 0 }));
  });

  test('whose /data has an end goes only where it is held to it, while there is room for it', () => {
    const { world, boards } = cast({ boards: BOARDS });
    const limits = { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 8, dataMib: 100 };
    const release = smallRelease({ recipe: 'other', limits });
    const node = world.node(0).accept(release.document, ...release.content.values());
    node.accept(signedRequest({ release: release.release, replicas: 2 }).body);
    world.pass(1000);
    expect(count(node)).toBe(0);
    expect(node.json('requests')).toMatchObject([{ lacks: ['no board has 100 MiB for /data'] }]);
    boards[1]!.offer = { ...boards[1]!.offer, dataMib: 150 };
    boards[1]!.connect(world.node(0));
    world.pass(1000);
    expect(boards.map(({ leases }) => leases.length)).toEqual([0, 1, 0]);
    // A second one of the same size does not fit beside it.
    node.accept(...demand('second', { release: release.release, replicas: 1 }));
    world.pass(1000);
    expect(boards.map(({ leases }) => leases.length)).toEqual([0, 1, 0]);
  });

  test('with secrets goes only to a board that they are sealed to [secrets-4]', () => {
    const { world, boards } = cast({ boards: BOARDS });
    const secrets = [{ board: boards[1]!.id, box: new Uint8Array(60) }];
    world.node(0).accept(signedRequest({ replicas: 2, secrets }).body);
    world.pass(1000);
    expect(boards.map(({ leases }) => leases.length)).toEqual([0, 1, 0]);
  });

  test('waits for the board that it asks for', () => {
    const { world, boards } = cast({ boards: BOARDS, request: { replicas: 1, filter: { board: idOf('board 2') } } });
    const [, board] = boards as [PaperBoard, PaperBoard];
    expect(board.leases).toHaveLength(1);
    board.disconnect();
    world.pass(500);
    world.node(0).accept(...demand('second', { replicas: 1, filter: { board: board.id } }));
    world.pass(1000);
    expect(count(world.node(0))).toBe(1);
    board.connect(world.node(1));
    world.pass(500);
    expect(board.leases.map(({ name }) => name).sort()).toEqual(['echo', 'second']);
  });

  test('waits while its publisher has taken back the key that signed its release', () => {
    const { world, boards } = cast();
    const node = world.node(0);
    const back = nextPublisher(publisherDoc(), { revoked: [keyOf('release key').publicKey] });
    node.accept(signedRequest({ replicas: 2 }).body);
    world.pass(1000);
    expect(boards[0]!.leases).toHaveLength(1);
    node.accept(signedPublisher(back));
    world.pass(500);
    const [other] = [new PaperBoard('board 2')];
    other.pair(node);
    node.accept(signedBinding('board 2').body);
    other.connect(node);
    world.pass(1000);
    expect(other.leases).toEqual([]);
    const third = nextPublisher(back, { revoked: [] });
    node.accept(signedPublisher(third));
    world.pass(500);
    expect(other.leases, 'names the newest version, whichever the release came with').toMatchObject([
      { publisher: hashOf(publisherNoun, third) },
    ]);
  });

  test('is followed by one that may cost what is left, however often its request changes [metering-28]', () => {
    const paid = { serial: 2, capMicro: 1_000_000n };
    const { world, boards } = cast({ boards: BOARDS });
    const named = hashOf(voucherNoun, voucher(paid));
    const node = world.node(0).accept(signedVoucher(paid).body);
    const updated = (sequence: number): PaperBoard | undefined => {
      const release = smallRelease({ sequence, recipe: 'echo-again' });
      node.accept(release.document, ...release.content.values());
      node.accept(signedRequest({ sequence, replicas: 1, voucher: named, release: release.release }).body);
      world.pass(1000);
      return boards.find(({ leases }) => leases.length === 1);
    };
    let left = paid.capMicro;
    for (const sequence of [2, 3, 4]) {
      const board = updated(sequence)!;
      const [lease] = board.leases as [Lease];
      expect(lease).toMatchObject({ term: sequence - 1, capMicro: left });
      board.use(lease, { kind: 'open' });
      board.use(lease, { registers: { ...ZERO, cpuMicros: 5_000_000n } });
      left -= costMicro({ ...ZERO, cpuMicros: 5_000_000n }, lease.rates);
      world.pass(500);
    }
    const board = updated(5)!;
    const [last] = board.leases as [Lease];
    board.use(last, { kind: 'open' });
    board.use(last, { registers: { ...ZERO, cpuMicros: 10n ** 12n } });
    world.pass(500);
    expect(updated(6), 'its voucher is spent').toBeUndefined();
    expect((node.json('requests') as { lacks: string[] }[]).flatMap(({ lacks }) => lacks)).toEqual([
      expect.stringMatching(/voucher .* is spent/),
    ]);
  });

  test('is followed by one within its part when more replicas share the voucher [metering-28]', () => {
    const { world, boards } = cast({ boards: BOARDS, request: { replicas: 1 } });
    const caps = () => boards.flatMap(({ leases }) => leases.map(({ capMicro }) => capMicro));
    expect(caps()).toEqual([voucher().capMicro]);
    world.node(0).accept(signedRequest({ sequence: 2, replicas: 2 }).body);
    world.pass(1000);
    expect(caps()).toEqual([voucher().capMicro / 2n, voucher().capMicro / 2n]);
  });

  test('waits for the voucher that pays for it, when the log with that comes later', () => {
    const { world } = cast({ at: [2] });
    const [a, b, c] = world.nodes as [Node, Node, Node];
    const name = guardedBy(c);
    const other = { serial: 2, name };
    world.isolate(c);
    a.accept(signedVoucher(other).body);
    world.pass(2 * SILENCE_MS);
    b.accept(signedRequest({ name, replicas: 1, voucher: hashOf(voucherNoun, voucher(other)) }).body);
    const late: (() => void)[] = [];
    const { carry } = world;
    world.carry = (from, session, frame) => {
      const isHeldBack = frame.kind === 'entries' && frame.author === a.id && session === world.sessionOf(from, c);
      const send = (): void => carry.call(world, from, session, frame);
      if (isHeldBack) late.push(send);
      else send();
    };
    world.link(b, c);
    world.pass(2 * SILENCE_MS);
    const isPlaced = (): boolean => c.journal.some((line) => line.startsWith('lease '));
    // The entries, and the head that b shows after them.
    expect([late.length, isPlaced()]).toEqual([2, false]);
    for (const send of late) send();
    world.pump();
    expect(isPlaced()).toBe(true);
  });

  test('gets another lease, of the next term, when its own is closed', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const [board] = boards as [PaperBoard];
    const [lease] = board.leases as [Lease];
    board.use(lease, { kind: 'open' });
    board.use(lease, { kind: 'close' });
    world.pass(1000);
    expect(board.leases).toMatchObject([{ term: 2, index: 0 }]);
  });

  test('of a new release replaces the one before it on the same board', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const next = smallRelease({ sequence: 2 });
    world.node(0).accept(next.document, ...next.content.values(), signedRequest({ release: next.release, replicas: 1, sequence: 2 }).body);
    world.pass(2000);
    expect(boards[0]!.leases).toMatchObject([{ term: 2, release: next.release }]);
  });

  test('that is destroyed, or one replica too many, is not assigned any more', () => {
    const { world, boards } = cast({ boards: BOARDS, request: { replicas: 3 } });
    world.node(1).accept(signedRequest({ replicas: 1, sequence: 2 }).body);
    world.pass(1000);
    expect(boards.flatMap(({ leases }) => leases.map(({ index }) => index))).toEqual([0]);
    world.node(2).accept(signedRequest({ replicas: 1, sequence: 3, state: 'destroyed' }).body);
    world.pass(1000);
    expect(boards.flatMap(({ leases }) => leases)).toEqual([]);
  });

  test('that is stopped keeps its lease, and its board is told the newer request', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const [before] = boards[0]!.desired!.leases;
    world.node(0).accept(signedRequest({ replicas: 1, sequence: 2, state: 'stopped' }).body);
    world.pass(1000);
    const [after] = boards[0]!.desired!.leases;
    expect(after!.lease).toEqual(before!.lease);
    expect(after!.request).not.toEqual(before!.request);
  });
});

describe('a board is not taken', () => {
  const placedOn = (request: Partial<Request>, options: Parameters<typeof cast>[0] = {}): number =>
    cast({ ...options, request: { replicas: 1, ...request } }).boards[0]!.leases.length;

  test('unless it fits', () => expect(placedOn({})).toBe(1));

  test.each<[string, Partial<Request>, Parameters<typeof cast>[0]]>([
    ['that has not enough memory', {}, { offer: { memoryMib: 39 } }],
    ['that has not enough of a core', {}, { offer: { cpuMillis: 499 } }],
    ['that has no partition', {}, { offer: { partitions: 0 } }],
    ['that costs more than the tenant pays', { priceCap: { ...RATES, netMib: RATES.netMib - 1n } }, {}],
    ['of a lower tier than was asked for', { filter: { tier: 'full' } }, { offer: { tier: 'reduced' } }],
    ['that is not the one that was asked for', { filter: { board: idOf('board 2') } }, {}],
    ['of another owner than was asked for', { filter: { owner: idOf('stranger') } }, {}],
    ['in another region than was asked for', { filter: { region: 'south' } }, {}],
  ])('%s', (_what, request, options) => expect(placedOn(request, options)).toBe(0));

  test('of another currency', () => {
    const { world, boards } = cast();
    world.node(0).accept(signedBinding('board 1', { version: 2, currency: 'USD' }).body, signedRequest({ replicas: 1 }).body);
    world.pass(1000);
    expect(boards[0]!.leases).toEqual([]);
  });

  test('that is built for another processor', () => {
    for (const [arch, leases] of [
      ['arm64', 0],
      ['x64', 1],
      ['any', 1],
    ] as const) {
      const { world, boards } = cast();
      const release = smallRelease({ recipe: 'other', arch });
      world.node(0).accept(release.document, ...release.content.values(), signedRequest({ release: release.release, replicas: 1 }).body);
      world.pass(1000);
      expect(boards[0]!.leases).toHaveLength(leases);
    }
  });

  test('when the release demands more than it enforces', () => {
    const { world, boards } = cast({ offer: { tier: 'dev' } });
    const release = smallRelease({ recipe: 'other', demands: 'reduced' });
    world.node(0).accept(release.document, ...release.content.values(), signedRequest({ release: release.release, replicas: 1 }).body);
    world.pass(1000);
    expect(boards[0]!.leases).toEqual([]);
  });

  test('beyond what its owner lends', () => {
    const { world, boards } = cast();
    const node = world.node(0).accept(signedBinding('board 1', { version: 2, policy: { partitions: 1, labels: [] } }).body);
    for (const name of ['one', 'two']) {
      node.accept(...demand(name, { replicas: 1 }));
      world.pass(1000);
    }
    expect(boards[0]!.leases).toHaveLength(1);
  });

  test('beyond what it offers, counting all that it has', () => {
    const { world, boards } = cast({ offer: { memoryMib: 100 } });
    for (const name of ['one', 'two', 'three']) {
      world.node(0).accept(...demand(name, { replicas: 1 }));
      world.pass(1000);
    }
    expect(boards[0]!.leases).toHaveLength(2);
  });

  test('that is away', () => {
    const { world, boards } = cast();
    boards[0]!.disconnect();
    world.node(0).accept(signedRequest({ replicas: 1 }).body);
    world.pass(1000);
    expect(count(world.node(0))).toBe(0);
    boards[0]!.connect(world.node(2));
    world.pass(1000);
    expect(boards[0]!.leases).toHaveLength(1);
  });

  test('by what a voucher would have paid for before it ended', () => {
    const { world, boards } = cast();
    const ending = { serial: 2, notAfterMs: world.clock.now().wallMs + 10_000 };
    const paid = (name: string) => [
      signedVoucher({ ...ending, name }).body,
      signedRequest({ name, voucher: hashOf(voucherNoun, voucher({ ...ending, name })), replicas: 1 }).body,
    ];
    const node = world.node(0).accept(...paid('in-time'));
    world.pass(1000);
    expect(boards[0]!.leases).toHaveLength(1);
    world.pass(10_000);
    node.accept(...paid('too-late'));
    world.pass(1000);
    expect(boards[0]!.leases.map(({ name }) => name)).toEqual(['in-time']);
  });

  test('at more than nothing when it is unprivileged: what it does is never payable', () => {
    const { boards } = cast({ offer: { tier: 'dev' }, request: { replicas: 1 } });
    expect(boards[0]!.leases).toMatchObject([{ currency: 'XTS' }]);
  });
});

describe('when a gateway dies', () => {
  /** The acting guardian of the request and the board's home are one and the same, and it ends. */
  const dead = () => {
    const given = cast({ boards: ['board 1', 'board 2'], at: [0, 0], request: { replicas: 1, patienceMs: 20_000 } });
    const [guardian] = signersOf(given.world);
    const node = given.world.nodes.find(({ name }) => name === guardian)!;
    const holder = given.boards.find(({ leases }) => leases.length > 0)!;
    return { ...given, node, holder, others: given.world.nodes.filter((one) => one !== node) };
  };

  test('its boards go on elsewhere with the leases that they have', () => {
    const { world, node, holder, others } = dead();
    holder.connect(node);
    world.pass(1000);
    const [lease] = holder.leases as [Lease];
    node.stop();
    world.pass(1000);
    holder.connect(others[0]!);
    world.pass(10_000);
    expect(holder.leases).toEqual([lease]);
    for (const other of others) expect(count(other)).toBe(1);
  });

  test('the next guardian acts for it, but not before a hiccup would be over', () => {
    const { world, node, boards, others } = dead();
    for (const board of boards) board.connect(others[0]!);
    world.pass(1000);
    node.stop();
    others[0]!.accept(signedRequest({ replicas: 2, sequence: 2, patienceMs: 20_000 }).body);
    world.pass(SILENCE_MS - 1000);
    expect(count(others[0]!)).toBe(1);
    world.pass(3000);
    expect(boards.map(({ leases }) => leases.length)).toEqual([1, 1]);
    expect(signersOf(world)).toHaveLength(2);
  });

  test('a request that it guards is taken over at once when its operator retires it', () => {
    const { world, node, boards, others } = dead();
    for (const board of boards) board.connect(others[0]!);
    node.stop();
    others[0]!.accept(secondOperator({ retired: [node.id] }).body, signedRequest({ replicas: 2, sequence: 2, patienceMs: 20_000 }).body);
    world.pass(500);
    expect(boards.map(({ leases }) => leases.length)).toEqual([1, 1]);
  });

  test('and comes back, its boards are taken again', () => {
    const { world, boards } = cast({ at: [2] });
    const [a, , c] = world.nodes as [Node, Node, Node];
    world.isolate(c);
    world.pass(2 * SILENCE_MS);
    a.accept(...demand(guardedBy(a), { replicas: 1 }));
    world.pass(1000);
    expect(signersOf(world)).toEqual([]);
    world.link(a, c);
    world.pass(500);
    expect(signersOf(world)).toEqual([a.name]);
    expect(boards[0]!.leases).toHaveLength(1);
  });

  test('a gateway that has just begun does not take the others for dead', () => {
    const { world, node, boards, others } = dead();
    for (const board of boards) board.connect(others[0]!);
    world.pass(1000);
    // All know of a request that only the guardian may place, which is slow about it.
    const [one] = others as [Node, Node];
    world.isolate(one);
    one.stop();
    one.start();
    one.accept(signedRequest({ replicas: 2, sequence: 2, patienceMs: 20_000 }).body);
    for (const board of boards) board.connect(one);
    world.clock.pass(SILENCE_MS - 1000);
    expect(count(one)).toBe(1);
    world.heal();
    expect(signersOf(world)).toEqual([node.name]);
    expect(boards.map(({ leases }) => leases.length)).toEqual([1, 1]);
  });
});

describe('a board that is away', () => {
  const PATIENCE_MS = 10_000;
  const away = (leave: (given: ReturnType<typeof cast> & { holder: PaperBoard; spare: PaperBoard }) => void) => {
    const given = cast({ boards: ['board 1', 'board 2'], at: [1, 2], request: { replicas: 1, patienceMs: PATIENCE_MS } });
    const holder = given.boards.find(({ leases }) => leases.length > 0)!;
    const spare = given.boards.find((board) => board !== holder)!;
    leave({ ...given, holder, spare });
    return { ...given, holder, spare };
  };
  const leaves = (disconnecting: { holder: PaperBoard }): void => disconnecting.holder.disconnect();

  test('keeps its instance for as long as the tenant is patient, and loses it then to a higher term', () => {
    const { world, spare } = away(leaves);
    world.pass(PATIENCE_MS - 1000);
    expect(spare.leases).toEqual([]);
    world.pass(2500);
    expect(spare.leases).toMatchObject([{ term: 2, index: 0 }]);
  });

  test('that comes back in time keeps it', () => {
    const { world, holder, spare } = away(leaves);
    world.pass(PATIENCE_MS - 2000);
    holder.connect(world.node(0));
    world.pass(PATIENCE_MS);
    expect([holder.leases.length, spare.leases.length]).toEqual([1, 0]);
  });

  test('that comes back too late is told to end it', () => {
    const { world, holder } = away(leaves);
    world.pass(PATIENCE_MS + 2000);
    holder.connect(world.node(0));
    world.pass(1000);
    expect(holder.desired?.leases).toEqual([]);
  });

  test('because its home is gone counts as away from then', () => {
    const { world, spare } = away(({ world: all, holder }) => all.nodes.find((node) => node === holder.node)!.stop());
    world.pass(PATIENCE_MS - 1000);
    expect(spare.leases).toEqual([]);
    world.pass(3000);
    expect(spare.leases).toMatchObject([{ term: 2 }]);
  });

  test('is still away when its home begins anew, and is not waited for for ever', () => {
    const { world, holder, spare } = away(() => {});
    const home = holder.node!;
    home.stop();
    home.start();
    world.heal();
    world.pass(30_000);
    expect(spare.leases).toEqual([]);
    world.pass(45_000);
    expect(spare.leases).toMatchObject([{ term: 2 }]);
    expect(home.json('boards')).toContainEqual(expect.objectContaining({ board: holder.id, here: false }));
  });

  test('but comes back to a home that begins anew was never away', () => {
    const { world, holder, spare } = away(() => {});
    const home = holder.node!;
    home.stop();
    home.start();
    world.heal();
    world.pass(20_000);
    holder.connect(home);
    world.pass(60_000);
    expect([holder.leases.length, spare.leases.length]).toEqual([1, 0]);
    const presences = home.log().filter(({ kind }) => kind === 'presence');
    expect(presences).toEqual([]);
  });
});

describe('two guardians in a split', () => {
  test('may both place one instance; everywhere the same lease counts then, and the other ends', () => {
    const { world, boards } = cast({ boards: ['board 1', 'board 2'], at: [0, 1] });
    const [a, b, c] = world.nodes as [Node, Node, Node];
    for (const node of [a, b, c]) world.isolate(node);
    for (const node of [a, b]) node.accept(signedRequest({ replicas: 1 }).body);
    world.clock.pass(2 * SILENCE_MS);
    expect(boards.map(({ leases }) => leases.length)).toEqual([1, 1]);
    world.heal();
    const ids = world.nodes.map((node) => currents(node).map(({ lease }) => lease));
    expect(new Set(ids.map(String)).size).toBe(1);
    expect(boards.reduce((sum, { leases }) => sum + leases.length, 0)).toBe(1);
    expect(boards.flatMap(({ leases }) => leases.map(({ lease }) => lease))).toEqual(ids[0]);
  });

  test('may fill one board twice; what it cannot hold goes elsewhere as soon as they hear each other', () => {
    const { world, boards } = cast({ boards: ['board 1', 'board 2'], at: [0, 0], offer: { partitions: 1 } });
    const [full, spare] = boards as [PaperBoard, PaperBoard];
    spare.disconnect();
    world.pass(1000);
    const [a, b] = world.nodes as [Node, Node];
    for (const node of world.nodes) world.isolate(node);
    a.accept(...demand('one', { replicas: 1 }));
    b.accept(...demand('two', { replicas: 1 }));
    world.clock.pass(2 * SILENCE_MS);
    full.connect(b);
    full.connect(a);
    world.clock.pass(1000);
    world.heal();
    expect(new Set(full.leases.map(({ name }) => name)).size).toBeGreaterThan(0);
    spare.connect(a);
    world.pass(3000);
    expect([full.leases.length, spare.leases.length]).toEqual([1, 1]);
    expect([...full.leases, ...spare.leases].map(({ name }) => name).sort()).toEqual(['one', 'two']);
  });
});
