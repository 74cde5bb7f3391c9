/**
 * What libraries reach for by themselves, mqtt.js and aedes above all, while a run is on: their timers go by the
 * virtual clock, their randomness comes from the seed. Put on when a run begins, taken off when it ends.
 *
 * What stays real is `process.nextTick`, promises and `setImmediate`: streams live on them. They follow one another in
 * one order only, so nothing depends on the machine as long as they have come to rest before time moves.
 */
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';

export interface StageOptions {
  clock: VirtualClock;
  chance: Chance;
  /** What `Date.now()` tells when the run begins. */
  epochMs: number;
}

export interface Stage {
  /** Something has been begun that goes on by itself: a stream was written to, a timer called. */
  touch(): void;
  /** Null when nothing has been touched since the last rest. */
  settled(): Promise<void> | null;
  /** Everything is again as it was; timers that are still set are never called. */
  leave(): void;
}

type Call = (...args: unknown[]) => void;

/** Longer waits become 1 ms in Node; `setTimeout(f)` and less than 1 too. */
const WAIT_MAX_MS = 2 ** 31 - 1;
const waitOf = (ms: unknown): number => {
  const wait = Math.trunc(Number(ms ?? 1));
  return wait >= 1 && wait <= WAIT_MAX_MS ? wait : 1;
};

/** As much of Node's `Timeout` as its users know. */
class VirtualTimer {
  readonly #clock: VirtualClock;
  readonly #call: () => void;
  readonly #waitMs: number;
  readonly #repeats: boolean;
  #dueMs: number | null = null;
  #isClosed = false;
  #undo: () => void = () => {};

  constructor(clock: VirtualClock, waitMs: number, repeats: boolean, call: () => void) {
    this.#clock = clock;
    this.#waitMs = waitMs;
    this.#repeats = repeats;
    this.#call = call;
    this.#set();
  }

  /** aedes does so at each packet: the event that is set already stays, and looks again when it comes. */
  refresh(): this {
    if (this.#isClosed) return this;
    if (this.#dueMs === null) this.#set();
    else this.#dueMs = this.#clock.nowMs + this.#waitMs;
    return this;
  }

  close(): this {
    this.#isClosed = true;
    this.#dueMs = null;
    this.#undo();
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return false;
  }

  #set(): void {
    this.#dueMs = this.#clock.nowMs + this.#waitMs;
    this.#undo = this.#clock.at(this.#dueMs, () => this.#come());
  }

  #come(): void {
    if (this.#dueMs === null) return;
    if (this.#dueMs > this.#clock.nowMs) {
      this.#undo = this.#clock.at(this.#dueMs, () => this.#come());
      return;
    }
    this.#dueMs = null;
    // Set first: the call may clear it.
    if (this.#repeats) this.#set();
    this.#call();
  }
}

/** Version 4 (RFC 9562 §5.4). */
const uuidFrom = (chance: Chance): string => {
  const bytes = chance.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
};

/** A `Date` that asks the virtual clock whenever it would have asked the machine's. */
const dateBy = (now: () => number): DateConstructor =>
  new Proxy(Date, {
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
    construct: (target, args, made) => Reflect.construct(target, args.length === 0 ? [now()] : args, made),
    apply: (target) => new target(now()).toString(),
  });

/** Puts them in place; returns the undo. */
const replace = (members: [target: object, name: string, value: unknown][]): (() => void) => {
  const former = members.map(([target, name]) => [target, name, Object.getOwnPropertyDescriptor(target, name)] as const);
  for (const [target, name, value] of members) Object.defineProperty(target, name, { value, configurable: true, writable: true });
  return () => {
    for (const [target, name, descriptor] of former) {
      if (descriptor === undefined) Reflect.deleteProperty(target, name);
      else Object.defineProperty(target, name, descriptor);
    }
  };
};

/** A run that goes round for ever says so instead of hanging. */
const ROUNDS_MAX = 1_000_000;

let isTaken = false;

/** Only one run at a time: the process has one set of globals. */
export const enterStage = ({ clock, chance, epochMs }: StageOptions): Stage => {
  if (isTaken) throw new Error('a run is on already');
  isTaken = true;
  const later = globalThis.setImmediate;
  let isTouched = false;
  let isOver = false;
  const timer =
    (repeats: boolean) =>
    (call: Call, ms?: unknown, ...args: unknown[]) =>
      new VirtualTimer(clock, waitOf(ms), repeats, () => {
        if (isOver) return;
        isTouched = true;
        call(...args);
      });
  const { clearTimeout } = globalThis;
  const clear = (one: NodeJS.Timeout | VirtualTimer | undefined) => {
    if (one instanceof VirtualTimer) one.close();
    else clearTimeout(one);
  };
  const randomUUID = () => uuidFrom(chance);
  const undo = replace([
    [globalThis, 'setTimeout', timer(false)],
    [globalThis, 'setInterval', timer(true)],
    [globalThis, 'clearTimeout', clear],
    [globalThis, 'clearInterval', clear],
    [globalThis, 'Date', dateBy(() => epochMs + clock.nowMs)],
    [performance, 'now', () => clock.nowMs],
    [Math, 'random', () => chance.unit()],
    [crypto, 'randomUUID', randomUUID],
    [globalThis.crypto, 'randomUUID', randomUUID],
  ]);
  syncBuiltinESMExports();
  const rest = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let rounds = 0;
      // Whatever was said with nextTick or a promise is over when this is called; other immediates may have been set since.
      const round = (): void => {
        if (++rounds > ROUNDS_MAX) reject(new Error(`the streams never come to rest at ${clock.nowMs} ms`));
        else if (process.getActiveResourcesInfo().includes('Immediate')) later(round);
        else {
          isTouched = false;
          resolve();
        }
      };
      later(round);
    });
  return {
    touch: () => {
      isTouched = true;
    },
    settled: () => (isTouched ? rest() : null),
    leave: () => {
      if (isOver) return;
      isOver = true;
      isTaken = false;
      undo();
      syncBuiltinESMExports();
    },
  };
};
