/** A process that hangs. */
import { describe, expect, test } from 'vitest';
import { machineClock, virtualClock } from '../../../sim/world/clock.ts';
import { freezer } from '../../../sim/world/freeze.ts';

const setUp = () => {
  const world = virtualClock();
  let isAlive = true;
  const frost = freezer(() => isAlive);
  const clock = machineClock(world, (atMs) => ({ wallMs: atMs, monoMs: atMs }), frost.does);
  const told: boolean[] = [];
  const did: string[] = [];
  const say = (what: string) => () => void did.push(`${what} at ${clock.now().monoMs}`);
  return { world, clock, frost, told, did, say, die: () => (isAlive = false), tell: (goesOn: boolean) => void told.push(goesOn) };
};

describe('a process that hangs', () => {
  test('does nothing, and then all that it has missed, in order', () => {
    const { world, clock, frost, told, did, say, tell } = setUp();
    clock.after(10, say('one'));
    clock.after(20, say('two'));
    world.runTo(5);
    const wake = frost.freeze(tell);
    clock.soon(say('now'));
    world.runTo(100);
    expect([did, told]).toEqual([[], [false]]);
    wake();
    expect(did).toEqual(['now at 100', 'one at 100', 'two at 100']);
    clock.after(1, say('again'));
    world.runTo(200);
    expect([did.at(-1), told]).toEqual(['again at 101', [false, true]]);
  });

  test('that is killed misses nothing any more', () => {
    const { world, clock, frost, told, did, say, die, tell } = setUp();
    const wake = frost.freeze(tell);
    clock.after(10, say('one'));
    world.runTo(20);
    die();
    wake();
    expect([did, told]).toEqual([[], [false]]);
  });

  test('hangs once at a time', () => {
    const { frost, told, tell } = setUp();
    const wake = frost.freeze(tell);
    frost.freeze(tell)();
    expect(told).toEqual([false]);
    wake();
    expect(told).toEqual([false, true]);
  });
});
