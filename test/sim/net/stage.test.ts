import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { enterStage, type Stage } from '../../../sim/net/stage.ts';
import { chanceFrom } from '../../../sim/world/chance.ts';
import { type VirtualClock, virtualClock } from '../../../sim/world/clock.ts';

const EPOCH_MS = 1_790_000_000_000;

let clock: VirtualClock;
let stage: Stage;
const enter = (seed = 'stage'): void => {
  clock = virtualClock();
  stage = enterStage({ clock, chance: chanceFrom(seed), epochMs: EPOCH_MS });
};
beforeEach(() => enter());
afterEach(() => stage.leave());

describe('timers', () => {
  test('go by the virtual clock, in their order', () => {
    const called: string[] = [];
    const say = (word: string) => called.push(`${word} ${clock.nowMs}`);
    setTimeout(say, 20, 'b');
    setTimeout(say, 10, 'a');
    setTimeout(say, 20, 'c');
    clock.runTo(15);
    expect(called).toEqual(['a 10']);
    clock.runTo(100);
    expect(called).toEqual(['a 10', 'b 20', 'c 20']);
  });

  test('are taken back', () => {
    const never = () => expect.unreachable();
    clearTimeout(setTimeout(never, 5));
    clearInterval(setInterval(never, 5));
    clearTimeout(undefined);
    clock.runTo(100);
  });

  test('repeat until they are cleared, also by themselves', () => {
    const called: number[] = [];
    const interval = setInterval(() => {
      called.push(clock.nowMs);
      if (called.length === 3) clearInterval(interval);
    }, 10);
    clock.runTo(100);
    expect(called).toEqual([10, 20, 30]);
  });

  test('begin anew when refreshed, before they are due and after', () => {
    const called: number[] = [];
    const timer = setTimeout(() => called.push(clock.nowMs), 10);
    clock.runTo(8);
    timer.refresh();
    clock.runTo(17);
    timer.refresh();
    clock.runTo(40);
    expect(called).toEqual([27]);
    timer.refresh();
    clock.runTo(60);
    expect(called).toEqual([27, 50]);
    timer.refresh();
    clearTimeout(timer);
    timer.refresh();
    clock.runTo(200);
    expect(called).toEqual([27, 50]);
  });

  test('wait 1 ms where Node does', () => {
    const called: number[] = [];
    for (const ms of [0, -5, Number.NaN, undefined, 2 ** 31]) setTimeout(() => called.push(clock.nowMs), ms);
    clock.runTo(2);
    expect(called).toEqual([1, 1, 1, 1, 1]);
  });

  test('of before can still be cleared', async () => {
    stage.leave();
    const real = setTimeout(() => expect.unreachable(), 1);
    enter();
    clearTimeout(real);
    stage.leave();
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  test('still set when the run ends are never called', () => {
    setTimeout(() => expect.unreachable(), 5);
    stage.leave();
    clock.runTo(10);
  });
});

test('the time of day is virtual, and a date that is given stays what it is', () => {
  clock.runTo(1234);
  expect(Date.now()).toBe(EPOCH_MS + 1234);
  expect(new Date().toISOString()).toBe(new Date(EPOCH_MS + 1234).toISOString());
  expect(Date()).toBe(new Date(EPOCH_MS + 1234).toString());
  expect(new Date(5).getTime()).toBe(5);
  expect(new Date() instanceof Date).toBe(true);
  expect(Date.UTC(2026, 0)).toBe(1_767_225_600_000);
  expect(performance.now()).toBe(1234);
});

test('chance comes from the seed, also where it was imported before', () => {
  const draw = () => [Math.random(), Math.random(), randomUUID(), crypto.randomUUID()];
  const first = draw();
  expect(first[2]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(first).size).toBe(4);
  stage.leave();
  enter();
  expect(draw()).toEqual(first);
  stage.leave();
  enter('another');
  expect(draw()).not.toEqual(first);
});

test('everything is as it was when the run is over, and only one is on at a time', () => {
  expect(() => enterStage({ clock, chance: chanceFrom('second'), epochMs: 0 })).toThrow('on already');
  const during = [setTimeout, setInterval, clearTimeout, clearInterval, Date, Math.random, randomUUID, performance.now];
  stage.leave();
  const after = [setTimeout, setInterval, clearTimeout, clearInterval, Date, Math.random, randomUUID, performance.now];
  during.forEach((one, i) => expect(one).not.toBe(after[i]));
  expect(Date.now()).not.toBe(EPOCH_MS);
  expect(Object.hasOwn(performance, 'now')).toBe(false);
  expect(Object.hasOwn(crypto, 'randomUUID')).toBe(false);
  enter();
});

describe('rest', () => {
  test('has come when every promise, tick and immediate has', async () => {
    const steps: number[] = [];
    const step = (left: number): void => {
      steps.push(left);
      if (left === 0) return;
      if (left % 3 === 0) setImmediate(step, left - 1);
      else if (left % 3 === 1) process.nextTick(step, left - 1);
      else void Promise.resolve().then(() => step(left - 1));
    };
    step(60);
    stage.touch();
    await stage.settled();
    expect(steps.at(-1)).toBe(0);
  });

  test('is there while nothing has been touched, and a timer touches', async () => {
    expect(stage.settled()).toBeNull();
    stage.touch();
    await stage.settled();
    expect(stage.settled()).toBeNull();
    setTimeout(() => {}, 5);
    expect(stage.settled()).toBeNull();
    clock.runTo(5);
    expect(stage.settled()).not.toBeNull();
  });
});
