/** What boards say to their home, and what it makes of it. */
import { describe, expect, test } from 'vitest';
import { usageHead } from '../../../gateway/core/replicas.ts';
import { boards as boardRows } from '../../../gateway/core/tables.ts';
import { type Bytes, fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import type { LeaseId, OperatorId } from '../../../runtime/protocol/ids.ts';
import { decodeAs, encodeAs, seal, sealMany, unseal } from '../../../runtime/protocol/noun.ts';
import { type Report, reportNoun, usageNoun } from '../../../runtime/protocol/nouns/board.ts';
import { nowNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { chunk, usageBatch, want } from '../../../runtime/protocol/nouns/messages.ts';
import { operatorNoun, trustId } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { demand, hashOf, operatorDoc, secondOperator, signedManifest, signedOperator, signedRequest } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import type { GatewayWorld, Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';

const running = (): { world: GatewayWorld; board: PaperBoard; node: Node } => {
  const { world, boards } = cast({ request: { replicas: 1 } });
  return { world, board: boards[0]!, node: world.node(0) };
};
const row = (node: Node, board: PaperBoard) => node.read((work) => boardRows.get(work, board.id));
const last = (node: Node): string | undefined => node.unsettled.at(-1)?.code;
const peerOperator = (root: string): { id: OperatorId; body: Bytes } => {
  const roots = { threshold: 1, roots: [keyOf(root).publicKey] };
  const id = trustId(testCrypto, 'operator', roots) as OperatorId;
  return { id, body: sealMany(operatorNoun, operatorDoc({ ...roots, operator: id, name: root, gateways: [] }), [keyOf(root)]) };
};
const ANY = 'a'.repeat(32) as LeaseId;

describe('what a board says of its card', () => {
  const card = { disk: 'mmcblk0', says: '', errors: 2, readOnly: true, sizeMib: 7000, freeMib: 5000, writtenBytes: 1 };
  const report = (board: PaperBoard, of: Pick<Report, 'card'>) =>
    board.say('report', seal(reportNoun, { v: 1, board: board.id, bootId: 'boot', monoMs: 1, instances: [], ...of }, board.signer));

  test('is told to whoever asks, until it says otherwise, and places nothing elsewhere [health-4]', () => {
    const { world, board, node } = running();
    const { leases } = board;
    expect(leases).toHaveLength(1);
    expect(node.json('boards')).toMatchObject([{ card: null }]);
    report(board, { card });
    expect(node.json('boards')).toMatchObject([{ board: board.id, card }]);
    world.pass(60_000);
    expect(board.leases).toEqual(leases);
    report(board, {});
    expect(node.json('boards')).toMatchObject([{ card: null }]);
  });
});

describe('a hello', () => {
  test('is answered with the time, the end of the chain, the operators and the assignment', () => {
    const { world, board } = running();
    board.use(board.leases[0]!, { kind: 'open' });
    world.pass(1000);
    board.heard.length = 0;
    board.connect(world.node(0));
    expect(board.heard.map(({ topic }) => topic)).toEqual(['now', 'desired', 'ack']);
    expect(board.welcome).toMatchObject({
      speaks: 1,
      wallMs: world.clock.now().wallMs,
      known: board.end,
      operators: [signedOperator().body],
    });
  });

  test('is answered with as many messages as the operators of the federation take', () => {
    const { world, board } = running();
    const peers = Array.from({ length: 12 }, (_, i) => peerOperator(`peer ${i}`));
    const node = world.node(0);
    expect(node.push(secondOperator({ peers: peers.map(({ id }) => id) }).body)).toMatchObject({ ok: true });
    for (const { body } of peers) expect(node.push(body)).toMatchObject({ ok: true });
    world.pass(1000);
    board.heard.length = 0;
    board.connect(node);
    const answers = board.heard.flatMap(({ topic, payload }) => (topic === 'now' ? [unseal(testCrypto, nowNoun, payload).value] : []));
    expect(answers.map(({ operators }) => operators.length)).toEqual([6, 6, 1]);
    expect(answers.flatMap(({ operators }) => operators).slice(1)).toEqual(peers.map(({ body }) => body));
  });

  test('of a higher tenure moves the board, and all gateways know', () => {
    const { world, board } = running();
    board.connect(world.node(2));
    world.pass(1000);
    for (const node of world.nodes) expect(row(node, board)).toMatchObject({ home: { tenure: 2, gateway: world.node(2).id }, here: true });
    // The offer with it, though it is the same: of each tenure there is one, so that all agree on which is the newest.
    expect(
      world
        .node(2)
        .log()
        .slice(-2)
        .map(({ kind }) => kind),
    ).toEqual(['home', 'offer']);
    expect(board.leases).toHaveLength(1);
  });

  const refusedHello = (change: (board: PaperBoard, world: GatewayWorld) => Uint8Array, code: string): void => {
    const { world, board, node } = running();
    const before = row(node, board);
    board.say('hello', change(board, world));
    expect(last(node)).toBe(code);
    expect(row(node, board)).toEqual(before);
  };

  test('that another key signed is refused', () => refusedHello((board) => board.hello({ signer: keyOf('stranger') }), 'wrong-signer'));
  test('in the name of another board is refused', () =>
    refusedHello((board) => board.hello({ board: new PaperBoard('board 2').id }), 'wrong-signer'));
  test('with the tenure of another board is refused', () =>
    refusedHello((board, world) => board.hello({ home: new PaperBoard('board 2').homeDocument(9, world.node(0).id) }), 'wrong-signer'));
  test('with a tenure that another key signed is refused', () =>
    refusedHello((board, world) => {
      const { signer } = board;
      board.signer = keyOf('stranger');
      const home = board.homeDocument(9, world.node(0).id);
      board.signer = signer;
      return board.hello({ home });
    }, 'wrong-signer'));
  test('that calls another gateway home is refused', () =>
    refusedHello((board, world) => board.hello({ home: board.homeDocument(9, world.node(1).id) }), 'stale'));
  test('in no common version is refused', () =>
    refusedHello((board) => board.hello({ speaks: { min: 2, max: 3 } }), 'version-unsupported'));

  test('of a lower tenure than is known is refused, and so is one that another gateway has', () => {
    const { world, board } = running();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    board.connect(b);
    board.connect(c);
    world.pass(1000);
    // Its newest writes are lost: it signs for the first gateway what it had signed for others.
    for (const [lost, signed] of [
      [1, 1],
      [2, 3],
    ] as const) {
      Object.assign(board, { tenure: lost, home: signed === lost ? a.id : null });
      board.connect(a);
      expect([board.tenure, last(a)]).toEqual([signed, 'stale']);
      expect(row(a, board)?.home).toEqual({ tenure: 3, gateway: c.id });
      a.unsettled.length = 0;
    }
    board.connect(b);
    expect(row(b, board)?.home).toEqual({ tenure: 4, gateway: b.id });
  });

  test('that two gateways took in a split leaves one home everywhere, and the other session ends', () => {
    const { world, board } = running();
    const [, b, c] = world.nodes as [Node, Node, Node];
    for (const node of world.nodes) world.isolate(node);
    board.connect(b);
    const session = board.session;
    board.node = null;
    board.home = null;
    board.tenure--;
    board.connect(c);
    world.heal();
    const homes = world.nodes.map((node) => row(node, board)?.home);
    expect(homes).toEqual(Array(3).fill({ tenure: 2, gateway: [b.id, c.id].sort()[1] }));
    expect(board.drops.length + Number(!b.clients.has(session))).toBeGreaterThan(0);
  });

  test('with a new offer is told to all; the same offer again is not', () => {
    const { world, board, node } = running();
    const { length } = node.log();
    board.connect(node);
    expect(
      node
        .log()
        .slice(length)
        .map(({ kind }) => kind),
    ).toEqual(['presence', 'presence']);
    board.offer = { ...board.offer, memoryMib: 1 };
    board.connect(node);
    world.pass(1000);
    for (const other of world.nodes) expect(row(other, board)?.offer?.memoryMib).toBe(1);
  });
});

describe('presence', () => {
  test('follows the session, and a newer session is not ended by an older one', () => {
    const { world, board, node } = running();
    const old = board.session;
    board.node = null;
    board.connect(node);
    node.submit({ kind: 'disconnected', session: old, party: 'board', id: board.id });
    expect(row(node, board)?.here).toBe(true);
    board.disconnect();
    world.pass(500);
    for (const other of world.nodes) expect(row(other, board)?.here).toBe(false);
  });

  test('ends with the last will', () => {
    const { board, node } = running();
    board.say('gone', encodeAs(want, { v: 1, hashes: [] }, 'want'));
    expect(row(node, board)?.here).toBe(false);
  });

  test('told by a former home comes too late', () => {
    const { world, board, node } = running();
    const other = world.node(1);
    world.cut(node, other);
    const left = board.session;
    board.node = null;
    board.connect(other);
    node.submit({ kind: 'disconnected', session: left, party: 'board', id: board.id });
    world.heal();
    for (const one of world.nodes) expect(row(one, board)).toMatchObject({ here: true, home: { gateway: other.id } });
  });
});

describe('usage', () => {
  test('is taken once, whatever comes twice', () => {
    const { world, board, node } = running();
    const [lease] = board.leases;
    board.use(lease!, { kind: 'open' });
    const { outbox } = board;
    const again = encodeAs(usageBatch, { v: 1, records: outbox.map(({ body }) => body) }, 'usage');
    board.say('usage', again);
    board.say('usage', again);
    world.pass(1000);
    expect(node.log().filter(({ kind }) => kind === 'usage')).toHaveLength(1);
    expect(board.acks.at(-1)).toMatchObject({ stored: { seq: 1 }, replicated: 1 });
  });

  test('with a gap is acknowledged up to the gap', () => {
    const { board, node } = running();
    const [lease] = board.leases;
    for (const kind of ['open', 'point', 'point'] as const) {
      board.use(lease!, { kind });
      board.node = kind === 'open' ? null : board.node;
    }
    board.node = node;
    board.say('usage', encodeAs(usageBatch, { v: 1, records: [board.outbox.at(-1)!.body] }, 'usage'));
    expect(board.acks.at(-1)).toMatchObject({ stored: { seq: 1 } });
    expect(node.journal.some((line) => /conflict: record 3/.test(line))).toBe(true);
    expect(row(node, board)?.quarantined).toBe(false);
  });

  test('of two histories puts the board into quarantine, at every gateway, with both in the logs', () => {
    const { world, board, node } = running();
    const [lease] = board.leases;
    board.use(lease!, { kind: 'open' });
    const clone = { end: board.end, outbox: [...board.outbox] };
    board.use(lease!);
    world.pass(1000);
    Object.assign(board, clone);
    board.use(lease!, { monoMs: 77 });
    world.pass(1000);
    for (const other of world.nodes) expect(row(other, board)?.quarantined).toBe(true);
    expect(node.log().filter(({ kind }) => kind === 'usage')).toHaveLength(3);
    world.node(1).accept(...demand('other', { replicas: 1 }));
    world.pass(1000);
    expect(board.leases.map(({ name }) => name)).toEqual(['echo']);
  });

  test('that its board forgot stays beside what it goes on with after the power came back, wherever that is', () => {
    const { world, board, node } = running();
    const [lease] = board.leases;
    board.use(lease!, { kind: 'open' });
    const { end, outbox } = board;
    // Its home could tell nobody of it, and is out of reach itself when the board is back.
    world.isolate(node);
    board.use(lease!);
    Object.assign(board, { end, outbox: [...outbox].slice(0, 1) });
    board.connect(world.node(1));
    board.use(lease!, { bootId: 'boot 2', seq: 1000 });
    board.use(lease!, { bootId: 'boot 2' });
    world.heal();
    for (const other of world.nodes) {
      expect(row(other, board)?.quarantined).toBe(false);
      expect(other.read((work) => usageHead(work, board.id))).toEqual({ seq: 1001, hash: board.end.hash });
      expect(other.pending).toEqual([]);
    }
    board.connect(node);
    expect(board.welcome!.known).toEqual(board.end);
  });

  test('of a boot that was over before another one puts the board into quarantine, at every gateway', () => {
    const { world, board, node } = running();
    const [lease] = board.leases;
    board.use(lease!, { kind: 'open' });
    world.pass(1000);
    const original = { end: board.end, outbox: [] };
    board.use(lease!, { bootId: 'boot 2', seq: 1000 });
    world.pass(1000);
    expect(row(node, board)?.quarantined).toBe(false);
    Object.assign(board, original);
    board.use(lease!, { seq: 1001 });
    world.pass(1000);
    for (const other of world.nodes) expect(row(other, board)?.quarantined).toBe(true);
    expect(node.log().filter(({ kind }) => kind === 'usage')).toHaveLength(3);
  });

  test('of a lease that is not known here is stored, so that the chain goes on; it counts when the lease comes', () => {
    const { world, boards } = cast({ request: { replicas: 1 }, at: [1] });
    const [board] = boards as [PaperBoard];
    const [a, b, c] = world.nodes as [Node, Node, Node];
    const [lease] = board.leases;
    // A lease that its guardian could tell nobody but the board.
    board.use(ANY, { kind: 'open' });
    board.use(ANY, { kind: 'close' });
    board.use(lease!, { kind: 'open' });
    expect(board.drops).toEqual([]);
    expect(board.acks.at(-1)).toMatchObject({ stored: { seq: 3 } });
    world.pass(1000);
    expect(board.outbox).toEqual([]);
    for (const node of [a, b, c]) expect(node.pending).toEqual([]);
  });

  test("of another board, or for another board's lease, is refused", () => {
    const { world, boards } = cast({ boards: ['board 1', 'board 2'], request: { replicas: 2 } });
    const [one, two] = boards as [PaperBoard, PaperBoard];
    const node = world.node(0);
    one.use(two.leases[0]!, { kind: 'open' });
    expect(last(node)).toBe('wrong-signer');
    two.use(two.leases[0]!, { kind: 'open' });
    one.say('usage', encodeAs(usageBatch, { v: 1, records: two.outbox.map(({ body }) => body) }, 'usage'));
    expect(last(node)).toBe('wrong-signer');
  });

  test('that another key signed is refused', () => {
    const { board, node } = running();
    const forged = { ...board.use(board.leases[0]!, { kind: 'open' }), seq: 2, prev: board.end.hash };
    board.say('usage', encodeAs(usageBatch, { v: 1, records: [seal(usageNoun, forged, keyOf('stranger'))] }, 'usage'));
    expect(last(node)).toBe('wrong-signer');
  });
});

describe('what a board wants', () => {
  const given = (board: PaperBoard, ...hashes: Uint8Array[]): (Uint8Array | null)[] => {
    board.heard.length = 0;
    board.say('want', encodeAs(want, { v: 1, hashes }, 'want'));
    return board.heard.filter(({ topic }) => topic === 'chunk').map(({ payload }) => decodeAs(chunk, payload, 'chunk').bytes);
  };

  test('it is given by hash, and told what is not here', () => {
    const { board } = running();
    const { request, lease } = board.desired!.leases[0]!;
    expect(lease.length).toBeGreaterThan(100);
    const { release, publisher } = board.leases[0]!;
    const [asked, manifest, trust, nothing] = given(board, request, release, publisher, fromHex('00'.repeat(32)));
    expect([asked, manifest]).toEqual([signedRequest({ replicas: 1 }).body, signedManifest().body]);
    expect(trust?.length).toBeGreaterThan(100);
    expect(nothing).toBeNull();
  });

  test('every version of an operator is there for a board that missed some', () => {
    const { board, node } = running();
    node.accept(secondOperator({ name: 'later' }).body);
    expect(given(board, hashOf(operatorNoun, operatorDoc()))).toEqual([signedOperator().body]);
  });
});

describe('keys', () => {
  test('that an operator revokes end the live session at once', () => {
    const { board, node } = running();
    node.accept(secondOperator({ revoked: [keyOf('board 1').publicKey] }).body);
    expect(board.drops.map(({ code }) => code)).toEqual(['revoked-key']);
    expect(row(node, board)?.here).toBe(false);
  });

  test('revoked at another gateway end it as soon as that is heard', () => {
    const { world, board } = running();
    world.node(2).accept(secondOperator({ revoked: [keyOf('board 1').publicKey] }).body);
    expect(board.drops).toEqual([]);
    world.pump();
    expect(board.drops.map(({ code }) => code)).toEqual(['revoked-key']);
  });

  test('that a board hands over from end its session; the new one goes on with the same board', () => {
    const { world, board, node } = running();
    const [lease] = board.leases;
    board.use(lease!, { kind: 'open' });
    expect(node.json('boards')).toMatchObject([{ rotations: [] }]);
    const documents: string[] = [];
    const take = (document: Uint8Array): boolean => documents.push(hex(document)) > 0 && node.push(document).ok;
    expect(board.rotate('board 1 new', take)).toBe(true);
    expect(node.json('boards')).toMatchObject([{ rotations: documents }]);
    expect(board.drops.map(({ code }) => code)).toEqual(['wrong-signer']);
    world.pass(1000);
    board.connect(node);
    expect(board.leases).toEqual([lease]);
    board.use(lease!);
    world.pass(1000);
    expect(board.acks.at(-1)).toMatchObject({ stored: { seq: 2 }, replicated: 2 });
    for (const other of world.nodes) expect(hex(row(other, board)!.key)).toBe(hex(keyOf('board 1 new').publicKey));
  });

  test('that were handed over sign no hello, and what they signed before is still taken', () => {
    const { board, node } = running();
    const [lease] = board.leases;
    board.node = null;
    board.use(lease!, { kind: 'open' });
    board.node = node;
    board.rotate('board 1 new', (document) => node.push(document).ok);
    board.connect(node);
    expect(board.acks.at(-1)).toMatchObject({ stored: { seq: 1 } });
    board.say('hello', board.hello({ signer: keyOf('board 1') }));
    expect(last(node)).toBe('wrong-signer');
  });

  test('are not handed over by one signature, from a key that is not the present one, or twice', () => {
    const { board, node } = running();
    board.rotate('board 1 new', (document) => node.push(document).ok);
    expect(board.rotate('board 1 newer', (document) => node.push(document.with(200, document[200]! ^ 1)).ok)).toBe(false);
    board.keyVersion = 0;
    expect(board.rotate('board 1 newest', (document) => node.push(document).ok)).toBe(false);
    board.keyVersion = 1;
    board.signer = keyOf('board 1');
    expect(board.rotate('board 1 newest', (document) => node.push(document).ok)).toBe(false);
  });
});
