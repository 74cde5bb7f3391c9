/** What goes only where it is lent, beside what it is linked to, and where its port is free. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { NetworkWish } from '../../../runtime/protocol/nouns/reach.ts';
import type { Manifest } from '../../../runtime/protocol/nouns/release.ts';
import type { Binding, Request } from '../../../runtime/protocol/nouns/request.ts';
import { idOf, signedBinding, signedRequest, signedVoucher } from '../../support/federation.ts';
import { type Cast, cast } from '../../support/gateway-cast.ts';
import { OFFER as PAPER_OFFER, type PaperBoard } from '../../support/paper-board.ts';
import { smallRelease } from '../../support/small-release.ts';

const NETWORK: NetworkWish = { outbound: [], dns: false, links: [], publish: [] };
const WEB: NetworkWish = { ...NETWORK, publish: [{ name: 'web', port: 80, protocol: 'tcp' }] };
const LINKED: NetworkWish = { ...NETWORK, links: [{ name: 'db', port: 5432, protocol: 'tcp' }] };
const OFFER = { grants: ['links', 'internet', 'gpio'], ports: { first: 8000, last: 8015 } };

/** `lent`: by the owners' signatures, a board each. */
const lending = (lent: string[][], offer: Cast['boards'][number]['offer'] | object = OFFER): Cast => {
  const found = cast({ boards: lent.map((_, at) => `board ${at + 1}`), offer });
  lent.forEach((grants, at) => bind(found, at, grants));
  found.world.pass(500);
  return found;
};
const bind = ({ world }: Cast, at: number, grants: string[], version = 2): void => {
  const policy: Binding['policy'] = { partitions: 8, labels: [], grants };
  world.node(0).accept(signedBinding(`board ${at + 1}`, { version, policy }).body);
};
const push = ({ world }: Cast, changes: Partial<Manifest>, asked: Partial<Request>) => {
  const release = smallRelease({ recipe: asked.name ?? 'echo', ...changes });
  world.node(0).accept(release.document, ...release.content.values(), signedVoucher({ name: asked.name ?? 'echo' }).body);
  const said = world.node(0).push(signedRequest({ release: release.release, replicas: 1, ...asked }).body);
  world.pass(1500);
  return said;
};
const on = (board: PaperBoard | undefined): string[] => board?.leases.map(({ name }) => name).sort() ?? [];
const lacksOf = ({ world }: Cast, name: string): string[] =>
  (world.node(0).json('requests') as { name: string; lacks: string[] }[]).find((row) => row.name === name)?.lacks ?? [];

describe('what is lent', () => {
  test('takes the word of the board and of its owner, each in its own document [network-1]', () => {
    const found = lending([[], ['gpio'], ['i2c']]);
    expect(push(found, { devices: ['gpio'] }, { name: 'reader', replicas: 3 })).toMatchObject({ ok: true });
    expect(found.boards.map(on)).toEqual([[], ['reader'], []]);
    expect(push(found, { devices: ['i2c'] }, { name: 'chip' })).toMatchObject({ ok: true });
    expect(found.boards.flatMap(on)).toEqual(['reader']);
    expect(lacksOf(found, 'chip')).toEqual(['no board lends i2c']);
    expect(lacksOf(found, 'reader')).toEqual([
      '1 board is taken by it already: each instance is on a board of its own',
      '2 boards are not lending gpio',
    ]);
  });

  test('is waited for, and taken up when the owner signs', () => {
    const found = lending([[]]);
    push(found, { network: { ...NETWORK, dns: true } }, { name: 'caller' });
    expect(lacksOf(found, 'caller')).toEqual(['no board lends internet']);
    bind(found, 0, ['internet'], 3);
    found.world.pass(1500);
    expect(on(found.boards[0])).toEqual(['caller']);
  });

  test('is asked of one board, and said to be lacking there at once', () => {
    const found = lending([['gpio']]);
    const asked = { name: 'reader', filter: { board: idOf<Request['filter']['board'] & string>('board 1') } };
    expect(push(found, { devices: ['camera'] }, asked)).toMatchObject({ ok: false, code: 'not-offered' });
    expect(push(found, { devices: ['gpio'], sequence: 2 }, asked)).toMatchObject({ ok: true });
  });
});

describe('a rate of reading and writing', () => {
  const { limits } = smallRelease().manifest;
  const slow = { limits: { ...limits, writeKibPerS: 512 } };

  test('is asked of boards whose kernel holds an instance to it', () => {
    const found = lending([[]], { enforces: { ...PAPER_OFFER.enforces, io: true } });
    expect(push(found, slow, { name: 'writer' })).toMatchObject({ ok: true });
    expect(on(found.boards[0])).toEqual(['writer']);
    expect(found.boards[0]?.leases[0]?.limits.writeKibPerS).toBe(512);
  });

  test('is said to be lacking where none does', () => {
    const found = lending([[]]);
    push(found, slow, { name: 'writer' });
    expect(on(found.boards[0])).toEqual([]);
    expect(lacksOf(found, 'writer')).toEqual(['no board limits how fast its card is read and written']);
  });
});

describe('a link', () => {
  test('brings an instance beside the one that it is linked to, and waits for it [network-8]', () => {
    const found = lending([[], [], []]);
    expect(push(found, { network: LINKED }, { name: 'shop', links: { db: 'stock' } })).toMatchObject({ ok: true });
    expect(found.boards.flatMap(on)).toEqual([]);
    expect(lacksOf(found, 'shop')).toEqual(['it is to be beside stock, which has no board']);
    push(found, {}, { name: 'stock' });
    found.world.pass(3000);
    const home = found.boards.find((board) => on(board).includes('stock'));
    expect(on(home)).toEqual(['shop', 'stock']);
  });

  test('in a circle is refused, with the way round', () => {
    const found = lending([[]]);
    push(found, { network: LINKED }, { name: 'a', links: { db: 'b' } });
    expect(push(found, { network: LINKED }, { name: 'b', links: { db: 'a' } })).toMatchObject({
      ok: false,
      code: 'conflict',
      why: expect.stringContaining('b → a → b'),
    });
    expect(push(found, { network: LINKED }, { name: 'c', links: { db: 'c' } })).toMatchObject({ ok: false, code: 'bad-schema' });
    expect(push(found, { network: LINKED, sequence: 2 }, { name: 'd', links: { cache: 'a' } })).toMatchObject({
      ok: false,
      code: 'bad-schema',
    });
  });
});

describe('a published port', () => {
  test('is on one board one instance’s, so the next goes to another board [network-10]', () => {
    const found = lending([[], []]);
    for (const name of ['one', 'two', 'three'])
      expect(push(found, { network: WEB }, { name, publish: { web: 8001 } })).toMatchObject({ ok: true });
    expect(found.boards.map((board) => on(board).length)).toEqual([1, 1]);
    expect(lacksOf(found, 'three')).toEqual(['no board has port 8001/tcp free']);
    expect(lacksOf(found, 'one')).toEqual([]);
    push(found, { network: WEB }, { name: 'four', publish: { web: 8002 } });
    push(found, { network: WEB }, { name: 'five' });
    expect(found.boards.flatMap(on)).toHaveLength(4);
  });

  test('that is taken or not offered is refused to whoever is bound to that board', () => {
    const found = lending([[]]);
    expect(push(found, { network: WEB }, { name: 'one', publish: { web: 8001 } })).toMatchObject({ ok: true });
    const there = { filter: { board: idOf<Request['filter']['board'] & string>('board 1') } };
    expect(push(found, { network: WEB }, { name: 'two', publish: { web: 8001 }, ...there })).toMatchObject({
      ok: false,
      code: 'conflict',
      why: expect.stringContaining('port 8001'),
    });
    expect(push(found, { network: WEB, sequence: 2 }, { name: 'two', publish: { web: 22 }, ...there })).toMatchObject({
      ok: false,
      code: 'not-offered',
    });
    expect(push(found, { network: WEB, sequence: 3 }, { name: 'two', publish: { web: 8002 }, ...there })).toMatchObject({ ok: true });
    // One that runs asks for another port, live, and may keep its own.
    const change = (sequence: number, port: number) => {
      const [lease] = found.boards[0]?.leases.filter(({ name }) => name === 'two') ?? [];
      const body = signedRequest({ name: 'two', replicas: 1, sequence, publish: { web: port }, release: lease!.release, ...there }).body;
      return found.world.node(0).push(body);
    };
    expect(change(2, 8001)).toMatchObject({ ok: false, code: 'conflict' });
    expect(change(3, 8002)).toMatchObject({ ok: true });
    expect(change(4, 8003)).toMatchObject({ ok: true });
    expect(found.boards[0]!.leases.every(({ term }) => term === 1)).toBe(true);
    expect(hex(found.boards[0]!.leases[0]!.release)).toMatch(/^[0-9a-f]{64}$/);
  });
});
