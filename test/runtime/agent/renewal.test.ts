/** What must never run in two places: it runs while a majority of its guardians grants it, and ends in time. */
import { describe, expect, test } from 'vitest';
import type { GatewayId } from '../../../runtime/protocol/ids.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import type { Grant } from '../../../runtime/protocol/nouns/grant.ts';
import { BoardWorld, type Placed, placed } from '../../support/board-world.ts';
import { GATEWAYS, idOf } from '../../support/federation.ts';
import { grantOf } from '../../support/paper-gateway.ts';

const { leaseMs } = LIMITS;
const GUARDIANS = GATEWAYS.map((name) => idOf<GatewayId>(name));

const guardedWorld = (granters: string[] = GATEWAYS.slice(0, 2)): { world: BoardWorld; one: Placed } => {
  const world = new BoardWorld().pair();
  const stop = { onIsolation: 'stop' as const };
  const one = placed(world, { request: stop, lease: { ...stop, guarded: { leaseMs, guardians: GUARDIANS } } });
  for (const gateway of world.gateways) gateway.granters = granters;
  world.assign(one).pass(3000);
  return { world, one };
};

const runs = (world: BoardWorld, { lease }: Placed): boolean => world.engine.cells.get(lease.lease)?.running === true;
const asks = (world: BoardWorld): number => world.gateways.reduce((sum, { renewals }) => sum + renewals.length, 0);
const lastAsked = (world: BoardWorld) => world.gateways.flatMap(({ renewals }) => renewals).at(-1)!;
const nobodyGrants = (world: BoardWorld): void => {
  for (const gateway of world.gateways) gateway.granters = [];
};

describe('a guarded instance', () => {
  test('starts once a majority of its guardians has granted it, and not before [guardians-3, guardians-5]', () => {
    const { world, one } = guardedWorld(['gateway b']);
    world.pass(leaseMs);
    expect(runs(world, one)).toBe(false);
    for (const gateway of world.gateways) gateway.granters = ['gateway b', 'gateway c'];
    world.pass(leaseMs / 12 + 1000);
    expect(runs(world, one)).toBe(true);
  });

  test('is renewed thrice in a lease, and goes on', () => {
    const { world, one } = guardedWorld();
    const before = asks(world);
    world.pass(10 * leaseMs);
    expect(runs(world, one)).toBe(true);
    expect(asks(world) - before).toBeGreaterThanOrEqual(29);
    expect(asks(world) - before).toBeLessThanOrEqual(32);
    expect(world.engine.did('start')).toHaveLength(1);
  });

  test('ends before its lease does when nobody grants it, and starts again when somebody does [guardians-4]', () => {
    const { world, one } = guardedWorld();
    nobodyGrants(world);
    const { monoMs } = world.clock.now();
    world.pass(leaseMs);
    expect(runs(world, one)).toBe(false);
    expect(world.engine.did('stop')).toHaveLength(1);
    expect(world.clock.now().monoMs - monoMs).toBeLessThanOrEqual(leaseMs);
    expect(world.records.map(({ kind }) => kind)).not.toContain('close');
    for (const gateway of world.gateways) gateway.granters = GATEWAYS;
    world.pass(leaseMs / 12 + 2000);
    expect(runs(world, one)).toBe(true);
  });

  test('ends while its board is cut off, and what is left to tell is told later', () => {
    const { world, one } = guardedWorld();
    for (const gateway of world.gateways) gateway.up = false;
    world.cut();
    world.pass(leaseMs);
    expect(runs(world, one)).toBe(false);
  });

  test('is killed when its board cannot end it [guardians-6]', () => {
    const { world, one } = guardedWorld();
    world.engine.broken.add('stop');
    nobodyGrants(world);
    world.pass(leaseMs);
    expect(runs(world, one)).toBe(false);
    expect(world.engine.cells.get(one.lease.lease)?.exit).toMatchObject({ signal: 'SIGKILL' });
  });

  test('asks at once in a new session', () => {
    const { world } = guardedWorld();
    world.pass(1000);
    const before = asks(world);
    world.cut();
    world.pass(3000);
    expect(asks(world)).toBe(before + 1);
  });

  test('that its tenant has stopped is not renewed', () => {
    const { world } = guardedWorld();
    world.assign();
    world.pass(2000);
    const before = asks(world);
    world.pass(2 * leaseMs);
    expect(asks(world)).toBe(before);
  });

  test('of a board on which nothing would kill it never runs', () => {
    const world = new BoardWorld();
    world.offer.enforces = { ...world.offer.enforces, deadline: false };
    world.restart().pair();
    const stop = { onIsolation: 'stop' as const };
    const one = placed(world, { request: stop, lease: { ...stop, guarded: { leaseMs, guardians: GUARDIANS } } });
    for (const gateway of world.gateways) gateway.granters = GATEWAYS;
    world.assign(one).pass(5000);
    expect(world.engine.did('start')).toEqual([]);
    expect(world.state(one.lease)).toMatchObject({ state: 'refused', detail: expect.stringContaining('not-offered') });
  });
});

describe('a grant', () => {
  /** Nobody grants any more, but for this one, which comes late. */
  const late = (afterMs: number, changes: Partial<Grant> = {}, by = ['gateway a', 'gateway b']) => {
    const { world, one } = guardedWorld();
    nobodyGrants(world);
    const before = asks(world);
    while (asks(world) === before) world.pass(500);
    const askedMonoMs = world.clock.now().monoMs;
    const renewal = lastAsked(world);
    world.pass(afterMs);
    for (const name of by) world.message('grant', grantOf(renewal, name, changes));
    world.pass(1000);
    return { world, one, askedMonoMs };
  };

  test('counts from when it was asked for, however late it comes [guardians-2]', () => {
    const { world, one, askedMonoMs } = late(30_000);
    const deadlines = world.engine.steps.flatMap((step) => (step.kind === 'extend' ? [step.deadlineMonoMs] : []));
    expect(Math.max(...deadlines)).toBeLessThanOrEqual(askedMonoMs + leaseMs);
    world.pass(leaseMs - 36_000);
    expect(runs(world, one)).toBe(false);
  });

  test.each<[string, Partial<Grant>, string[]]>([
    ['for another nonce', { nonce: new Uint8Array(16) }, ['gateway a', 'gateway b']],
    ['for another board', { board: idOf('board 2') }, ['gateway a', 'gateway b']],
    ['in the name of another', { guardian: idOf('gateway c') }, ['gateway a', 'gateway b']],
    ['of another lease', { leases: [idOf('nothing')] }, ['gateway a', 'gateway b']],
    ['of one alone, twice', {}, ['gateway a', 'gateway a']],
    ['of nobody who is listed', {}, ['gateway a', 'stranger']],
  ])('%s counts for nothing [guardians-1]', (_name, changes, by) => {
    const { world } = late(1000, changes, by);
    const last = world.engine.steps.findLast((step) => step.kind === 'extend');
    world.pass(2 * leaseMs);
    expect(world.engine.steps.findLast((step) => step.kind === 'extend')).toBe(last);
    expect([...world.engine.cells.values()].some(({ running }) => running)).toBe(false);
  });
});

describe('what was granted before', () => {
  test('is nothing after a power cut [guardians-5]', () => {
    const { world, one } = guardedWorld();
    nobodyGrants(world);
    world.reboot().pass(leaseMs);
    expect(runs(world, one)).toBe(false);
    expect(world.engine.did('start')).toHaveLength(1);
  });

  test('lasts until the deadline that stands outside of a runtime that ends', () => {
    const { world, one } = guardedWorld();
    nobodyGrants(world);
    world
      .off(2000)
      .restart()
      .pass(leaseMs / 2);
    expect(runs(world, one)).toBe(true);
    expect(world.engine.did('stop')).toEqual([]);
    world.pass(leaseMs / 2);
    expect(runs(world, one)).toBe(false);
  });

  test('is not charged beyond that deadline, however late its end is told', () => {
    const { world, one } = guardedWorld();
    const beganMs = BigInt(world.clock.now().monoMs);
    nobodyGrants(world);
    const until = world.engine.cells.get(one.lease.lease)?.deadlineMonoMs ?? 0;
    world.clock.sleep(5 * leaseMs);
    world.pass(10_000);
    const last = world.records.at(-1)!;
    expect(last.registers.wallMs).toBeLessThanOrEqual(BigInt(until) - beganMs + 3000n);
    expect(last.registers.wallMs).toBeGreaterThan(0n);
  });
});
