/** While an update is on its way: what ran begins again after a crash or a power cut, and only what takes its place ends it. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { seal } from '../../../runtime/protocol/noun.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import type { Manifest } from '../../../runtime/protocol/nouns/release.ts';
import { type Request, requestNoun } from '../../../runtime/protocol/nouns/request.ts';
import { BoardWorld, PACE, type Placed, placed } from '../../support/board-world.ts';
import { keyOf } from '../../support/crypto.ts';
import { GATEWAYS, hashOf, idOf, request } from '../../support/federation.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';
import { type ManualClock, manualClock } from '../../support/world.ts';

const HOUR_MS = 3_600_000;
const BAKE_MS = 60_000;
/** Looks around and writes as rarely as a board at peace. */
const CALM = { ...PACE, tickMs: 10_000, meterMs: 60_000, recordMs: 900_000, reportMs: 900_000 };
const late = smallRelease({ recipe: 'late', sequence: 2, label: 'new' });
const rootOf = ({ release }: SmallRelease): string => `/roots/${hex(release).slice(0, 8)}`;

const running = (world: BoardWorld): string[] =>
  [...world.engine.cells.values()].filter(({ running: isUp }) => isUp).map(({ spec }) => spec.rootPath);
const starts = (world: BoardWorld): string[] => world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec.rootPath] : []));
/** Of both leases in the order of their records. */
const bounds = (world: BoardWorld, before: Placed): string[] =>
  world.records.flatMap(({ lease, kind }) => (kind === 'point' ? [] : [`${lease === before.lease.lease ? 'former' : 'next'} ${kind}`]));
const ONE_AFTER_THE_OTHER = ['former open', 'former close', 'next open'];

interface Given {
  former?: Partial<Manifest>;
  request?: Partial<Request>;
  leased?: Partial<Lease>;
  pace?: typeof PACE;
  clock?: ManualClock;
  granters?: string[];
}

/** One release runs, and another is asked for. */
const updated = ({ former = {}, request: changes = {}, leased = {}, pace = PACE, clock = manualClock(), granters = [] }: Given = {}) => {
  const world = new BoardWorld(pace, null, null, null, { clock, name: 'board' }).pair();
  for (const gateway of world.gateways) gateway.granters = granters;
  const onIsolation = leased.onIsolation ?? 'continue';
  const before = placed(world, { release: smallRelease(former), lease: leased, request: { onIsolation } });
  world.assign(before).pass(30_000);
  expect(running(world)).toEqual([rootOf(before.release)]);
  const fallback = { release: before.release.release, bakeMs: BAKE_MS };
  const after = placed(world, { release: late, lease: { ...leased, term: 2 }, request: { sequence: 2, fallback, ...changes } });
  return { world, before, after };
};

const lack = ({ world, before, after }: ReturnType<typeof updated>): void => {
  for (const key of after.release.chunks) if (!before.release.chunks.includes(key)) world.home.shelf.held.delete(key);
};
const give = ({ world, after }: ReturnType<typeof updated>): void => {
  for (const [key, bytes] of after.release.content) world.home.shelf.held.set(key, bytes);
};
const silence = (world: BoardWorld, isUp: boolean): void => {
  for (const gateway of world.gateways) gateway.up = isUp;
  if (!isUp) world.cut();
};

const ENDS: [how: string, end: (world: BoardWorld, before: Placed) => void][] = [
  ['a crash', (world, before) => world.engine.crash(before.lease.lease)],
  ['a power cut', (world) => world.reboot()],
  [
    'a death while no runtime looks',
    (world, before) => {
      world.off(1000);
      world.engine.die(before.lease.lease);
      world.restart();
    },
  ],
];

describe.each(ENDS)('after %s what ran begins again [instances-16]', (_how, end) => {
  test.each([true, false])('while a piece of the update lacks, gateways in reach: %s; then it makes way once', (isReached) => {
    const given = updated({ pace: CALM });
    const { world, before, after } = given;
    lack(given);
    world.assign(after).pass(20_000);
    if (!isReached) silence(world, false);
    for (let i = 0; i < 3; i++) {
      end(world, before);
      world.pass(30_000);
      expect(running(world)).toEqual([rootOf(before.release)]);
    }
    world.pass(2 * HOUR_MS);
    expect(running(world)).toEqual([rootOf(before.release)]);
    expect(starts(world)).toEqual(Array(4).fill(rootOf(before.release)));
    silence(world, true);
    give(given);
    world.pass(600_000);
    expect(running(world)).toEqual([rootOf(late)]);
    expect(world.instance(before.lease)).toBeNull();
    expect(bounds(world, before)).toEqual(ONE_AFTER_THE_OTHER);
    expect(starts(world)).toHaveLength(5);
  });

  test('under its own lease, with its data, and metered as before', () => {
    const given = updated();
    const { world, before, after } = given;
    lack(given);
    world.assign(after).pass(20_000);
    end(world, before);
    world.pass(240_000);
    const of = world.records.filter(({ lease }) => lease === before.lease.lease);
    expect(of.at(-1)!.registers.wallMs).toBeGreaterThan(BigInt(240_000 - PACE.recordMs - 10_000));
    for (let i = 1; i < of.length; i++) expect(of[i]!.registers.cpuMicros).toBeGreaterThanOrEqual(of[i - 1]!.registers.cpuMicros);
    give(given);
    world.pass(600_000);
    const removals = world.engine.steps.filter((step) => step.kind === 'remove' && 'data' in step && step.data);
    expect(removals).toEqual([{ kind: 'remove', partition: before.lease.lease, data: true, heir: after.lease.lease }]);
  });

  test('while it is not the time of the day for the other one, and no longer [instances-23]', () => {
    const { world, before, after } = updated({ pace: CALM });
    const fromMinute = Math.floor((world.clock.now().wallMs + 2 * HOUR_MS) / 60_000) % 1440;
    const timed = placed(world, {
      release: late,
      lease: { term: 2 },
      request: { sequence: 2, windows: [{ fromMinute, minutes: 30 }], fallback: { release: before.release.release, bakeMs: BAKE_MS } },
    });
    expect(timed.lease).toEqual(after.lease);
    world.assign(timed).pass(600_000);
    end(world, before);
    world.pass(HOUR_MS);
    expect(running(world)).toEqual([rootOf(before.release)]);
    expect(starts(world)).toEqual([before, before].map(({ release }) => rootOf(release)));
    world.pass(HOUR_MS);
    expect(running(world)).toEqual([rootOf(late)]);
    expect(bounds(world, before)).toEqual(ONE_AFTER_THE_OTHER);
  });

  test('while it holds the other one off, for as long as it may in all [instances-13]', () => {
    const { world, before, after } = updated({ former: { holdMs: 600_000 } });
    world.engine.holds = true;
    world.assign(after).pass(120_000);
    end(world, before);
    world.pass(400_000);
    expect(running(world)).toEqual([rootOf(before.release)]);
    expect(starts(world)).toHaveLength(2);
    world.pass(120_000);
    expect(running(world)).toEqual([rootOf(late)]);
    expect(bounds(world, before)).toEqual(ONE_AFTER_THE_OTHER);
  });

  test('and makes way as soon as it is asked and does not hold the other one off', () => {
    const { world, before, after } = updated({ former: { holdMs: 600_000 } });
    world.engine.holds = true;
    world.assign(after).pass(120_000);
    world.engine.holds = false;
    end(world, before);
    world.pass(30_000);
    expect(running(world)).toEqual([rootOf(late)]);
    expect(bounds(world, before)).toEqual(ONE_AFTER_THE_OTHER);
  });

  test.each(['destroyed', 'stopped'] as const)('but not when its tenant wants it %s meanwhile', (state) => {
    const given = updated();
    const { world, before, after } = given;
    lack(given);
    world.assign(after).pass(20_000);
    end(world, before);
    world.pass(30_000);
    expect(running(world)).toEqual([rootOf(before.release)]);
    const asked = request({ release: late.release, sequence: 3, state });
    const hash = hashOf(requestNoun, asked);
    world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
    world.assign({ assigned: { ...after.assigned, request: hash } }).pass(20_000);
    expect(running(world)).toEqual([]);
    expect(bounds(world, before)).toEqual(['former open', 'former close']);
    world.reboot().pass(60_000);
    expect(starts(world)).toHaveLength(2);
  });

  test('but not when neither is assigned any more', () => {
    const given = updated();
    const { world, before, after } = given;
    lack(given);
    world.assign(after).pass(20_000).assign();
    world.pass(2);
    end(world, before);
    world.pass(60_000);
    expect(starts(world)).toHaveLength(1);
    expect(world.instance(before.lease)).toBeNull();
  });
});

describe('what is to make way', () => {
  test('and ends again before it can be asked holds nothing off', () => {
    const { world, before, after } = updated({ former: { holdMs: 24 * HOUR_MS } });
    world.engine.holds = true;
    world.assign(after).pass(20_000);
    world.engine.stillborn.add(before.lease.lease);
    world.engine.crash(before.lease.lease);
    world.pass(30_000);
    expect(starts(world).slice(0, 3)).toEqual([before, before, after].map(({ release }) => rootOf(release)));
    expect(running(world)).toEqual([rootOf(late)]);
  });

  test('ends at once, at whatever time of the day, when its tenant wants it stopped', () => {
    const { world, before } = updated({ pace: CALM });
    const fromMinute = Math.floor((world.clock.now().wallMs + 2 * HOUR_MS) / 60_000) % 1440;
    const timed = (sequence: number, state: Request['state']): Placed =>
      placed(world, { release: late, lease: { term: 2 }, request: { sequence, state, windows: [{ fromMinute, minutes: 30 }] } });
    world.assign(timed(2, 'started')).pass(600_000);
    expect(running(world)).toEqual([rootOf(before.release)]);
    world.assign(timed(3, 'stopped')).pass(60_000);
    expect(running(world)).toEqual([]);
    expect(starts(world)).toHaveLength(1);
  });

  test('and never runs in two places begins again only while its lease holds', () => {
    const guarded = { leaseMs: LIMITS.leaseMs, guardians: GATEWAYS.map((name) => idOf<GatewayId>(name)) };
    const given = updated({ leased: { onIsolation: 'stop', guarded }, request: { onIsolation: 'stop' }, granters: GATEWAYS });
    const { world, before, after } = given;
    lack(given);
    world.assign(after).pass(5000);
    world.engine.crash(before.lease.lease);
    world.pass(5000);
    expect(running(world)).toEqual([rootOf(before.release)]);
    world.reboot().pass(60_000);
    expect(running(world)).toEqual([]);
    expect(starts(world)).toHaveLength(2);
    expect(bounds(world, before)).toEqual(['former open', 'former close']);
    give(given);
    world.pass(600_000);
    expect(running(world)).toEqual([rootOf(late)]);
  });

  test('waits for a day at most, though the clock of its machine begins anew with each boot [instances-23]', () => {
    const real = manualClock();
    let bootMs = 0;
    const now = (): ReturnType<ManualClock['now']> => ({ wallMs: real.now().wallMs, monoMs: real.now().monoMs - bootMs });
    const { world, before, after } = updated({ pace: CALM, clock: { ...real, now } });
    const windowIn = (ms: number) => ({ fromMinute: Math.floor((real.now().wallMs + ms) / 60_000) % 1440, minutes: 30 });
    const leased = placed(world, {
      release: late,
      lease: { term: 2, windows: [windowIn(3 * HOUR_MS)] },
      request: { sequence: 2, windows: [windowIn(HOUR_MS)] },
    });
    expect(leased.release).toBe(after.release);
    world.assign(leased).pass(600_000);
    for (const hours of [8, 8, 6]) {
      bootMs = real.now().monoMs - 5000;
      world.reboot().pass(hours * HOUR_MS);
      expect(running(world)).toEqual([rootOf(before.release)]);
    }
    world.pass(3 * HOUR_MS);
    expect(running(world)).toEqual([rootOf(late)]);
  });

  test('and was stopped by its tenant does not begin for that', () => {
    const given = updated();
    const { world, before } = given;
    lack(given);
    const asked = request({ release: before.release.release, sequence: 2, state: 'stopped' });
    const hash = hashOf(requestNoun, asked);
    world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
    world.assign({ assigned: { ...before.assigned, request: hash } }).pass(10_000);
    expect(running(world)).toEqual([]);
    const after = placed(world, { release: late, lease: { term: 2 }, request: { sequence: 3 } });
    lack({ ...given, after });
    world.assign(after).pass(60_000).reboot().pass(60_000);
    expect(starts(world)).toHaveLength(1);
    expect(world.instance(before.lease)).toBeNull();
  });

  test('and has spent its cap does not begin again', () => {
    const rates = { wallHour: 0n, cpuSecond: 100_000n, memoryMibHour: 0n, netMib: 0n, diskMib: 0n, dataMibHour: 0n };
    const given = updated({ leased: { capMicro: 3000n, rates } });
    const { world, before } = given;
    const after = placed(world, { release: late, lease: { term: 2 }, request: { sequence: 2 } });
    lack({ ...given, after });
    world.assign(after).pass(60_000);
    world.engine.crash(before.lease.lease);
    world.pass(60_000);
    expect(running(world)).toEqual([rootOf(before.release)]);
    world.pass(600_000).reboot().pass(60_000);
    expect(running(world)).toEqual([]);
    expect(world.instance(before.lease)).toBeNull();
  });

  test('is not begun again by a request for it that comes late', () => {
    const { world, before, after } = updated();
    const asked = request({ release: before.release.release, sequence: 2, parameters: { greeting: 'late' } });
    const hash = hashOf(requestNoun, asked);
    const newest = placed(world, { release: late, lease: { term: 2 }, request: { sequence: 3 } });
    lack({ world, before, after });
    world.assign({ assigned: { ...before.assigned, request: hash } }).pass(2000);
    const document = world.home.shelf.held.get(hex(newest.assigned.request))!;
    world.home.shelf.held.delete(hex(newest.assigned.request));
    world.assign(newest).pass(5000);
    world.hold([hash, seal(requestNoun, asked, keyOf('tenant'))]);
    world.pass(60_000);
    world.hold([newest.assigned.request, document]);
    for (const [key, bytes] of late.content) world.home.shelf.held.set(key, bytes);
    world.pass(600_000);
    expect(running(world)).toEqual([rootOf(late)]);
    expect(bounds(world, before)).toEqual(ONE_AFTER_THE_OTHER);
  });

  test('and was on trial itself makes way for the release before it, should it not do [instances-15]', () => {
    const { world, before, after } = updated();
    world.assign(after).pass(10_000);
    expect(running(world)).toEqual([rootOf(late)]);
    const newest = smallRelease({ recipe: 'newest', sequence: 3, label: 'newest' });
    const third = placed(world, { release: newest, lease: { term: 3 }, request: { sequence: 3 } });
    for (const key of newest.chunks) if (!late.chunks.includes(key)) world.home.shelf.held.delete(key);
    world.assign(third).pass(5000);
    world.engine.sound = (root) => root !== rootOf(late);
    world.pass(30_000);
    expect(running(world)).toEqual([rootOf(before.release)]);
    world.reboot().pass(30_000);
    expect(running(world)).toEqual([rootOf(before.release)]);
    for (const [key, bytes] of newest.content) world.home.shelf.held.set(key, bytes);
    world.pass(600_000);
    expect(running(world)).toEqual([rootOf(newest)]);
  });

  test('begins again before anything is fetched that may take long', () => {
    for (const term of [2, 3, 4, 5]) {
      const given = updated();
      const { world, before } = given;
      const after = placed(world, { release: late, lease: { term }, request: { sequence: 2 } });
      lack({ ...given, after });
      world.assign(after).pass(20_000);
      // There is a link before anything is begun.
      world.engine.broken.add('survey');
      world.reboot().pass(3000);
      world.engine.broken.delete('survey');
      world.pass(5000);
      expect(running(world)).toEqual([rootOf(before.release)]);
    }
  });
});
