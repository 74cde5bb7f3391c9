/** What boards bring of leases that nobody else may know. */
import { describe, expect, test } from 'vitest';
import { documents, leases, requests, vouchers } from '../../../gateway/core/tables.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { BoardId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { encodeAs, seal } from '../../../runtime/protocol/noun.ts';
import { type Lease, leaseIdOf, leaseNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { type Bring, bring } from '../../../runtime/protocol/nouns/messages.ts';
import type { Request } from '../../../runtime/protocol/nouns/request.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { demand, idOf, request, signedRequest, signedVoucher } from '../../support/federation.ts';
import { cast } from '../../support/gateway-cast.ts';
import { type GatewayWorld, type Node, SILENCE_MS } from '../../support/gateway-world.ts';
import type { PaperBoard } from '../../support/paper-board.ts';
import { smallRelease } from '../../support/small-release.ts';

const LONE = request({ name: 'lone' });
const PATIENCE_MS = LONE.patienceMs;

/** Asked for, leased and begun at a gateway that nobody hears, which is gone then; another board is free. */
const lost = (
  asked: Partial<Request> = {},
  ...pushed: Uint8Array[]
): { world: GatewayWorld; board: PaperBoard; lease: Lease; all: Bring; next: Node } => {
  const { world, boards } = cast({ boards: ['board 1', 'board 2'], at: [0, 1] });
  const [first, next, board] = [world.node(0), world.node(1), boards[0]!];
  world.isolate(first);
  // Until it takes no board of theirs.
  world.pass(2 * SILENCE_MS);
  first.accept(...pushed, ...demand('lone', { replicas: 1, ...asked }));
  world.pass(500);
  const [lease] = board.leases;
  const assigned = board.desired!.leases[0]!;
  board.use(lease!, { kind: 'open' });
  const held = (hash: Uint8Array): Uint8Array => first.read((work) => documents.get(work, hex(hash)))!;
  const all = { v: 1 as const, lease: assigned.lease, request: held(assigned.request), voucher: held(lease!.voucher) };
  first.stop();
  return { world, board, lease: lease!, all, next };
};
const logged = (node: Node, kind: string): number => node.log().filter((entry) => entry.kind === kind).length;

describe('what a board brings', () => {
  test('goes on at a home that never heard of it, also after a long while, and is passed on [metering-11]', () => {
    const { world, board, lease, all, next } = lost();
    world.pass(2 * PATIENCE_MS);
    board.brings = [all];
    board.heard.length = 0;
    board.connect(next);
    world.pass(1000);
    expect(board.leases).toEqual([lease]);
    // Not for a moment was it to end, and nobody else was given it.
    expect(board.heard.filter(({ topic }) => topic === 'desired')).toHaveLength(1);
    for (const node of [next, world.node(2)]) {
      expect(node.read((work) => requests.get(work, lease.request))?.doc.name).toBe('lone');
      expect(node.read((work) => vouchers.get(work, hex(lease.voucher)))?.name).toBe('lone');
      expect(node.read((work) => leases.get(work, lease.lease))?.doc).toEqual(lease);
      expect(node.read((work) => leases.all(work)).filter(({ value }) => value.doc.request === lease.request)).toHaveLength(1);
    }
  });

  test('runs on where its release is, and what else is asked for waits for that, and is told so', () => {
    const release = smallRelease({ sequence: 2 });
    const asked = { replicas: 2, release: release.release, parameters: {} };
    const { world, board, lease, all, next } = lost(asked, release.document, ...release.content.values());
    board.brings = [all];
    board.connect(next);
    world.pass(1000);
    expect(board.leases).toEqual([lease]);
    expect(next.json('requests')).toMatchObject([
      { name: 'lone', leases: [lease.lease, null], lacks: ['its release has not come to this gateway: push it'] },
    ]);
    next.accept(release.document, ...release.content.values());
    world.pass(1000);
    expect(next.json('requests')).toMatchObject([{ leases: [lease.lease, expect.any(String)], lacks: [] }]);
  });

  test('is logged once, however often it comes, and what has ended may come after the hello', () => {
    const { world, board, lease, all, next } = lost();
    board.connect(next);
    world.pass(1000);
    expect(board.leases).toEqual([]);
    for (let i = 0; i < 2; i++) {
      board.say('bring', encodeAs(bring, all, 'bring'));
      world.pass(1000);
    }
    expect(board.leases).toEqual([lease]);
    expect(['lease', 'request', 'voucher'].map((kind) => logged(next, kind))).toEqual([1, 1, 1]);
  });

  /** Under terms that no gateway has heard of. */
  const unheard = (of: Lease, change: Partial<Lease>, signer: string): Uint8Array => {
    const terms = { ...of, term: 99, ...change };
    return seal(leaseNoun, { ...terms, lease: leaseIdOf(testCrypto, terms) }, keyOf(signer));
  };

  test.each<[string, (lease: Lease) => Uint8Array, RegExp]>([
    ['that another signed', (lease) => unheard(lease, {}, 'stranger'), /wrong-signer/],
    ['of another board', (lease) => unheard(lease, { board: idOf<BoardId>('board 2') }, 'gateway a'), /wrong-signer/],
    ['that is none', () => new Uint8Array(9), /brought by/],
  ])('is not taken with a lease %s', (_what, leaseOf, why) => {
    const { world, board, lease, all, next } = lost();
    board.brings = [{ ...all, lease: leaseOf(lease) }];
    board.connect(next);
    world.pass(1000);
    expect(['lease', 'request'].map((kind) => logged(next, kind))).toEqual([0, 0]);
    expect(next.journal.some((line) => why.test(line))).toBe(true);
    expect(board.heard.some(({ topic }) => topic === 'desired')).toBe(true);
  });

  test.each<[string, Partial<Bring>, RegExp, string[]]>([
    ['a request for something else', { request: signedRequest({ name: 'other' }).body }, /is not for/, ['lease', 'voucher']],
    ['a request that another signed', { request: signedRequest({ name: 'lone' }, 'stranger').body }, /wrong-signer/, ['lease', 'voucher']],
    ['another voucher', { voucher: signedVoucher({ name: 'lone', serial: 2 }).body }, /does not name/, ['lease', 'request']],
  ])('is taken without %s', (_what, change, why, kinds) => {
    const { world, board, all, next } = lost();
    board.brings = [{ ...all, ...change }];
    board.connect(next);
    world.pass(1000);
    expect(['lease', 'request', 'voucher'].filter((kind) => logged(next, kind) > 0)).toEqual(kinds);
    expect(next.journal.some((line) => why.test(line))).toBe(true);
  });

  test('is no more before a hello than a board can hold', () => {
    const { world, board, all, next } = lost();
    board.brings = Array.from({ length: LIMITS.partitionsPerBoard + 1 }, () => all);
    board.connect(next);
    world.pass(1000);
    expect(next.unsettled.map(({ code }) => code)).toEqual(['too-many']);
  });
});
