/** Shares of shared instances: who may have one, who is told of it, and that all gateways agree. */
import { describe, expect, test } from 'vitest';
import { equal, hex } from '../../../runtime/protocol/bytes.ts';
import type { TenantId } from '../../../runtime/protocol/ids.ts';
import { seal, unseal } from '../../../runtime/protocol/noun.ts';
import { desiredNoun, type Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { type Request, requestIdOf, requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { type Share, sharedNoun, shareIdOf, shareNoun } from '../../../runtime/protocol/nouns/share.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import {
  hashOf,
  idOf,
  request,
  share,
  signedBinding,
  signedPublisher,
  signedShare,
  signedVoucher,
  TENANT,
} from '../../support/federation.ts';
import { GatewayWorld, type Node } from '../../support/gateway-world.ts';
import { PaperBoard } from '../../support/paper-board.ts';
import { smallRelease } from '../../support/small-release.ts';

const OTHER = idOf<TenantId>('tenant b');
const TAKES = JSON.stringify({ type: 'object', properties: { size: { type: 'integer' } } });
const RELEASE = smallRelease({ reload: 'SIGHUP', shares: { most: 3, parameters: { size: '1' }, parameterSchema: TAKES } });
const PLAIN = smallRelease({ sequence: 2 });

const idFor = ({ host, tenant, name }: Share) => shareIdOf(testCrypto, requestIdOf(testCrypto, host.tenant, host.name), tenant, name);

interface Row {
  share: string;
  refused: string;
  servings: { connection: string | null }[];
}

/** Three gateways, two tenants, a request whose instance is shared, and a board that runs it. */
const stage = (asked: Partial<Request> = {}) => {
  const world = new GatewayWorld().linkAll().pump();
  const first = world.node(0).admit('tenant', 'tenant').admit('tenant', 'tenant b');
  const board = new PaperBoard('board 1');
  board.pair(first);
  first.accept(signedBinding('board 1').body, signedPublisher().body, signedVoucher().body);
  for (const { document, content } of [RELEASE, PLAIN]) first.accept(document, ...content.values());
  const ask = (changes: Partial<Request>): Uint8Array =>
    seal(
      requestNoun,
      request({ release: RELEASE.release, parameters: {}, shares: { most: 2, tenants: null }, ...changes }),
      keyOf('tenant'),
    );
  first.accept(ask(asked));
  world.pump();
  board.connect(first);
  world.pass(2000);
  return { world, first, board, ask };
};

const listedBy = (board: PaperBoard): Uint8Array[] => {
  const last = board.heard.filter(({ topic }) => topic === 'desired').at(-1);
  return last === undefined ? [] : (unseal(testCrypto, desiredNoun, last.payload).value.leases[0]?.shares ?? []);
};

const lists = (board: PaperBoard, ...docs: Share[]): boolean => {
  const listed = listedBy(board);
  return listed.length === docs.length && docs.every((doc, i) => equal(listed[i] ?? new Uint8Array(), hashOf(shareNoun, doc)));
};

const rowOf = (node: Node, doc: Share): Row => (node.json('shares') as Row[]).find((row) => row.share === idFor(doc))!;

describe('a share', () => {
  test('is listed to the board of its host, whichever gateway took it, in its newest word [instances-24]', () => {
    const { world, first, board } = stage();
    world.node(1).accept(signedShare().body);
    world.pass(2000);
    expect(lists(board, share())).toBe(true);
    first.accept(signedShare({ sequence: 2, parameters: { size: '2' } }).body);
    world.pass(2000);
    expect(lists(board, share({ sequence: 2, parameters: { size: '2' } }))).toBe(true);
    first.accept(signedShare({ sequence: 3, state: 'destroyed' }).body);
    world.pass(2000);
    expect(lists(board)).toBe(true);
    for (const node of world.nodes) expect(node.view()).toEqual(first.view());
  });

  test('comes with its document, when the board asks for it', () => {
    const { world, first } = stage();
    world.node(2).accept(signedShare().body);
    world.pass(2000);
    expect(first.view()).toHaveProperty(`document/${hex(hashOf(shareNoun, share()))}`);
  });

  test('is refused where it would not be served: no host, not shared, not for that tenant, amiss, or stale [instances-24]', () => {
    const { first } = stage({ shares: { most: 2, tenants: [] } });
    const says = (changes: Partial<Share>, by = 'tenant'): string => first.push(signedShare(changes, by).body).code;
    expect(says({ host: { tenant: TENANT, name: 'nothing' } })).toBe('not-found');
    expect(says({ tenant: OTHER }, 'tenant b')).toBe('not-shared');
    expect(says({ tenant: OTHER })).toBe('wrong-signer');
    expect(says({ parameters: { size: 'big' } })).toBe('bad-parameter');
    expect(says({ parameters: { colour: 'red' } })).toBe('bad-parameter');
    expect(says({})).toBe('');
    expect(says({})).toBe('');
    expect(says({ parameters: { size: '2' } })).toBe('stale');
    expect(stage({ shares: undefined }).first.push(signedShare().body).code).toBe('not-shared');
  });

  test('of another tenant is taken where the host names that, or anybody', () => {
    for (const tenants of [null, [OTHER]]) {
      const { world, first, board } = stage({ shares: { most: 2, tenants } });
      expect(first.push(signedShare({ tenant: OTHER }, 'tenant b').body).code).toBe('');
      world.pass(2000);
      expect(lists(board, share({ tenant: OTHER }))).toBe(true);
    }
  });

  test('for which there is no room is refused; taken at two gateways that did not hear each other, who came first is served [instances-25]', () => {
    const { world, first, board } = stage();
    first.accept(signedShare({ name: 'a' }).body);
    world.pass(2000);
    world.isolate(world.node(1));
    world.node(1).accept(signedShare({ name: 'b' }).body);
    world.pass(1000);
    first.accept(signedShare({ name: 'c' }).body);
    expect(first.push(signedShare({ name: 'd' }).body).code).toBe('not-shared');
    world.pass(1000);
    expect(lists(board, share({ name: 'a' }), share({ name: 'c' }))).toBe(true);
    world.linkAll().pass(3000);
    expect(lists(board, share({ name: 'a' }), share({ name: 'b' }))).toBe(true);
    for (const node of world.nodes) {
      expect(rowOf(node, share({ name: 'c' })).refused).toContain('echo serves 2 shares, and others came first');
      expect(node.view()).toEqual(first.view());
    }
    first.accept(signedShare({ name: 'a', sequence: 2, state: 'destroyed' }).body);
    world.pass(2000);
    expect(lists(board, share({ name: 'b' }), share({ name: 'c' }))).toBe(true);
  });

  test('waits, and says why, while its host has another release or is destroyed', () => {
    const { world, first, board, ask } = stage();
    first.accept(signedShare().body, ask({ sequence: 2, release: PLAIN.release, shares: undefined }));
    world.pass(2000);
    expect(lists(board)).toBe(true);
    expect(rowOf(first, share()).refused).toContain('echo is not shared');
    first.accept(ask({ sequence: 3 }));
    world.pass(2000);
    expect([lists(board, share()), rowOf(first, share()).refused]).toEqual([true, '']);
    first.accept(ask({ sequence: 4, state: 'destroyed' }));
    expect(rowOf(first, share()).refused).toContain('its host echo has been destroyed');
  });
});

describe('a request that is shared', () => {
  test('is refused when its release cannot be, or serves fewer', () => {
    const { first, ask } = stage();
    expect(first.push(ask({ sequence: 2, release: PLAIN.release })).code).toBe('not-shared');
    expect(first.push(ask({ sequence: 2, shares: { most: 4, tenants: null } })).code).toBe('not-shared');
  });
});

describe('what a board says of shares', () => {
  const leaseOf = (first: Node): Lease['lease'] => (first.json('instances') as { lease: Lease['lease'] }[])[0]!.lease;

  test('is told to whoever asks, by the lease that is its own [instances-26]', () => {
    const { world, first, board } = stage();
    first.accept(signedShare().body);
    world.pass(2000);
    const said = { v: 1 as const, board: board.id, lease: leaseOf(first), monoMs: 1 };
    const shares = [{ share: idFor(share()), connection: '{"url":"a:b"}', detail: '' }];
    board.say('shared', seal(sharedNoun, { ...said, shares }, keyOf('board 1')));
    expect(rowOf(first, share()).servings).toMatchObject([{ connection: '{"url":"a:b"}', index: 0 }]);
    board.say('shared', seal(sharedNoun, { ...said, shares: [] }, keyOf('board 2')));
    expect(first.unsettled.map(({ code }) => code)).toEqual(['wrong-signer']);
    expect(rowOf(first, share()).servings).toHaveLength(1);
  });
});
