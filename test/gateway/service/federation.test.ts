/** Three gateways over real peer frames: what they tell each other, and what they do not believe. */
import { describe, expect, test } from 'vitest';
import { boards as boardRows } from '../../../gateway/core/tables.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { signCheckpoint } from '../../../runtime/protocol/checkpoint.ts';
import { sealMany } from '../../../runtime/protocol/noun.ts';
import { entryBytes, type LogEntry, type PeerFrame } from '../../../runtime/protocol/nouns/log.ts';
import { operatorNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { OPERATOR, operatorDoc, ROOTS, sealedLog, secondOperator, signedVoucher } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';

const said = (node: Node, what: RegExp): boolean => node.journal.some((line) => what.test(line));
const sizes = (node: Node): number[] => node.world.nodes.map(({ id }) => node.log(id).length);

describe('a log', () => {
  test('is held whole by every gateway, and means the same there', () => {
    const { world } = cast({ request: { replicas: 1 } });
    const [a, b, c] = world.nodes as [Node, Node, Node];
    expect(sizes(a)[0]).toBeGreaterThan(8);
    expect([sizes(b), sizes(c)]).toEqual([sizes(a), sizes(a)]);
    expect([b.view(), c.view()]).toEqual([a.view(), a.view()]);
    expect(world.violations).toEqual([]);
  });

  test('reaches a gateway through another when its author is out of reach, or gone', () => {
    const { world } = cast();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    world.isolate(c);
    a.accept(signedVoucher({ serial: 7 }).body);
    world.pass(1000);
    a.stop();
    world.link(b, c);
    world.pass(2000);
    expect(c.log(a.id)).toEqual(a.log());
    expect(c.view()).toEqual(b.view());
  });

  test('is caught up with after any silence, by what is missing only', () => {
    const { world } = cast();
    const [a, b] = world.nodes as [Node, Node];
    world.cut(a, b);
    world.cut(b, world.node(2));
    const before = sizes(b)[0]!;
    for (let serial = 2; serial < 12; serial++) a.accept(signedVoucher({ serial }).body);
    const frames: PeerFrame[] = [];
    const { carry } = world;
    world.carry = (from, session, frame) => {
      if (from === a) frames.push(frame);
      carry.call(world, from, session, frame);
    };
    world.link(a, b);
    world.pass(1000);
    expect(b.log(a.id)).toEqual(a.log());
    const sent = frames.flatMap((frame) => (frame.kind === 'entries' && frame.author === a.id ? [frame] : []));
    expect(Math.min(...sent.map(({ from }) => from))).toBe(before);
  });

  test('that grew by hundreds of entries in one turn, or by very large ones, still fits the frames', () => {
    const { world } = cast();
    const [a, b] = world.nodes as [Node, Node];
    world.isolate(b);
    const session = a.session({ hear: () => {}, dropped: () => {} });
    const push = (document: Uint8Array): void =>
      void a.driven.turn.submit({ kind: 'message', session, party: 'tenant', id: 'x', topic: 'push', payload: document, receipt: 0 });
    const before = a.log().length;
    for (let serial = 2; serial < 802; serial++) push(signedVoucher({ serial }).body);
    world.pass(1000);
    expect(a.log().length - before).toBe(800);
    world.link(a, b);
    world.pass(2000);
    expect(world.violations).toEqual([]);
    expect(b.log(a.id).length).toBe(a.log().length);
  });
});

describe("another's log", () => {
  /** Entries of the first gateway's log that the second sends the third, and heads of it that it shows alone. */
  const passedOn = (isCut: boolean) => {
    const { world } = cast();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    if (isCut) world.cut(a, c);
    world.pass(2000);
    const seen = { entries: 0, heads: 0 };
    const { carry } = world;
    world.carry = (from, session, frame) => {
      if (session === world.sessionOf(b, c) && frame.kind === 'entries' && frame.author === a.id) {
        seen.entries += frame.entries.length;
        if (frame.entries.length === 0) seen.heads++;
      }
      carry.call(world, from, session, frame);
    };
    a.accept(signedVoucher({ serial: 2 }).body);
    world.pass(2000);
    expect(c.log(a.id)).toEqual(a.log());
    return seen;
  };

  test('is not passed on to whom its author sends it, but its head is shown', () => {
    expect(passedOn(false)).toEqual({ entries: 0, heads: 1 });
  });

  test('is passed on to whom its author cannot reach', () => {
    expect(passedOn(true).entries).toBe(1);
  });
});

describe('a log that is longer than a frame', () => {
  test('goes out frame after frame, though no answer comes', () => {
    const { world } = cast();
    const [a, b] = world.nodes as [Node, Node];
    world.isolate(b);
    const session = a.session({ hear: () => {}, dropped: () => {} });
    for (let serial = 2; serial < 1302; serial++) {
      const payload = signedVoucher({ serial }).body;
      a.driven.turn.submit({ kind: 'message', session, party: 'tenant', id: 'x', topic: 'push', payload, receipt: 0 });
    }
    world.pass(500);
    const sent: number[] = [];
    const { carry } = world;
    world.carry = (from, to, frame) => {
      if (from === a && to === world.sessionOf(a, b) && frame.kind === 'entries') sent.push(frame.entries.length);
      else carry.call(world, from, to, frame);
    };
    world.link(a, b);
    world.pass(2000);
    expect(sent.reduce((sum, length) => sum + length, 0)).toBe(1300);
    expect(Math.max(...sent)).toBeLessThanOrEqual(512);
  });
});

describe('an acknowledgement', () => {
  /** A record is stored at the first gateway while nothing is delivered. */
  const stored = () => {
    const given = cast({ request: { replicas: 1 } });
    const [board] = given.boards as [PaperBoard];
    board.use(board.leases[0]!, { kind: 'open' });
    return { ...given, board, ack: () => board.acks.at(-1)! };
  };

  test('says stored at once, and replicated only after a peer has countersigned', () => {
    const { world, ack } = stored();
    expect([ack().stored.seq, ack().replicated]).toEqual([1, 0]);
    world.clock.pass(500);
    expect(ack().replicated).toBe(0);
    // At the next look the entries go out, are stored there, and nothing has come back.
    const sent = world.waiting;
    expect(sent).toBeGreaterThan(0);
    for (let i = 0; i < 100 && ack().replicated === 0; i++) world.deliver(0);
    expect(ack()).toMatchObject({ replicated: 1 });
    expect(world.violations).toEqual([]);
  });

  test('does not say replicated when the entries arrived and the answer was lost', () => {
    const { world, ack, board } = stored();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    world.cut(a, c);
    const { carry } = world;
    world.carry = (from, session, frame) => {
      if (from === a || frame.kind !== 'have') carry.call(world, from, session, frame);
    };
    world.pass(1000);
    expect(b.log(a.id)).toEqual(a.log());
    expect(ack().replicated).toBe(0);
    world.carry = carry;
    world.cut(a, b);
    world.heal();
    expect(ack().replicated).toBe(1);
    expect(board.outbox).toEqual([]);
  });

  test('of what was stored before a gateway began anew comes when a peer has countersigned it', () => {
    const { world, board, ack } = stored();
    const [a] = world.nodes as [Node];
    a.stop();
    a.start();
    board.node = null;
    board.connect(a);
    expect(ack()).toMatchObject({ stored: { seq: 1 }, replicated: 0 });
    world.heal();
    expect(ack()).toMatchObject({ stored: { seq: 1 }, replicated: 1 });
    expect(board.outbox).toEqual([]);
  });

  test('at another home counts what the former one had stored', () => {
    const { world, board, ack } = stored();
    const [a, b] = world.nodes as [Node, Node];
    world.pass(1000);
    world.isolate(a);
    board.connect(b);
    world.pass(500);
    expect(board.welcome?.known.seq).toBe(1);
    expect(ack()).toMatchObject({ stored: { seq: 1 }, replicated: 1, gateway: b.id });
  });

  test('in a federation of one says both at once', () => {
    const alone = operatorDoc({ gateways: operatorDoc().gateways.slice(0, 1) });
    const world = new GatewayWorld(['gateway a'], sealMany(operatorNoun, alone, ROOTS.map(keyOf)));
    const board = new PaperBoard('board 1');
    board.pair(world.node(0));
    board.connect(world.node(0));
    board.use('a'.repeat(32) as never, { kind: 'open' });
    expect(board.acks.at(-1)).toMatchObject({ stored: { seq: 1 }, replicated: 1 });
  });
});

describe('a gateway does not take', () => {
  /** Entries in the name of gateway a, as gateway b might pass them on to c. */
  const passing = (change: (log: LogEntry[]) => { entries: Uint8Array[]; head: string; from?: number }) => {
    const { world } = cast();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    const before = c.log(a.id).length;
    const session = world.sessionOf(c, b);
    const { entries, head, from = 0 } = change(a.log());
    c.submit({ kind: 'peer-frame', session, gateway: b.id, frame: { kind: 'entries', author: a.id, from, entries, head } });
    return { world, a, b, c, before };
  };
  const voucherAt = (log: LogEntry[], seq = log.length): LogEntry => ({
    ...log[0]!,
    seq,
    kind: 'voucher',
    body: signedVoucher({ serial: 99 }).body,
  });

  test('entries under a head that another key signed', () => {
    const { a, c, before } = passing((log) => sealedLog(testCrypto, [...log, voucherAt(log)], keyOf('gateway b')));
    expect(said(c, /bad-signature/)).toBe(true);
    expect(c.log(a.id)).toHaveLength(before);
  });

  test('a log that does not lead to its signed head: a fork', () => {
    const { a, c, before } = passing((log) => {
      const { head } = sealedLog(testCrypto, [...log, voucherAt(log)], keyOf('gateway a'));
      return { entries: [...log, { ...voucherAt(log), wallMs: 1 }].map(entryBytes), head };
    });
    expect(said(c, /fork/)).toBe(true);
    expect(c.log(a.id)).toHaveLength(before);
  });

  test('a second history of the same length: a fork, which its own signature proves', () => {
    const { c } = passing((log) => sealedLog(testCrypto, log.with(-1, { ...log.at(-1)!, wallMs: 1 }), keyOf('gateway a')));
    expect(said(c, /fork: .* signed two heads of size/)).toBe(true);
  });

  test('a history that goes on from another past: a fork', () => {
    const { a, c, before } = passing((log) =>
      sealedLog(testCrypto, [...log.with(-1, { ...log.at(-1)!, wallMs: 1 }), voucherAt(log)], keyOf('gateway a')),
    );
    expect(said(c, /fork/)).toBe(true);
    expect(c.log(a.id)).toHaveLength(before);
  });

  test('entries beyond a gap', () => {
    const { c } = passing((log) => ({ ...sealedLog(testCrypto, [...log, voucherAt(log)], keyOf('gateway a')), from: log.length + 1 }));
    expect(said(c, /conflict: entries from/)).toBe(true);
  });

  test("an entry that is not in its place, or another author's", () => {
    for (const wrong of [{ seq: 0 }, { author: OPERATOR as never }]) {
      const { c, a, before } = passing((log) => sealedLog(testCrypto, [...log, { ...voucherAt(log), ...wrong }], keyOf('gateway a')));
      expect(said(c, /bad-schema|wrong|place/)).toBe(true);
      expect(c.log(a.id)).toHaveLength(before);
    }
  });

  test('more of its own log than it has: its store is an old copy, and it says so', () => {
    const { world } = cast();
    const [a, b] = world.nodes as [Node, Node];
    const old = a.disk.copy();
    a.accept(signedVoucher({ serial: 5 }).body);
    world.pass(1000);
    a.stop();
    a.disk = old;
    a.start();
    world.link(a, b);
    world.pass(1000);
    expect(said(a, /fork/)).toBe(true);
  });

  test('nor does it serve anyone from then on: its boards go elsewhere', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const [a, b] = world.nodes as [Node, Node];
    const [board] = boards as [PaperBoard];
    const claim = a.claim();
    const old = a.disk.copy();
    a.accept(signedVoucher({ serial: 5 }).body);
    world.pass(1000);
    world.isolate(a);
    a.stop();
    a.disk = old;
    a.start();
    // Nobody has told it yet.
    board.connect(a);
    board.drops.length = 0;
    world.pass(100);
    expect(board.drops).toEqual([]);
    world.link(a, b);
    world.pass(1000);
    expect(board.drops.map(({ code }) => code)).toContain('storage-broken');
    expect(said(a, /older copy/)).toBe(true);
    expect(new PaperBoard('board 9').pair(a, claim)).toMatchObject({ code: 'storage-broken' });
    // Nor after a restart, with no peer in reach.
    world.isolate(a);
    a.stop();
    a.start();
    board.connect(a);
    world.pass(1000);
    expect(board.drops.filter(({ code }) => code === 'storage-broken').length).toBeGreaterThan(1);
  });

  test('but a peer cannot say so of it: only its own signature counts', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const [a, b] = world.nodes as [Node, Node];
    const [board] = boards as [PaperBoard];
    board.connect(a);
    const head = { author: a.id, size: 999, root: new Uint8Array(32) };
    const cosigned = signCheckpoint(testCrypto, head, keyOf('gateway b'), b.id);
    const session = world.sessionOf(a, b);
    a.submit({ kind: 'peer-frame', session, gateway: b.id, frame: { kind: 'have', vector: {}, cosigned } });
    world.pass(1000);
    expect(said(a, /fork: .* countersigned a log of ours that we do not have/)).toBe(true);
    expect(said(a, /older copy/)).toBe(false);
    expect(board.drops).toEqual([]);
  });

  test('a countersignature of a head that its log never had', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const [a, b, c] = world.nodes as [Node, Node, Node];
    const [board] = boards as [PaperBoard];
    world.isolate(a);
    const old = a.disk.copy();
    board.use(board.leases[0]!, { kind: 'open' });
    world.link(a, b);
    world.pass(500);
    // The first gateway loses its newest writes and goes on from there; the second one holds what it had written before.
    world.isolate(a);
    a.stop();
    a.disk = old;
    a.start();
    a.accept(signedVoucher({ serial: 6 }).body, signedVoucher({ serial: 7 }).body, signedVoucher({ serial: 8 }).body);
    world.link(a, b);
    world.pass(500);
    expect(said(a, /fork: .* countersigned a log of ours that we do not have/)).toBe(true);
    board.connect(a);
    board.use(board.leases[0]!, {});
    expect(board.acks.at(-1)?.replicated ?? 0).toBeLessThanOrEqual(1);
    expect(world.isLinked(a, c)).toBe(false);
  });

  test('anything from a peer whose key was revoked, and takes what it logged before from others', () => {
    const { world } = cast();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    world.isolate(c);
    a.accept(signedVoucher({ serial: 5 }).body);
    world.pass(500);
    world.isolate(a);
    b.accept(secondOperator({ revoked: [keyOf('gateway a').publicKey] }).body);
    world.link(b, c);
    world.pass(1000);
    expect(c.log(a.id)).toEqual(a.log());
    a.accept(signedVoucher({ serial: 6 }).body);
    world.link(a, c);
    world.pass(1000);
    expect(c.log(a.id)).toHaveLength(a.log().length - 1);
    expect(said(c, /revoked-key/)).toBe(true);
    expect(c.reached.map(({ gateway }) => gateway)).toEqual([b.id]);
  });
});

describe('entries that stand on others', () => {
  test('wait for them, and are taken when they come', () => {
    const { world } = cast();
    const [a, b, c] = world.nodes as [Node, Node, Node];
    // The second gateway hears of the voucher's tenant only from the first, which the third does not hear.
    world.isolate(c);
    a.admit('tenant', 'tenant 2');
    world.pass(500);
    b.accept(signedVoucher({ serial: 50 }).body);
    world.pass(500);
    const late = b.log().at(-1)!;
    const { entries, head } = sealedLog(testCrypto, b.log(), keyOf('gateway b'));
    world.link(b, c);
    const session = world.sessionOf(c, b);
    c.submit({ kind: 'peer-frame', session, gateway: b.id, frame: { kind: 'entries', author: b.id, from: 0, entries, head } });
    expect(hex(c.log(b.id).at(-1)!.body)).toBe(hex(late.body));
    world.heal();
    expect(c.pending).toEqual([]);
    expect(c.view()).toEqual(a.view());
  });

  test('and turn out to contradict them are noticed when they do', () => {
    const { world, boards } = cast({ request: { replicas: 1 } });
    const [a, b, c] = world.nodes as [Node, Node, Node];
    const [board] = boards as [PaperBoard];
    world.isolate(c);
    board.use(board.leases[0]!, { kind: 'open' });
    const clone = { end: board.end };
    board.use(board.leases[0]!);
    world.pass(500);
    // The second history is told to the second gateway, and the third hears of it before it hears of the first.
    Object.assign(board, clone).connect(b);
    board.use(board.leases[0] ?? ('a'.repeat(32) as never), { monoMs: 77 });
    const { carry } = world;
    world.carry = (from, session, frame) => {
      if (session !== world.sessionOf(from, c) || frame.kind !== 'entries' || frame.author !== a.id)
        carry.call(world, from, session, frame);
    };
    world.link(b, c);
    world.pass(500);
    const isQuarantined = (node: Node): boolean | undefined => node.read((work) => boardRows.get(work, board.id))?.quarantined;
    expect([isQuarantined(b), isQuarantined(c), c.pending.length > 0]).toEqual([true, false, true]);
    world.carry = carry;
    world.cut(b, c);
    world.heal();
    expect(world.nodes.map(isQuarantined)).toEqual([true, true, true]);
    expect(c.pending).toEqual([]);
  });
});
