/** An update that is no good: what ran before comes back by itself, without a network and through power cuts. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { Manifest } from '../../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../../runtime/protocol/nouns/request.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';

const BAKE_MS = 60_000;
const GRACE_MS = 3000;
const old = smallRelease();
const fresh = (changes: Partial<Manifest> = {}): SmallRelease => smallRelease({ recipe: 'echo', sequence: 2, label: 'new', ...changes });
const rootOf = ({ release }: SmallRelease): string => `/roots/${hex(release).slice(0, 8)}`;
const paired = (): BoardWorld => new BoardWorld().pair();

/** The old release runs, and the new one is asked for. */
const updated = (world: BoardWorld, release = fresh(), request: Partial<Request> = {}): { before: Placed; after: Placed } => {
  const before = placed(world, { release: old });
  world.assign(before).pass(5000);
  expect(running(world)).toEqual([rootOf(old)]);
  const after = next(world, release, request);
  world.assign(after);
  return { before, after };
};

const next = (world: BoardWorld, release: SmallRelease, request: Partial<Request> = {}): Placed =>
  placed(world, {
    release,
    lease: { term: 2 },
    request: { sequence: 2, fallback: { release: old.release, bakeMs: BAKE_MS }, ...request },
  });

const running = (world: BoardWorld): string[] =>
  [...world.engine.cells.values()].filter(({ running: isUp }) => isUp).map(({ spec }) => spec.rootPath);
const starts = (world: BoardWorld): string[] => world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec.rootPath] : []));
const unsound = (world: BoardWorld, ...bad: SmallRelease[]): void => {
  world.engine.sound = (root) => !bad.map(rootOf).includes(root);
};
const trialOf = (world: BoardWorld, { lease }: Placed) => world.instance(lease)?.trial;

describe('a release on trial', () => {
  test('that holds its promises for as long as was asked has passed, and is past falling back [instances-15]', () => {
    const world = paired();
    const { after } = updated(world);
    world.pass(BAKE_MS - 10_000);
    expect([running(world), trialOf(world, after)]).toEqual([[rootOf(after.release)], 'open']);
    world.pass(20_000);
    expect(trialOf(world, after)).toBe('passed');
    world.engine.probesOk = false;
    world.pass(600_000);
    expect(running(world)).toEqual([rootOf(after.release)]);
    expect(world.state(after.lease)).toMatchObject({ promise: 'broken', detail: 'answers: no answer' });
    expect(world.state(after.lease)?.instead).toBeUndefined();
  });

  test('that never does makes way for the one before, on the same lease, and why is told', () => {
    const world = paired();
    const { after } = updated(world);
    unsound(world, after.release);
    world.pass(GRACE_MS + 10_000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect([...world.engine.cells.keys()]).toEqual([after.lease.lease]);
    expect(world.state(after.lease)).toMatchObject({
      ...{ state: 'running', promise: 'held', instead: old.release },
      detail: 'answers did not hold within 3 s: no answer',
    });
    expect(world.journal.some((line) => line.includes(`returns to release ${hex(old.release)}`))).toBe(true);
    world.pass(3_600_000);
    expect(starts(world)).toEqual([old, after.release, old].map(rootOf));
  });

  test('that breaks its promise while it is watched makes way as well, unless it mends it within its grace', () => {
    const world = paired();
    const { after } = updated(world);
    world.pass(20_000);
    unsound(world, after.release);
    world.pass(11_000);
    world.engine.sound = () => true;
    world.pass(2000);
    expect(running(world)).toEqual([rootOf(after.release)]);
    unsound(world, after.release);
    world.pass(30_000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(world.state(after.lease)?.detail).toBe('answers broke and did not hold again: no answer');
  });

  test('that ends again and again makes way', () => {
    const world = paired();
    const { after } = updated(world);
    world.engine.stillborn.add(after.lease.lease);
    world.pass(1500);
    world.engine.sound = (root) => {
      if (root === rootOf(old)) world.engine.stillborn.clear();
      return true;
    };
    for (let i = 0; i < 60 && starts(world).at(-1) !== rootOf(old); i++) world.pass(500);
    world.engine.stillborn.clear();
    world.pass(30_000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(starts(world).filter((root) => root === rootOf(after.release))).toHaveLength(3);
    expect(world.state(after.lease)?.detail).toMatch(/exit 1|begun 3 times/);
  });

  test('with which the board goes down each time makes way, without a network', () => {
    const world = paired();
    const { after } = updated(world);
    world.pass(2000);
    for (const gateway of world.gateways) gateway.up = false;
    for (let i = 0; i < 3; i++) {
      expect(running(world)).toEqual([rootOf(after.release)]);
      world.reboot().pass(2500);
    }
    world.pass(5000);
    expect(running(world)).toEqual([rootOf(old)]);
    world.reboot().pass(5000);
    expect(running(world)).toEqual([rootOf(old)]);
  });

  test('is not blamed for what its tenant or the power does to it in the long run', () => {
    const world = paired();
    const { after } = updated(world, fresh(), { fallback: { release: old.release, bakeMs: 86_400_000 } });
    for (let i = 0; i < 6; i++) world.pass(660_000).reboot();
    world.pass(5000);
    expect(running(world)).toEqual([rootOf(after.release)]);
  });

  test('that no board would take is not waited for: the one before goes on, then takes its place', () => {
    const world = paired();
    const { after } = updated(world, fresh({ arch: 'arm64' }));
    world.pass(10_000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(world.state(after.lease)).toMatchObject({ state: 'running', instead: old.release });
    expect(world.state(after.lease)?.detail).toMatch(/^not-offered: .*arm64/);
  });

  test('is tried again when its tenant asks again, and the failed one is forgotten', () => {
    const world = paired();
    const { after } = updated(world);
    unsound(world, after.release);
    world.pass(GRACE_MS + 10_000);
    expect(running(world)).toEqual([rootOf(old)]);
    world.engine.sound = () => true;
    const again = next(world, after.release, { sequence: 3 });
    world.assign({ ...again, assigned: { ...again.assigned, lease: after.assigned.lease } });
    world.pass(10_000);
    expect(running(world)).toEqual([rootOf(after.release)]);
    expect(world.state(after.lease)?.instead).toBeUndefined();
  });

  test('that failed leaves a lease that is metered and closed like any other', () => {
    const world = paired();
    const { after } = updated(world);
    unsound(world, after.release);
    world.pass(120_000);
    world.assign().pass(10_000);
    const of = world.records.filter(({ lease }) => lease === after.lease.lease);
    expect([of[0]?.kind, of.at(-1)?.kind]).toEqual(['open', 'close']);
    expect(of.at(-1)!.registers.cpuMicros).toBeGreaterThan(0n);
    for (let i = 1; i < of.length; i++) expect(of[i]!.registers.cpuMicros).toBeGreaterThanOrEqual(of[i - 1]!.registers.cpuMicros);
  });

  test('keeps the release to which it may have to return, whatever is swept [instances-17]', () => {
    const world = paired();
    const { after } = updated(world);
    world.pass(1_500_000);
    expect(world.files.roots).toEqual(new Set([old, after.release].map(({ release }) => hex(release))));
  });
});

describe('what ran before', () => {
  test('goes on until the update can begin, however long its content takes [instances-16]', () => {
    const world = paired();
    const late = fresh({ recipe: 'late' });
    const before = placed(world, { release: old });
    world.assign(before).pass(5000);
    const after = next(world, late);
    for (const key of late.chunks) if (!old.chunks.includes(key)) world.home.shelf.held.delete(key);
    world.assign(after).pass(600_000);
    expect(running(world)).toEqual([rootOf(old)]);
    for (const [key, bytes] of late.content) world.home.shelf.held.set(key, bytes);
    world.pass(300_000);
    expect(running(world)).toEqual([rootOf(late)]);
  });

  test('ends all the same when its tenant wants it stopped', () => {
    const world = paired();
    const late = fresh({ recipe: 'late' });
    const before = placed(world, { release: old });
    world.assign(before).pass(5000);
    const after = next(world, late, { state: 'stopped' });
    for (const key of late.chunks) world.home.shelf.held.delete(key);
    world.assign(after).pass(20_000);
    expect(running(world)).toEqual([]);
  });
});

describe('/data as the release before left it [instances-27, instances-28]', () => {
  const snapshots = (): SmallRelease => fresh({ data: { onUpdate: 'snapshot' } });
  const kept = (world: BoardWorld): (string | undefined)[] =>
    world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec.kept] : []));
  const drops = (world: BoardWorld): number => world.engine.steps.filter(({ kind }) => kind === 'drop').length;

  test('is taken before one on trial begins that asks for it, and dropped when that has passed', () => {
    const world = paired();
    const { after } = updated(world, snapshots());
    world.pass(BAKE_MS - 10_000);
    expect([kept(world), drops(world)]).toEqual([['drop', 'take'], 0]);
    world.pass(20_000);
    expect([trialOf(world, after), drops(world)]).toEqual(['passed', 1]);
    world.reboot().pass(5000);
    expect(kept(world).at(-1)).toBe('drop');
  });

  test('is given back to what takes its place again, at each of its starts, through a power cut', () => {
    const world = paired();
    const { after } = updated(world, snapshots());
    unsound(world, after.release);
    world.pass(GRACE_MS + 10_000);
    expect(running(world)).toEqual([rootOf(old)]);
    world.reboot().pass(5000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(kept(world)).toEqual(['drop', 'take', 'return', 'return']);
    expect(drops(world)).toBe(0);
  });

  test('is not taken for a release that does not ask for it, nor for one that is on no trial', () => {
    const world = paired();
    updated(world, fresh({ data: { onUpdate: 'keep' } }));
    world.pass(10_000);
    expect(kept(world)).toEqual(['drop', 'drop']);
    const other = paired();
    other.assign(placed(other, { release: snapshots() })).pass(5000);
    expect(kept(other)).toEqual(['drop']);
  });

  test('for which there is no room is no reason to lose it: the release before goes on, at once, and why is told', () => {
    const world = paired();
    world.engine.cramped = true;
    const { after } = updated(world, snapshots());
    world.pass(5000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(kept(world)).toEqual(['drop', 'take', 'return']);
    expect(world.state(after.lease)).toMatchObject({ instead: old.release, detail: 'storage-full: as told' });
  });
});
