/** What a board goes by though what taught it that is gone: no publisher, and no request, is ever older again. */
import { describe, expect, test } from 'vitest';
import { newestKnown, noteObeyed, sequenceKnown } from '../../../runtime/agent/remember.ts';
import { updates } from '../../../runtime/core/system-tables.ts';
import { obeyedRequests, publishers } from '../../../runtime/core/tables.ts';
import { fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import type { PublisherId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import { type Request, requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { publisherNoun } from '../../../runtime/protocol/nouns/trust.ts';
import { Draft } from '../../../runtime/turn/draft.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { keyOf } from '../../support/crypto.ts';
import { hashOf, request } from '../../support/federation.ts';
import { openMemoryStore } from '../../support/memory-store.ts';
import { nextPublisher, publisherDoc, type SmallRelease, signedPublisher, smallRelease } from '../../support/small-release.ts';
import { assign, hexOf, slottedWorld, system, upkeep } from '../../support/system.ts';

const first = publisherDoc();
const key = (name: string) => keyOf(name).publicKey;
/** The key that signed all before is revoked. */
const second = nextPublisher(first, { keys: [key('release key'), key('new key')], revoked: [key('release key')] });
const V2 = hashOf(publisherNoun, second);

const paired = (): BoardWorld => {
  const world = new BoardWorld().pair();
  world.hold([V2, signedPublisher(second)]);
  return world;
};
const by = (name: string, recipe: string): SmallRelease => smallRelease({ recipe }, { by: name });
/** What lets the board know of the second version. */
const teaching = (world: BoardWorld, index = 7): Placed =>
  placed(world, { release: by('new key', 'fine'), lease: { index, publisher: V2 } });
const rootOf = ({ release }: SmallRelease): string => `/roots/${hex(release).slice(0, 8)}`;
const stateOf = (world: BoardWorld, { lease }: Placed) => world.state(lease);
const isUp = (world: BoardWorld, { lease }: Placed): boolean => world.engine.cells.get(lease.lease)?.running === true;
const cutOff = (world: BoardWorld): void => {
  for (const gateway of world.gateways) gateway.up = false;
};
const revoked = { state: 'refused', detail: expect.stringContaining('revoked-key') };

describe('a release by a key that its publisher has revoked', () => {
  test('is not begun by a lease that names an older version [trust-15]', () => {
    const world = paired();
    const good = teaching(world);
    world.assign(good).pass(3000);
    const evil = placed(world, { release: by('release key', 'evil') });
    world.assign(good, evil).pass(3000);
    expect(stateOf(world, evil)).toMatchObject(revoked);
    expect(world.engine.did('start')).toEqual([good.lease.lease]);
  });

  test('nor when all that taught the board so is long gone, and the power with it', () => {
    const world = paired();
    world.assign(teaching(world)).pass(3000);
    world.assign().pass(3_600_000);
    world.reboot().pass(3000);
    const evil = placed(world, { release: by('release key', 'evil') });
    world.assign(evil).pass(3000);
    expect(stateOf(world, evil)).toMatchObject(revoked);
    expect(isUp(world, evil)).toBe(false);
  });

  test('nor when the board comes to know of it before it has all of the release', () => {
    const world = paired();
    const release = by('release key', 'evil');
    const evil = placed(world, { release });
    const [piece] = release.chunks;
    world.home.shelf.held.delete(piece!);
    world.assign(evil).pass(3000);
    const good = teaching(world);
    world.assign(evil, good).pass(30_000);
    world.hold([fromHex(piece!), release.content.get(piece!)!]);
    world.pass(600_000);
    expect(stateOf(world, evil)).toMatchObject(revoked);
    expect(world.engine.did('start')).toEqual([good.lease.lease]);
  });

  test('is what the lease that teaches it is refused for, and every other after it', () => {
    const world = paired();
    const release = by('release key', 'evil');
    const told = placed(world, { release, lease: { publisher: V2 } });
    world.assign(told).pass(3000);
    expect(stateOf(world, told)).toMatchObject(revoked);
    const evil = placed(world, { release, lease: { index: 1 } });
    world.assign(evil).pass(3000);
    expect(stateOf(world, evil)).toMatchObject(revoked);
    expect(world.engine.did('start')).toEqual([]);
  });

  test('goes on where it was begun, without a network too, and through stops and power cuts [trust-16]', () => {
    const world = paired();
    const before = placed(world);
    world.assign(before).pass(3000);
    const good = teaching(world);
    world.assign(before, good).pass(3000);
    expect([isUp(world, before), isUp(world, good)]).toEqual([true, true]);
    world.restart().pass(10_000);
    expect(stateOf(world, before)).toMatchObject({ state: 'running', promise: 'held' });
    cutOff(world);
    world.reboot().pass(10_000);
    expect([isUp(world, before), isUp(world, good)]).toEqual([true, true]);
  });

  test('is begun where no gateway has named the newer version: nobody can know what is withheld', () => {
    const world = paired();
    const evil = placed(world, { release: by('release key', 'evil') });
    world.assign(evil).pass(3000);
    expect(isUp(world, evil)).toBe(true);
  });

  test('is asked to end in its own way when the update that taught the board so takes its place', () => {
    const world = paired();
    world.assign(placed(world, { release: smallRelease({ stop: { signal: 'SIGINT', graceMs: 9000 } }) })).pass(3000);
    const after = placed(world, {
      ...{ release: by('new key', 'fine'), lease: { term: 2, publisher: V2 }, request: { sequence: 2 } },
    });
    world.assign(after).pass(30_000);
    expect(isUp(world, after)).toBe(true);
    expect(world.engine.steps.filter(({ kind }) => kind === 'stop')).toMatchObject([{ signal: 'SIGINT', graceMs: 9000 }]);
  });

  test('takes nobody’s documents along when it is refused', () => {
    const world = paired();
    const sound = placed(world, { release: smallRelease({ recipe: 'sound' }) });
    world.assign(sound).pass(3000);
    const good = teaching(world);
    world.assign(sound, good).pass(3000);
    const evil = placed(world, { release: by('release key', 'evil'), lease: { index: 1 } });
    world.assign(sound, good, evil).pass(3000);
    expect(stateOf(world, evil)).toMatchObject(revoked);
    cutOff(world);
    world.reboot().pass(10_000);
    expect([isUp(world, sound), isUp(world, good), isUp(world, evil)]).toEqual([true, true, false]);
  });
});

describe('a fallback by a key that was revoked', () => {
  const old = by('release key', 'old');
  const fresh = by('new key', 'fresh');
  const BAKE_MS = 60_000;
  const updated = () => {
    const world = paired();
    world.assign(placed(world, { release: old })).pass(3000);
    const third = nextPublisher(first, { keys: [key('release key'), key('new key')] });
    world.hold([hashOf(publisherNoun, third), signedPublisher(third)]);
    const after = placed(world, {
      ...{ release: fresh, lease: { term: 2, publisher: hashOf(publisherNoun, third) } },
      request: { sequence: 2, fallback: { release: old.release, bakeMs: BAKE_MS } },
    });
    world.engine.sound = (root) => root !== rootOf(fresh);
    const fourth = nextPublisher(third, { revoked: [key('release key')] });
    world.hold([hashOf(publisherNoun, fourth), signedPublisher(fourth)]);
    const told = placed(world, {
      ...{ release: by('new key', 'fine'), request: { name: 'fine' } },
      lease: { index: 7, publisher: hashOf(publisherNoun, fourth) },
    });
    return { world, after, told };
  };

  test('is not begun in the place of an update that fails', () => {
    const { world, after, told } = updated();
    world.assign(after, told).pass(30_000);
    expect(world.instance(after.lease)?.trial).toBe('failed');
    expect(stateOf(world, after)).toMatchObject(revoked);
    const begun = world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec.rootPath] : []));
    expect(
      begun.filter((root) => root === rootOf(old)),
      'before the update, and not again',
    ).toHaveLength(1);
    expect([isUp(world, after), world.engine.cells.get(after.lease.lease)?.spec.rootPath], 'is left as it is').toEqual([
      true,
      rootOf(fresh),
    ]);
    cutOff(world);
    world.reboot().pass(30_000);
    expect([isUp(world, after), isUp(world, told)]).toEqual([false, true]);
  });

  test('goes on where it took that place before', () => {
    const { world, after, told } = updated();
    world.assign(after).pass(30_000);
    expect(stateOf(world, after)).toMatchObject({ state: 'running', instead: old.release });
    world.assign(after, told).pass(30_000);
    cutOff(world);
    world.reboot().pass(30_000);
    expect(isUp(world, after)).toBe(true);
    expect(world.engine.cells.get(after.lease.lease)?.spec.rootPath).toBe(rootOf(old));
  });
});

describe('a publisher that only adds a key', () => {
  const added = nextPublisher(first, { keys: [key('release key'), key('new key')] });

  test('is followed by leases that name it as it was before, as a gateway does that lags', () => {
    const world = paired();
    world.hold([hashOf(publisherNoun, added), signedPublisher(added)]);
    const good = placed(world, { release: by('new key', 'fine'), lease: { index: 7, publisher: hashOf(publisherNoun, added) } });
    world.assign(good).pass(3000);
    const late = placed(world, { release: by('release key', 'late') });
    world.assign(good, late).pass(3000);
    expect(stateOf(world, late)).toMatchObject({ state: 'running', promise: 'held' });
  });
});

describe('a system by a key that its publisher has revoked', () => {
  const known = () => {
    const made = slottedWorld();
    made.world.hold([V2, signedPublisher(second)]);
    return made;
  };
  const report = (world: BoardWorld) => world.home.reports.at(-1)?.system?.update;

  test('is not written by an image that names an older version [trust-15]', () => {
    const { world, slots } = known();
    assign(world, system(2, {}, { by: 'new key' }), upkeep(), 'owner', V2);
    world.pass(60_000);
    expect(slots.running).toBe('b');
    assign(world, system(9));
    world.pass(60_000);
    expect([slots.running, slots.state.idle]).toEqual(['b', 'kept']);
    expect(report(world)).toMatchObject({ phase: 'failed', detail: expect.stringContaining('revoked-key') });
  });

  test('is not armed when the board comes to know of it meanwhile', () => {
    const { world, slots } = known();
    const nine = system(9);
    const piece = [...nine.content.keys()].at(-1)!;
    assign(world, nine);
    const content = world.home.shelf.held.get(piece)!;
    world.home.shelf.held.delete(piece);
    world.pass(30_000);
    expect(report(world)?.phase).toBe('fetching');
    world.assign(teaching(world)).pass(5000);
    world.hold([fromHex(piece), content]);
    world.pass(600_000);
    expect(slots.running).toBe('a');
    expect(slots.state.idle).not.toBe('armed');
    expect(report(world)).toMatchObject({ phase: 'failed', detail: expect.stringContaining('revoked-key') });
  });

  test('goes on where it runs, and is not said to have failed when it is named again [trust-16]', () => {
    const { world, slots } = known();
    assign(world, system(2));
    world.pass(60_000);
    expect(slots.system.release).toBe(hexOf(system(2)));
    world.assign(teaching(world)).pass(5000);
    assign(world, system(2));
    world.pass(60_000);
    expect(slots.running).toBe('b');
    expect(report(world)?.phase).toBe('kept');
  });
});

describe('a request', () => {
  const [old, fresh] = [smallRelease({ recipe: 'old' }), smallRelease({ recipe: 'fresh', sequence: 2 })];
  const stale = { state: 'refused', detail: expect.stringMatching(/stale: sequence \d of echo was obeyed, this is \d/) };
  const first = (world: BoardWorld, term = 3): Placed => placed(world, { release: old, request: { sequence: 1 }, lease: { term } });
  const newer = (world: BoardWorld, more: Partial<Request> = {}): Placed =>
    placed(world, { release: fresh, request: { sequence: 2, ...more }, lease: { term: 2 } });

  test('that was replaced is not obeyed under another lease [trust-18]', () => {
    const world = paired();
    world.assign(newer(world)).pass(3000);
    const back = first(world);
    world.assign(back).pass(30_000);
    expect(stateOf(world, back)).toMatchObject(stale);
    expect(isUp(world, back)).toBe(false);
  });

  test('nor when nothing of it is left, and the power went', () => {
    const world = paired();
    world.assign(newer(world)).pass(3000);
    world.assign().pass(3_600_000);
    world.reboot().pass(3000);
    const back = first(world);
    world.assign(back).pass(30_000);
    expect(stateOf(world, back)).toMatchObject(stale);
    expect(world.engine.did('start')).toHaveLength(1);
  });

  test('that was destroyed is not obeyed again', () => {
    const world = paired();
    const one = first(world, 1);
    world.assign(one).pass(3000);
    const over = request({ release: old.release, sequence: 2, state: 'destroyed' });
    world.hold([hashOf(requestNoun, over), seal(requestNoun, over, keyOf('tenant'))]);
    world.assign({ assigned: { ...one.assigned, request: hashOf(requestNoun, over) } }).pass(3000);
    world.assign().pass(10_000);
    expect(world.instance(one.lease)).toBeNull();
    const back = first(world);
    world.assign(back).pass(30_000);
    expect(stateOf(world, back)).toMatchObject(stale);
    expect(world.engine.did('start')).toHaveLength(1);
  });

  test('goes back to an older release under a higher sequence, as its tenant has it', () => {
    const world = paired();
    world.assign(newer(world)).pass(3000);
    const back = placed(world, { release: old, request: { sequence: 3 }, lease: { term: 3 } });
    world.assign(back).pass(30_000);
    expect(stateOf(world, back)).toMatchObject({ state: 'running', promise: 'held' });
  });

  test('of which a gateway that lags names the older one runs on, and so does another of that tenant', () => {
    const world = paired();
    const one = newer(world);
    const other = placed(world, { release: old, request: { name: 'other', sequence: 1 }, lease: { index: 1 } });
    world.assign(one, other).pass(3000);
    const late = request({ release: fresh.release, sequence: 1 });
    world.hold([hashOf(requestNoun, late), seal(requestNoun, late, keyOf('tenant'))]);
    world.assign({ assigned: { ...one.assigned, request: hashOf(requestNoun, late) } }, other).pass(3000);
    expect([isUp(world, one), isUp(world, other)]).toEqual([true, true]);
    expect(world.engine.did('stop')).toEqual([]);
  });

  test('that does not hold is none that was obeyed', () => {
    const world = paired();
    const one = placed(world, { release: old });
    world.assign(one).pass(3000);
    const bad = request({ release: old.release, sequence: 9, parameters: { unknown: 'x' } });
    world.hold([hashOf(requestNoun, bad), seal(requestNoun, bad, keyOf('tenant'))]);
    world.assign({ assigned: { ...one.assigned, request: hashOf(requestNoun, bad) } }).pass(3000);
    const good = placed(world, { release: old, request: { sequence: 2 }, lease: { term: 2 } });
    world.assign(good).pass(30_000);
    expect(stateOf(world, good)).toMatchObject({ state: 'running' });
  });

  test('that a store of before knows of with its instance alone is known', () => {
    const world = paired();
    const one = newer(world);
    world.assign(one).pass(3000);
    for (const row of [...world.disk.rows.keys()]) if (row.startsWith('obeyed/')) world.disk.rows.delete(row);
    world.reboot().pass(3000);
    const back = first(world);
    world.assign(one, back).pass(30_000);
    expect(stateOf(world, back)).toMatchObject(stale);
  });
});

describe('what is remembered', () => {
  const draft = () => new Draft(openMemoryStore().snapshot(), new Map()) as never;
  const versionsOf = (publisher: string, version: number) =>
    Array.from({ length: version }, (_, at) => ({
      ...{ value: { ...first, publisher: publisher as PublisherId, version: at + 1 }, hash: new Uint8Array(32).fill(at) },
      ...{ bytes: new Uint8Array(), signers: [] },
    }));
  const idOf = (n: number): string =>
    n
      .toString()
      .padStart(32, 'a')
      .replaceAll(/[01589]/g, (digit) => 'bcdef'['01589'.indexOf(digit)]!);

  test('has an end: the publisher that was learned first goes first, and none whose system is here [trust-17]', () => {
    const work = draft();
    const update = { release: new Uint8Array(32), publisher: idOf(0) as PublisherId, sequence: 1, upkeep: 1, phase: 'kept' as const };
    updates.put(work, { ...update, ...{ detail: '', lonely: false, attempts: 0, ran: [] } }, 'system');
    for (let n = 0; n <= LIMITS.remembered; n++) newestKnown(work, versionsOf(idOf(n), 2));
    expect(publishers.all(work)).toHaveLength(LIMITS.remembered);
    expect(publishers.get(work, idOf(0))?.version).toBe(2);
    expect(publishers.get(work, idOf(1))).toBeNull();
    expect(publishers.get(work, idOf(2))).not.toBeNull();
  });

  test('has an end: the request whose newest word is the longest ago goes first', () => {
    const work = draft();
    for (let n = 0; n < LIMITS.remembered; n++) noteObeyed(work, idOf(n), 1);
    noteObeyed(work, idOf(0), 2);
    noteObeyed(work, idOf(LIMITS.remembered), 1);
    expect(obeyedRequests.all(work)).toHaveLength(LIMITS.remembered);
    expect([0, 1, 2].map((n) => sequenceKnown(work, idOf(n)))).toEqual([2, 0, 1]);
    noteObeyed(work, idOf(0), 1);
    expect(sequenceKnown(work, idOf(0)), 'never falls').toBe(2);
  });

  test('is nothing of a publisher that has one version, as none is older', () => {
    const work = draft();
    expect(newestKnown(work, versionsOf(idOf(1), 1)).version).toBe(1);
    expect(publishers.all(work)).toEqual([]);
  });
});
