/** Hooks of /data around an update: before the one release leaves, and after the other has come. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { Manifest } from '../../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../../runtime/protocol/nouns/request.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';

const BAKE_MS = 60_000;
const hook = (name: string) => ({ args: ['/bin/main', `--${name}`, '{{greeting}}'], withinMs: 30_000 });
const DATA = { onUpdate: 'snapshot' as const, before: hook('dump'), after: hook('migrate') };
const old = smallRelease({ data: DATA });
const fresh = (changes: Partial<Manifest> = {}): SmallRelease =>
  smallRelease({ recipe: 'echo', sequence: 2, label: 'new', data: DATA, ...changes });
const rootOf = ({ release }: SmallRelease): string => `/roots/${hex(release).slice(0, 8)}`;
const paired = (): BoardWorld => new BoardWorld().pair();
const onTrial = { fallback: { release: old.release, bakeMs: BAKE_MS } };

const next = (world: BoardWorld, release: SmallRelease, request: Partial<Request> = onTrial, term = 2): Placed =>
  placed(world, { release, lease: { term }, request: { sequence: term, ...request } });

/** The old release runs, and the new one is asked for. */
const updated = (world: BoardWorld, release = fresh(), request: Partial<Request> = onTrial): { before: Placed; after: Placed } => {
  const before = placed(world, { release: old });
  world.assign(before).pass(5000);
  expect(running(world)).toEqual([`${rootOf(old)} program`]);
  const after = next(world, release, request);
  world.assign(after);
  return { before, after };
};

const running = (world: BoardWorld): string[] =>
  [...world.engine.cells.values()].filter(({ running: isUp }) => isUp).map(({ spec }) => `${spec.rootPath} ${spec.hook ?? 'program'}`);
const nameOf = (root: string): string => (root === rootOf(old) ? 'old' : 'new');
/** What began, in order; of a program, whether what a hook found is settled before it. */
const begun = (world: BoardWorld): string[] =>
  world.engine.steps.flatMap((step) =>
    step.kind === 'start' ? [`${nameOf(step.spec.rootPath)} ${step.spec.hook ?? (step.spec.hooked === true ? 'hooked' : 'program')}`] : [],
  );
const failing = (world: BoardWorld, name: 'before' | 'after', code: number | null = 3): void => {
  world.engine.hooks = (one) => ({
    exit: { code: one === name ? code : 0, signal: one === name && code === null ? 'SIGSEGV' : null, oomKilled: false },
    takesMs: 500,
  });
};
const WHOLE = ['old program', 'old before', 'new after', 'new hooked'];

describe('hooks of /data [instances-30, instances-31]', () => {
  test('run between the one program and the other: with the arguments and limits of each, and neither at a restart', () => {
    const world = paired();
    const { before, after } = updated(world);
    world.pass(10_000);
    expect(begun(world)).toEqual(WHOLE);
    const specs = world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec] : []));
    const program = ['/bin/main', '--greet=moin'];
    expect(specs.map(({ args }) => args)).toEqual([program, ['/bin/main', '--dump', 'moin'], ['/bin/main', '--migrate', 'moin'], program]);
    expect(specs.map(({ partition }) => partition)).toEqual([before, before, after, after].map(({ lease }) => lease.lease));
    for (const spec of specs) expect(spec).toMatchObject({ limits: specs[0]!.limits, parameters: specs[0]!.parameters });
    expect(world.state(after.lease)).toMatchObject({ state: 'running', promise: 'held', restarts: 0 });
    world.engine.crash(after.lease.lease);
    world.pass(5000);
    world.reboot().pass(5000);
    expect(begun(world).slice(WHOLE.length)).toEqual(['new program', 'new program']);
  });

  test('are metered on the leases that they are of', () => {
    const world = paired();
    world.engine.hooks = () => ({ exit: { code: 0, signal: null, oomKilled: false }, takesMs: 20_000 });
    const { before, after } = updated(world);
    world.pass(30_000).reboot().pass(100);
    const closed = world.records.findLast(({ lease }) => lease === before.lease.lease);
    expect(closed?.kind).toBe('close');
    expect(Number(closed?.registers.wallMs)).toBeGreaterThan(24_000);
    world.pass(60_000);
    const newest = world.records.findLast(({ lease }) => lease === after.lease.lease);
    expect(Number(newest?.registers.wallMs)).toBeGreaterThan(20_000);
  });

  test('of which none is asked for are none, nor is one at a first start, nor for another lease of the same release', () => {
    const world = paired();
    const first = placed(world, { release: old });
    world.assign(first).pass(5000);
    const second = next(world, old, {});
    world.assign(second).pass(10_000);
    expect(begun(world)).toEqual(['old program', 'old program']);
    const plain = paired();
    updated(plain, fresh({ data: { onUpdate: 'snapshot' } }));
    plain.pass(10_000);
    expect(begun(plain)).toEqual(['old program', 'old before', 'new program']);
  });

  test('run at a deliberate way back as at each update', () => {
    const world = paired();
    updated(world);
    world.pass(BAKE_MS + 20_000);
    world.assign(next(world, old, {}, 3)).pass(10_000);
    expect(begun(world)).toEqual([...WHOLE, 'new before', 'old after', 'old hooked']);
  });

  test('run where nothing is on trial as well', () => {
    const world = paired();
    updated(world, fresh(), {});
    world.pass(10_000);
    expect(begun(world)).toEqual(WHOLE);
  });

  test('run at the update of what was begun before the runtime was, which goes on until its content is known again', () => {
    const world = paired();
    failing(world, 'after');
    updated(world);
    world.pass(20_000);
    // Under the lease of the new one, which it took the place of again.
    expect(running(world)).toEqual([`${rootOf(old)} program`]);
    failing(world, 'after', 0);
    const since = begun(world).length;
    world.restart().pass(60_000);
    const after = next(world, smallRelease({ recipe: 'echo', sequence: 3, label: 'third', data: DATA }), onTrial, 3);
    world.assign(after).pass(20_000);
    expect(begun(world).slice(since)).toEqual(['old before', 'new after', 'new hooked']);
    expect(world.state(after.lease)).toMatchObject({ state: 'running', promise: 'held' });
  });

  test('run on the way back to a release that was never here, on what the one before it left [instances-30]', () => {
    const world = paired();
    const before = placed(world, { release: old });
    world.assign(before).pass(5000);
    // The board was away while the second came; the third comes, and does not do.
    const missed = fresh();
    const third = smallRelease({ recipe: 'echo', sequence: 3, label: 'third', data: DATA });
    placed(world, { release: missed, lease: { term: 2 }, request: { sequence: 2 } });
    const after = next(world, third, { fallback: { release: missed.release, bakeMs: BAKE_MS } }, 3);
    world.assign(after).pass(5000);
    for (let i = 0; i < 3; i++) {
      world.engine.crash(after.lease.lease);
      world.pass(10_000);
    }
    const names = new Map([old, missed, third].map((release, i) => [rootOf(release), ['old', 'missed', 'third'][i]]));
    const begins = world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec] : []));
    const said = begins.map(
      ({ rootPath, hook: name, kept, hooked }) => `${names.get(rootPath)} ${name ?? 'program'} ${kept}${hooked === true ? ' hooked' : ''}`,
    );
    expect([...new Set(said)]).toEqual([
      ...['old program drop', 'old before undefined', 'third after undefined', 'third program take hooked', 'third program take'],
      ...['missed after return', 'missed program drop hooked'],
    ]);
    world.engine.crash(after.lease.lease);
    world.pass(10_000);
    const last = world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec] : [])).at(-1);
    expect(last).toMatchObject({ rootPath: rootOf(missed), kept: 'return', hooked: false });
    expect(last?.hook).toBeUndefined();
  });

  test('hold no promise, publish nothing and are no trial passed, however long they take', () => {
    const world = paired();
    world.engine.hooks = (name) => ({ exit: { code: 0, signal: null, oomKilled: false }, takesMs: name === 'after' ? 29_000 : 500 });
    const quick = { fallback: { release: old.release, bakeMs: 5000 } };
    const { after } = updated(world, fresh(), quick);
    world.pass(20_000);
    expect(running(world)).toEqual([`${rootOf(after.release)} after`]);
    expect(world.state(after.lease)).toMatchObject({ state: 'starting', promise: 'unknown' });
    expect(world.instance(after.lease)?.trial).toBe('open');
    world.pass(30_000);
    expect(world.instance(after.lease)?.trial).toBe('passed');
  });
});

describe('a hook that fails [instances-32]', () => {
  test('after another release has come lets the one before take its place, and says why in words', () => {
    const world = paired();
    failing(world, 'after');
    world.engine.lastLine = 'cannot read table readings';
    const { after } = updated(world);
    world.pass(20_000);
    expect(begun(world)).toEqual(['old program', 'old before', 'new after', 'old program']);
    expect(world.state(after.lease)).toMatchObject({
      ...{ state: 'running', instead: old.release },
      detail: 'hook-failed: after: exit 3: cannot read table readings',
    });
    expect(world.instance(after.lease)?.outcome).not.toBeNull();
    world.pass(3_600_000);
    expect(running(world)).toEqual([`${rootOf(old)} program`]);
  });

  test('before the other comes lets the update not happen: what ran runs again, and why is told of the update', () => {
    const world = paired();
    failing(world, 'before', null);
    const { after } = updated(world);
    world.pass(20_000);
    expect(begun(world)).toEqual(['old program', 'old before', 'old program']);
    expect(world.state(after.lease)).toMatchObject({ instead: old.release, detail: 'hook-failed: before: exit SIGSEGV' });
    expect(world.instance(after.lease)?.trial).toBe('failed');
  });

  test('before the other comes lets what ran go on under its own lease where nothing is on trial', () => {
    const world = paired();
    failing(world, 'before');
    const { before, after } = updated(world, fresh(), {});
    world.pass(60_000);
    expect(begun(world)).toEqual(['old program', 'old before', 'old program']);
    expect([...world.engine.cells.keys()]).toEqual([before.lease.lease]);
    expect(world.state(after.lease)).toMatchObject({ state: 'refused', detail: 'hook-failed: before: exit 3' });
  });

  test('is begun anew when its tenant asks again, for data are as they were', () => {
    const world = paired();
    failing(world, 'after');
    const { after } = updated(world);
    world.pass(20_000);
    failing(world, 'after', 0);
    const again = next(world, after.release, { ...onTrial, sequence: 3 });
    world.assign({ ...again, assigned: { ...again.assigned, lease: after.assigned.lease } }).pass(10_000);
    expect(begun(world)).toEqual(['old program', 'old before', 'new after', 'old program', 'new after', 'new hooked']);
  });

  test.each(['before', 'after'] as const)('%s it was done in its time is ended, and that is why', (name) => {
    const world = paired();
    const plain = world.engine.hooks;
    world.engine.hooks = (one) => (one === name ? null : plain(one));
    const { after } = updated(world);
    world.pass(25_000);
    expect(running(world)[0]).toContain(name);
    world.pass(15_000);
    expect(running(world)).toEqual([`${rootOf(old)} program`]);
    expect(world.state(after.lease)?.detail).toBe(`hook-failed: ${name}: not done within 30 s`);
  });

  test('as its program cannot be run fails as well', () => {
    const world = paired();
    const { before, after } = updated(world);
    world.engine.unfit.add(before.lease.lease);
    world.pass(20_000);
    expect(world.state(after.lease)?.detail).toBe('hook-failed: before: as told');
    expect(running(world)).toEqual([`${rootOf(old)} program`]);
  });

  test.each(['before', 'after'] as const)('%s it could end, as the board goes down with it each time, is given up', (name) => {
    const world = paired();
    const plain = world.engine.hooks;
    world.engine.hooks = (one) => (one === name ? null : plain(one));
    updated(world);
    world.pass(10_000);
    for (let i = 0; i < 3; i++) {
      expect(running(world)[0]).toContain(name);
      world.reboot().pass(10_000);
    }
    expect(running(world)).toEqual([`${rootOf(old)} program`]);
  });
});

describe('a hook that is cut [instances-31]', () => {
  test.each(['before', 'after'] as const)('by the power is begun anew: %s', (name) => {
    const world = paired();
    const plain = world.engine.hooks;
    world.engine.hooks = (one) => (one === name ? null : plain(one));
    updated(world);
    world.pass(5000);
    expect(running(world)[0]).toContain(name);
    world.engine.hooks = plain;
    world.reboot().pass(15_000);
    // What is to come is not looked at yet when the board comes back: what ran goes on until then.
    const again = name === 'before' ? ['old program'] : [];
    expect(begun(world)).toEqual(WHOLE.flatMap((what) => (what.endsWith(name) ? [what, ...again, what] : [what])));
  });

  test.each([
    ['before', null],
    ['after', null],
    ['after', 'SIGKILL'],
  ] as const)('by an end that is not its own is begun anew: %s, %s', (name, signal) => {
    const world = paired();
    let isFirst = true;
    world.engine.hooks = (one) => {
      const code = one === name && isFirst ? null : 0;
      if (one === name) isFirst = false;
      return { exit: { code, signal: code === null ? signal : null, oomKilled: false }, takesMs: 500 };
    };
    updated(world);
    world.pass(15_000);
    expect(begun(world)).toEqual(WHOLE.flatMap((what) => (what.endsWith(name) ? [what, what] : [what])));
  });

  test('by nothing but the end of the runtime goes on, and its end is heard of by the next one', () => {
    const world = paired();
    world.engine.hooks = (one) => ({ exit: { code: 0, signal: null, oomKilled: false }, takesMs: one === 'after' ? 10_000 : 500 });
    const { after } = updated(world);
    world.pass(5000);
    world.restart().pass(1000);
    expect(running(world)).toEqual([`${rootOf(after.release)} after`]);
    world.pass(15_000);
    expect(begun(world)).toEqual(WHOLE);
  });

  test('by its tenant, who wants it stopped, has not ended well, whatever it says at its end', () => {
    const world = paired();
    world.engine.hooks = (one) => (one === 'after' ? null : { exit: { code: 0, signal: null, oomKilled: false }, takesMs: 500 });
    const { after } = updated(world);
    world.pass(5000);
    const stopped = next(world, after.release, { ...onTrial, sequence: 3, state: 'stopped' });
    world.assign({ ...stopped, assigned: { ...stopped.assigned, lease: after.assigned.lease } }).pass(5000);
    expect(running(world)).toEqual([]);
    world.engine.hooks = () => ({ exit: { code: 0, signal: null, oomKilled: false }, takesMs: 500 });
    const started = next(world, after.release, { ...onTrial, sequence: 4 });
    world.assign({ ...started, assigned: { ...started.assigned, lease: after.assigned.lease } }).pass(10_000);
    expect(begun(world)).toEqual(['old program', 'old before', 'new after', 'new after', 'new hooked']);
  });
});
