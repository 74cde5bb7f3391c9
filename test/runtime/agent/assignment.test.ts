/** What a board lets a gateway tell it to run, and what it never does. */
import { describe, expect, test } from 'vitest';
import { fileKey } from '../../../runtime/core/content.ts';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { BoardId, GatewayId, PublisherId } from '../../../runtime/protocol/ids.ts';
import { seal, sealMany } from '../../../runtime/protocol/noun.ts';
import { leaseNoun } from '../../../runtime/protocol/nouns/lease.ts';
import { requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { operatorNoun, type PublisherDoc, publisherNoun, trustId } from '../../../runtime/protocol/nouns/trust.ts';
import { BOARD, BoardWorld, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, idOf, lease, operatorDoc, ROOTS, request } from '../../support/federation.ts';
import { nextPublisher, publisherDoc, signedPublisher, smallRelease } from '../../support/small-release.ts';

const OTHERS = ['another root', 'another root 2'];
const anotherPublisher = (): PublisherDoc => {
  const doc = publisherDoc({ roots: OTHERS.map((name) => keyOf(name).publicKey) });
  return { ...doc, publisher: trustId(testCrypto, 'publisher', doc) as PublisherId };
};

const said = (world: BoardWorld, what: RegExp): boolean => world.journal.some((line) => what.test(line));
const idle = (world: BoardWorld): void => expect(world.engine.did('start')).toEqual([]);
const paired = (): BoardWorld => new BoardWorld().pair();

describe('an assignment is refused', () => {
  const told = (forge: BoardWorld['gateways'][number]['forge'], why: RegExp): void => {
    const world = paired().pass(2000);
    const one = placed(world);
    world.linked!.forge = forge;
    world.assign(one).pass(2000);
    expect(said(world, why)).toBe(true);
    expect(world.instance(one.lease)).toBeNull();
  };

  test('when another gateway of the federation signed it', () =>
    told({ by: 'gateway c', desired: { gateway: idOf<GatewayId>('gateway c') } }, /wrong-signer/));
  test('when another key signed it in the name of the home', () => told({ by: 'gateway c' }, /wrong-signer/));
  test("when it is another board's", () => told({ desired: { board: idOf<BoardId>('board 2') } }, /wrong-signer/));
  test('when it is of another tenure', () => {
    told({ desired: { tenure: 2 } }, /desired refused: stale/);
    told({ desired: { tenure: 7 } }, /desired refused: stale/);
  });

  test('when a newer one is known', () => {
    const world = paired();
    const one = placed(world);
    world.assign(one).pass(3000);
    world.linked!.seq -= 1;
    world.linked!.assigned = [];
    world.message('desired', world.linked!.desired(BOARD, world.tenure));
    world.pass(2000);
    expect(said(world, /desired refused: stale/)).toBe(true);
    expect(world.engine.cells.get(one.lease.lease)?.running).toBe(true);
  });

  test('but the same one again changes nothing', () => {
    const world = paired();
    const one = placed(world);
    world.assign(one).pass(3000);
    for (let i = 0; i < 3; i++) world.message('desired', world.linked!.desired(BOARD, world.tenure));
    world.pass(3000);
    expect([world.engine.did('start').length, world.engine.did('stop').length]).toEqual([1, 0]);
  });
});

describe('of an assignment', () => {
  test('a lease for another board is left out, and the others run', () => {
    const world = paired();
    const good = placed(world);
    const bad = { assigned: { ...good.assigned, lease: seal(leaseNoun, lease({ on: 'board 2' }), keyOf('gateway a')) } };
    world.assign(bad, good).pass(3000);
    expect(said(world, /lease refused: unassigned/)).toBe(true);
    expect(world.engine.did('start')).toEqual([good.lease.lease]);
  });

  test('a lease that no listed gateway signed is left out', () => {
    const world = paired();
    const good = placed(world);
    const forged = placed(world, { lease: { index: 1 } });
    forged.assigned.lease = seal(leaseNoun, forged.lease, keyOf('stranger'));
    const garbled = { assigned: { ...good.assigned, lease: new Uint8Array([0xd2, 0x80]) } };
    world.assign(forged, garbled, good).pass(3000);
    expect(world.engine.did('start')).toEqual([good.lease.lease]);
  });

  test('a lease that was taken runs on when its guardian is retired, and a new one of its is taken too', () => {
    const world = paired();
    const first = placed(world);
    world.assign(first).pass(3000);
    const doc = operatorDoc({ version: 2, retired: [idOf<GatewayId>('gateway a')] });
    for (const gateway of world.gateways) gateway.operators = [sealMany(operatorNoun, doc, ROOTS.map(keyOf))];
    const second = placed(world, { lease: { index: 1 } });
    world.gateways[0]!.up = false;
    world.cut();
    world.pass(3000);
    world.assign(first, second).pass(3000);
    expect(world.linked?.name).not.toBe('gateway a');
    expect(world.engine.did('start')).toEqual([first.lease.lease, second.lease.lease]);
    expect(world.engine.did('stop')).toEqual([]);
  });

  test('a lease that was taken runs on when the key of its guardian is revoked, and no new one of its is taken', () => {
    const world = paired();
    const first = placed(world);
    world.assign(first).pass(3000);
    const doc = operatorDoc({ version: 2, revoked: [keyOf('gateway a').publicKey] });
    for (const gateway of world.gateways) gateway.operators = [sealMany(operatorNoun, doc, ROOTS.map(keyOf))];
    const second = placed(world, { lease: { index: 1 } });
    world.gateways[0]!.up = false;
    world.cut();
    world.pass(3000);
    world.assign(first, second).pass(3000);
    expect(world.engine.did('start')).toEqual([first.lease.lease]);
    expect(world.engine.cells.get(first.lease.lease)?.running).toBe(true);
    expect(said(world, /lease refused: unassigned/)).toBe(true);
  });
});

describe('a lease that the board has closed', () => {
  test('is not opened again by whoever has not heard of its end, nor after a reboot', () => {
    const world = paired();
    const one = placed(world);
    world.assign(one).pass(3000);
    world.assign().pass(10_000);
    expect(world.instance(one.lease)).toBeNull();
    const last = world.records.at(-1)!;
    expect(last.kind).toBe('close');
    world.assign(one).pass(10_000);
    world.reboot().pass(10_000);
    expect(world.engine.did('start')).toHaveLength(1);
    expect(world.records.at(-1)).toBe(last);
    expect(said(world, new RegExp(`lease refused: stale.* was closed by record ${last.seq}`))).toBe(true);
  });

  test('keeps no other from being taken', () => {
    const world = paired();
    const one = placed(world);
    world.assign(one).pass(3000);
    world.assign().pass(10_000);
    const next = placed(world, { lease: { term: 2 } });
    world.assign(one, next).pass(10_000);
    expect(world.engine.did('start')).toEqual([one.lease.lease, next.lease.lease]);
  });
});

describe('a request', () => {
  /** The gateways assign a lease whose request is not what it should be. */
  const assigned = (change: (world: BoardWorld, one: ReturnType<typeof placed>) => void) => {
    const world = paired();
    const one = placed(world);
    change(world, one);
    world.assign(one).pass(3000);
    return { world, one };
  };
  const state = ({ world, one }: ReturnType<typeof assigned>) => world.state(one.lease);

  test('that its tenant did not sign: told why, and nothing runs until the right one comes', () => {
    const asked = (one: ReturnType<typeof placed>) => request({ release: one.release.release });
    const given = assigned((world, one) => {
      world.hold([hashOf(requestNoun, asked(one)), seal(requestNoun, asked(one), keyOf('gateway a'))]);
      one.assigned.request = hashOf(requestNoun, asked(one));
    });
    expect(said(given.world, /unrequested: tenant .* did not sign it/)).toBe(true);
    expect(state(given)?.state).not.toBe('running');
    idle(given.world);
    expect([given.world.records, given.world.outbox]).toEqual([[], []]);
    given.world.hold([given.one.assigned.request, seal(requestNoun, asked(given.one), keyOf('tenant'))]);
    given.world.pass(20_000);
    expect(state(given)).toMatchObject({ state: 'running', detail: '' });
  });

  test('for another release: refused', () => {
    const given = assigned((world, one) => {
      const other = request();
      world.hold([hashOf(requestNoun, other), seal(requestNoun, other, keyOf('tenant'))]);
      one.assigned.request = hashOf(requestNoun, other);
    });
    expect(state(given)).toMatchObject({ state: 'refused', detail: expect.stringContaining('unrequested') });
    idle(given.world);
  });

  test('older than the one that was obeyed: told why, and what runs runs on as it was', () => {
    const world = paired();
    const one = placed(world, { request: { sequence: 5 } });
    world.assign(one).pass(3000);
    const older = request({ release: one.release.release, sequence: 4, state: 'destroyed' });
    world.hold([hashOf(requestNoun, older), seal(requestNoun, older, keyOf('tenant'))]);
    world.assign({ assigned: { ...one.assigned, request: hashOf(requestNoun, older) } }).pass(3000);
    expect(said(world, /stale: sequence 5 of echo was obeyed, this is 4/)).toBe(true);
    expect(world.engine.did('stop')).toEqual([]);
    world.assign(one).pass(3000);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', detail: '' });
  });

  test('that was refused is forgotten when the right one comes', () => {
    const { world, one } = assigned((held, made) => {
      const asked = request({ release: made.release.release, name: 'other' });
      held.hold([hashOf(requestNoun, asked), seal(requestNoun, asked, keyOf('tenant'))]);
      made.assigned.request = hashOf(requestNoun, asked);
    });
    expect(world.state(one.lease)?.state).toBe('refused');
    const right = placed(world);
    world.assign(right).pass(3000);
    expect(world.state(right.lease)).toMatchObject({ state: 'running', promise: 'held' });
  });
});

describe('a release', () => {
  test('signed by a key that its publisher does not list: refused, and nothing of it is fetched', () => {
    const world = paired();
    const one = placed(world, { release: smallRelease({}, { by: 'stranger' }) });
    world.assign(one).pass(3000);
    expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('wrong-publisher') });
    idle(world);
    expect([world.files.steps, world.records]).toEqual([[], []]);
  });

  test('signed by a key of a later version: every version is asked for', () => {
    const world = paired();
    const second = nextPublisher(publisherDoc(), { keys: [keyOf('new key').publicKey], revoked: [keyOf('release key').publicKey] });
    const third = nextPublisher(second, { name: 'third' });
    const one = placed(world, { release: smallRelease({}, { by: 'new key' }), lease: { publisher: hashOf(publisherNoun, third) } });
    for (const doc of [second, third]) world.hold([hashOf(publisherNoun, doc), signedPublisher(doc)]);
    world.assign(one).pass(3000);
    expect(world.state(one.lease)).toMatchObject({ state: 'running', promise: 'held' });
    const old = placed(world, { release: smallRelease({ recipe: 'old' }), lease: { index: 1, publisher: hashOf(publisherNoun, third) } });
    world.assign(one, old).pass(3000);
    expect(world.state(old.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('wrong-publisher') });
  });

  test('that one lease names a wrong publisher for does not keep another lease of it from running', () => {
    const world = paired();
    // Others come before it, by their ids.
    const good = [8, 9, 10, 11, 12, 13]
      .map((index) => placed(world, { lease: { index } }))
      .sort((a, b) => (a.lease.lease < b.lease.lease ? 1 : -1))[0]!;
    const other = anotherPublisher();
    world.hold([hashOf(publisherNoun, other), sealMany(publisherNoun, other, OTHERS.map(keyOf))]);
    const bads = [1, 2, 3, 4, 5, 6, 7].map((index) => placed(world, { lease: { index, publisher: hashOf(publisherNoun, other) } }));
    world.assign(good, ...bads).pass(3000);
    expect(bads.filter((bad) => bad.lease.lease < good.lease.lease).length).toBeGreaterThan(0);
    expect(world.engine.did('start')).toEqual([good.lease.lease]);
    expect(world.state(good.lease)?.promise).toBe('held');
    for (const bad of bads)
      expect(world.state(bad.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('wrong-publisher') });
    expect(world.records.every(({ lease: id }) => id === good.lease.lease)).toBe(true);
    world.assign(...bads).pass(6000);
    expect(world.instance(good.lease)).toBeNull();
    world.assign().pass(6000);
    for (const bad of bads) expect(world.instance(bad.lease)).toBeNull();
  });

  test.each([
    ['whose pages are not a tree', 'bad-path', [[{ kind: 'link', path: 'out', target: '../../etc' }]]],
    [
      'whose pages list one path twice',
      'bad-path',
      [
        [
          { kind: 'dir', path: 'a' },
          { kind: 'dir', path: 'a' },
        ],
      ],
    ],
  ] as const)('%s: refused', (_what, code, tree) => {
    const world = paired();
    const one = placed(world, { release: smallRelease({}, { tree: tree.map((page) => [...page]) }) });
    world.assign(one).pass(3000);
    expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining(code) });
    idle(world);
  });

  const LIMITED = { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 8, dataMib: 100 };

  test('whose /data has an end, where nothing holds it to that, or where no room is left for it: refused', () => {
    const world = paired();
    const [first, second] = [0, 1].map((index) => placed(world, { release: smallRelease({ limits: LIMITED }), lease: { index } }));
    world.assign(first!).pass(3000);
    expect(world.state(first!.lease), 'over an offer of none').toBeNull();
    expect(world.journal.join()).toContain('no-room');
    world.offer.dataMib = 150;
    world.restart().assign(first!, second!).pass(3000);
    expect(world.state(first!.lease)?.state).toBe('running');
    expect(world.state(second!.lease)).toBeNull();
    expect(world.journal.at(-1)).toContain('150 MiB of data');
  });

  test.each([{ demands: 'full' as const }, { arch: 'arm64' as const }])(
    'that this board cannot run as it demands: refused (%o)',
    (demand) => {
      const world = paired();
      const one = placed(world, { release: smallRelease(demand) });
      world.offer.tier = 'reduced';
      world.restart().assign(one).pass(3000);
      expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('not-offered') });
      idle(world);
    },
  );

  test('whose manifest promises other sizes than its pages hold: refused', () => {
    const world = paired();
    const one = placed(world, { release: smallRelease({ bytes: 1 }) });
    world.assign(one).pass(3000);
    expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('bad-schema') });
    idle(world);
  });

  test('held already by another instance is planted once', () => {
    const world = paired();
    const [one, two] = [placed(world), placed(world, { lease: { index: 1 } })];
    world.assign(one, two).pass(3000);
    expect(world.engine.did('start')).toHaveLength(2);
    expect([world.files.count('plant'), world.files.count('write')]).toEqual([1, 3]);
    expect(new Set(world.files.steps.flatMap((step) => (step.kind === 'seal' ? [fileKey(step.file)] : []))).size).toBe(3);
    expect(world.files.roots).toEqual(new Set([hex(one.release.release)]));
  });
});
