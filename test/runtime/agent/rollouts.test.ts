/** What a board does of a rollout: says how the release did, stays with the one before, and changes at the right time of the day. */
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { unseal } from '../../../runtime/protocol/noun.ts';
import { type Outcome, outcomeNoun } from '../../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import type { Request, Rollout } from '../../../runtime/protocol/nouns/request.ts';
import type { Window } from '../../../runtime/protocol/nouns/windows.ts';
import { BOARD, BoardWorld, PACE, type Placed, placed } from '../../support/board-world.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { type SmallRelease, smallRelease } from '../../support/small-release.ts';

const BAKE_MS = 60_000;
const HOUR_MS = 3_600_000;
const old = smallRelease();
const fresh = smallRelease({ recipe: 'echo', sequence: 2, label: 'new', parameters: { greeting: '', colour: 'red' } });
const rootOf = ({ release }: SmallRelease): string => `/roots/${hex(release).slice(0, 8)}`;
const rollout: Rollout = { waves: [{ kind: 'count', count: 1 }], tolerated: 0 };
const fallback = { release: old.release, bakeMs: BAKE_MS };

const running = (world: BoardWorld): string[] =>
  [...world.engine.cells.values()].filter(({ running: isUp }) => isUp).map(({ spec }) => spec.rootPath);
/** Looks around and writes as rarely as a board at peace: for hours, of which each second is one like another. */
const CALM = { tickMs: 10_000, meterMs: 60_000, recordMs: 900_000, reportMs: 900_000 };

const started = (pace: typeof PACE | typeof CALM = PACE): { world: BoardWorld; before: Placed } => {
  const world = new BoardWorld(pace).pair();
  const before = placed(world, { release: old });
  world.assign(before).pass(30_000);
  expect(running(world)).toEqual([rootOf(old)]);
  return { world, before };
};
const update = (world: BoardWorld, request: Partial<Request> = {}, lease: Partial<Lease> = {}): Placed => {
  const after = placed(world, { release: fresh, lease: { term: 2, ...lease }, request: { sequence: 2, fallback, rollout, ...request } });
  world.assign(after);
  return after;
};
const said = (world: BoardWorld, { lease }: Placed): Outcome | null => {
  const document = world.state(lease)?.outcome;
  if (document === undefined) return null;
  const { value, signer } = unseal(testCrypto, outcomeNoun, document);
  expect(signer).toEqual(keyOf('board 1').publicKey);
  return value;
};

describe('of a release on trial its board says, signed [instances-18],', () => {
  test('that it passed, and goes on saying so', () => {
    const { world } = started();
    const after = update(world);
    world.pass(BAKE_MS - 5000);
    expect(said(world, after)).toBeNull();
    world.pass(20_000);
    const told = { v: 1, board: BOARD, lease: after.lease.lease, release: fresh.release, sequence: 2, result: 'passed', why: '' };
    expect(said(world, after)).toEqual(told);
    world.reboot().pass(20_000);
    expect(said(world, after)).toEqual(told);
  });

  test('that it failed and why, and when it is asked for again, how it does then', () => {
    const { world } = started();
    world.engine.sound = (root) => root !== rootOf(fresh);
    const after = update(world);
    world.pass(20_000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(said(world, after)).toMatchObject({ result: 'failed', sequence: 2, why: 'answers did not hold within 3 s: no answer' });
    const again = placed(world, { release: fresh, lease: { term: 2 }, request: { sequence: 3, fallback, rollout } });
    world.engine.sound = () => true;
    world.assign({ ...again, assigned: { ...again.assigned, lease: after.assigned.lease } }).pass(20_000);
    expect(said(world, after)).toBeNull();
    world.pass(BAKE_MS);
    expect(said(world, after)).toMatchObject({ result: 'passed', sequence: 3 });
  });
});

describe('what a rollout has not reached [instances-22]', () => {
  test('goes on untouched under the request that asks for another release', () => {
    const { world, before } = started();
    const asked = placed(world, {
      release: fresh,
      request: { sequence: 2, fallback, rollout, parameters: { greeting: 'moin', colour: 'blue' } },
    });
    world.assign({ ...asked, assigned: { lease: before.assigned.lease, request: asked.assigned.request } }).pass(60_000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(world.engine.steps.filter(({ kind }) => kind === 'start')).toHaveLength(1);
    expect(world.instance(before.lease)).toMatchObject({ sequence: 2, fallback: null });
    expect(world.state(before.lease)).toMatchObject({ state: 'running', promise: 'held' });
    world.reboot().pass(10_000);
    expect(running(world)).toEqual([rootOf(old)]);
  });

  test('is not what a request without waves asks for [trust-9]', () => {
    const { world, before } = started();
    const asked = placed(world, { release: fresh, request: { sequence: 2, fallback } });
    world.assign({ ...asked, assigned: { lease: before.assigned.lease, request: asked.assigned.request } }).pass(10_000);
    expect(world.journal.some((line) => line.includes('the tenant asked for another release'))).toBe(true);
    expect(world.instance(before.lease)?.sequence).toBe(1);
  });
});

/** Of a length, that begins so long after now by the clock of the board. */
const windowIn = (world: BoardWorld, ms: number, minutes: number): Window => ({
  fromMinute: Math.floor((world.clock.now().wallMs + ms) / 60_000) % 1440,
  minutes,
});

describe('an update waits for the time of the day [instances-23]', () => {
  test('that its tenant names', () => {
    const { world } = started(CALM);
    update(world, { windows: [windowIn(world, 2 * HOUR_MS, 30)] });
    world.pass(2 * HOUR_MS - 120_000);
    expect(running(world)).toEqual([rootOf(old)]);
    world.pass(180_000);
    expect(running(world)).toEqual([rootOf(fresh)]);
  });

  test("that its board's owner names, and for both at once", () => {
    const { world } = started(CALM);
    update(world, { windows: [windowIn(world, HOUR_MS, 120)] }, { windows: [windowIn(world, 2 * HOUR_MS, 120)] });
    world.pass(HOUR_MS + 600_000);
    expect(running(world)).toEqual([rootOf(old)]);
    world.pass(HOUR_MS);
    expect(running(world)).toEqual([rootOf(fresh)]);
  });

  test('for a day at most, where the two never meet', () => {
    const { world } = started(CALM);
    update(world, { windows: [windowIn(world, HOUR_MS, 30)] }, { windows: [windowIn(world, 3 * HOUR_MS, 30)] });
    world.pass(23 * HOUR_MS);
    expect(running(world)).toEqual([rootOf(old)]);
    world.pass(2 * HOUR_MS);
    expect(running(world)).toEqual([rootOf(fresh)]);
  });

  test('and is called off meanwhile without a trace', () => {
    const { world, before } = started(CALM);
    update(world, { windows: [windowIn(world, 2 * HOUR_MS, 30)] });
    world.pass(HOUR_MS);
    world.assign(before).pass(3 * HOUR_MS);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(world.engine.steps.filter(({ kind }) => kind === 'start')).toHaveLength(1);
  });

  test('but going back to what held does not', () => {
    const { world } = started();
    world.engine.sound = (root) => root !== rootOf(fresh);
    update(world, { windows: [windowIn(world, 0, 2)] });
    world.pass(600_000);
    expect(running(world)).toEqual([rootOf(old)]);
    expect(world.engine.steps.flatMap((step) => (step.kind === 'start' ? [step.spec.rootPath] : []))).toEqual(
      [old, fresh, old].map(rootOf),
    );
  });
});
