/** Shared instances: whom a board lets one serve, how it is told, and what is told back. */
import { describe, expect, test } from 'vitest';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import type { ShareId, TenantId } from '../../../runtime/protocol/ids.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import type { Manifest } from '../../../runtime/protocol/nouns/release.ts';
import { type Request, requestIdOf } from '../../../runtime/protocol/nouns/request.ts';
import { type Share, shareIdOf, shareNoun } from '../../../runtime/protocol/nouns/share.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { hashOf, idOf, share, TENANT } from '../../support/federation.ts';
import { smallRelease } from '../../support/small-release.ts';

const OTHER = idOf<TenantId>('tenant b');
const TAKES = JSON.stringify({ type: 'object', properties: { size: { type: 'integer', maximum: 9 } } });
const SAYS = JSON.stringify({ type: 'object', properties: { url: { type: 'string' } }, required: ['url'] });
const SHARED: Partial<Manifest> = {
  reload: 'SIGHUP',
  shares: { most: 3, parameters: { size: '1' }, parameterSchema: TAKES, connectionSchema: SAYS },
};
const OPEN: Partial<Request> = { shares: { most: 2, tenants: null } };

const idFor = ({ host, tenant, name }: Share): ShareId =>
  shareIdOf(testCrypto, requestIdOf(testCrypto, host.tenant, host.name), tenant, name);

/** All gateways hold it; what it is called by in an assignment. */
const held = (world: BoardWorld, doc: Share, by = doc.tenant === TENANT ? 'tenant' : 'tenant b'): Bytes => {
  const hash = hashOf(shareNoun, doc);
  world.hold([hash, seal(shareNoun, doc, keyOf(by))]);
  return hash;
};

const assign = (world: BoardWorld, one: Placed, ...shares: Bytes[]): void => {
  world.assign({ assigned: { ...one.assigned, shares } }).pass(4000);
};

const begun = (manifest: Partial<Manifest> = SHARED, request: Partial<Request> = OPEN, ...docs: Share[]) => {
  const world = new BoardWorld().pair();
  const one = placed(world, { release: smallRelease(manifest), request });
  assign(world, one, ...docs.map((doc) => held(world, doc)));
  return { world, one };
};

const startedWith = (world: BoardWorld): unknown[] =>
  world.engine.steps.flatMap((step) =>
    step.kind === 'start' ? [step.spec.shares === undefined ? null : JSON.parse(step.spec.shares)] : [],
  );

const toldLater = (world: BoardWorld): { share: string }[][] => world.engine.sharesTold.map((text) => JSON.parse(text ?? 'null'));

const toldBack = (world: BoardWorld) =>
  world.gateways
    .flatMap(({ shared }) => shared)
    .sort((a, b) => a.monoMs - b.monoMs)
    .at(-1)?.shares;

describe('a shared instance', () => {
  test('is started with those that are listed, typed as its release says of a share [instances-25]', () => {
    const mine = share({ parameters: { size: '7' } });
    const theirs = share({ tenant: OTHER });
    const { world } = begun(SHARED, OPEN, mine, theirs);
    const [given] = startedWith(world) as [unknown[]];
    expect(given).toHaveLength(2);
    expect(given).toContainEqual({ share: idFor(mine), tenant: TENANT, name: 'blog', parameters: { size: 7 } });
    expect(given).toContainEqual({ share: idFor(theirs), tenant: OTHER, name: 'blog', parameters: { size: 1 } });
  });

  test('knows that there are none yet, and one that is not shared is given no such file', () => {
    expect(startedWith(begun().world)).toEqual([[]]);
    expect(startedWith(begun({}, {}).world)).toEqual([null]);
  });

  test('is told of one that comes, of another word on it, and of its end, without a restart [instances-25]', () => {
    const { world, one } = begun();
    const doc = share();
    assign(world, one, held(world, doc));
    assign(world, one, held(world, { ...doc, sequence: 2, parameters: { size: '2' } }));
    assign(world, one);
    expect(toldLater(world)).toMatchObject([[{ share: idFor(doc), parameters: { size: 1 } }], [{ parameters: { size: 2 } }], []]);
    expect([world.engine.did('start').length, world.engine.did('stop').length]).toEqual([1, 0]);
  });

  test('hears of many at once by one signal, and of one that does not come no more than the board is patient', () => {
    const { world, one } = begun();
    const lost = hashOf(shareNoun, share({ name: 'lost' }));
    assign(world, one, held(world, share()), lost);
    expect(toldLater(world)).toEqual([]);
    world.pass(15_000);
    expect(toldLater(world)).toMatchObject([[{ name: 'blog' }]]);
    world.hold([lost, seal(shareNoun, share({ name: 'lost' }), keyOf('tenant'))]);
    world.pass(15_000);
    expect(toldLater(world).at(-1)).toHaveLength(2);
  });

  test('serves nobody whom its tenant, its release or a signature does not let in, whatever a gateway lists [instances-24]', () => {
    const mine = share();
    const docs = [
      share({ tenant: OTHER }),
      share({ name: 'big', parameters: { size: '10' } }),
      share({ host: { tenant: TENANT, name: 'other' } }),
    ];
    const { world } = begun(SHARED, { shares: { most: 2, tenants: [] } }, mine, ...docs);
    expect(startedWith(world)).toMatchObject([[{ share: idFor(mine) }]]);
    const stolen = begun();
    assign(stolen.world, stolen.one, held(stolen.world, share({ tenant: OTHER }), 'tenant'));
    expect(toldLater(stolen.world)).toEqual([]);
    stolen.world.pass(20_000);
    expect(toldLater(stolen.world)).toEqual([]);
  });

  test('serves as many as its tenant says, those that are listed first, and tells the others why not', () => {
    const docs = ['a', 'b', 'c'].map((name) => share({ name }));
    const { world } = begun(SHARED, OPEN, ...docs);
    expect((startedWith(world)[0] as { name: string }[]).map(({ name }) => name).sort()).toEqual(['a', 'b']);
    expect(toldBack(world)?.find(({ share: id }) => id === idFor(docs[2]!))?.detail).toBe('not-shared: echo serves 2 shares at most');
  });

  test('never takes an older word for a newer one, also after a power cut', () => {
    const { world, one } = begun();
    const old = held(world, share());
    assign(world, one, held(world, share({ sequence: 2, parameters: { size: '2' } })));
    world.reboot().pass(10_000);
    assign(world, one, old);
    expect(world.journal.some((line) => line.includes('sequence 2 of share blog was obeyed, this is 1'))).toBe(true);
    expect(toldLater(world).at(-1) ?? []).not.toMatchObject([{ parameters: { size: 1 } }]);
  });

  test('never takes one that was destroyed or replaced again, under another lease either [trust-18]', () => {
    const { world, one } = begun(SHARED, OPEN);
    const old = held(world, share());
    assign(world, one, held(world, share({ sequence: 2, state: 'destroyed' })));
    assign(world, one, old);
    expect(toldLater(world).flat()).toEqual([]);
    const next = placed(world, { release: smallRelease(SHARED), request: OPEN, lease: { index: 1 } });
    world.assign({ assigned: { ...one.assigned, shares: [] } }, { assigned: { ...next.assigned, shares: [old] } }).pass(10_000);
    expect(startedWith(world)).toEqual([[], []]);
    expect(toldLater(world).flat()).toEqual([]);
  });

  test('goes on serving them without a gateway, after a power cut and after the runtime began anew', () => {
    const { world } = begun(SHARED, OPEN, share());
    for (const gateway of world.gateways) gateway.up = false;
    world.cut();
    world.reboot().pass(10_000);
    expect(startedWith(world).at(-1)).toMatchObject([{ name: 'blog' }]);
    world.restart().pass(10_000);
    expect([world.engine.did('start').length, world.engine.reloads.length]).toEqual([2, 0]);
    for (const gateway of world.gateways) gateway.up = true;
    world.pass(90_000);
    expect(toldBack(world)).toMatchObject([{ connection: null, detail: '' }]);
  });
});

test('documents of shares are not swept away with those that no instance needs', () => {
  const { world } = begun(SHARED, OPEN, share());
  for (const gateway of world.gateways) gateway.up = false;
  world.cut();
  // A life that ends leaves a sweep behind, and nobody is there to ask for what it takes away.
  world.restart().pass(30 * 60_000);
  world.reboot().pass(10_000);
  expect(startedWith(world).at(-1)).toMatchObject([{ name: 'blog' }]);
});

describe('what a shared instance says', () => {
  test('to each whom it serves is told back, and nothing that it says to others [instances-26]', () => {
    const doc = share();
    const { world } = begun(SHARED, OPEN, doc);
    expect(toldBack(world)).toEqual([{ share: idFor(doc), connection: null, detail: '' }]);
    world.engine.shares = JSON.stringify({ [idFor(doc)]: { url: 'a:b' }, ['a'.repeat(32)]: { url: 'c:d' } });
    world.pass(3000);
    expect(toldBack(world)).toEqual([{ share: idFor(doc), connection: '{"url":"a:b"}', detail: '' }]);
  });

  test('amiss is told to whom it concerns, and a file that is none to its own tenant', () => {
    const docs = ['a', 'b'].map((name) => share({ name }));
    const { world, one } = begun(SHARED, OPEN, ...docs);
    world.engine.shares = JSON.stringify({ [idFor(docs[0]!)]: { url: 'a:b' }, [idFor(docs[1]!)]: { uri: 'a:b' } });
    world.pass(3000);
    const told = toldBack(world)!;
    expect(told.find(({ share: id }) => id === idFor(docs[0]!))?.connection).toBe('{"url":"a:b"}');
    expect(told.find(({ share: id }) => id === idFor(docs[1]!))?.detail).toContain('url');
    world.engine.shares = '[';
    world.pass(15_000);
    expect(world.state(one.lease)?.detail).toBe('bad-connection: shares.json is not JSON');
    expect(toldBack(world)?.every(({ connection }) => connection === null)).toBe(true);
  });

  test('is told again to a gateway that has not heard it', () => {
    const { world } = begun(SHARED, OPEN, share());
    const before = world.gateways.flatMap(({ shared }) => shared).length;
    world.cut();
    world.pass(20_000);
    expect(world.gateways.flatMap(({ shared }) => shared).length).toBeGreaterThan(before);
  });
});
