/** A world that stands still until it is told to move: time by hand, chance from a seed, keys from names. */

import { nodeCrypto, signerFromSeed } from '../../runtime/adapters/crypto.ts';
import { type Bytes, concat, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import type { Clock, Instant } from '../../runtime/turn/clock.ts';
import type { Entropy } from '../../runtime/turn/entropy.ts';
import type { Store } from '../../runtime/turn/store.ts';
import { type Core, startTurn, type Turn } from '../../runtime/turn/turn.ts';

export const START_MS = 1_790_000_000_000;

export interface ManualClock extends Clock {
  /** Lets time pass; what falls due on the way is called at its moment. */
  pass(ms: number): void;
  /** Time passes and nothing is called until it has, as while a machine sleeps. */
  sleep(ms: number): void;
  /** Calls what is due now until nothing is. */
  settle(): void;
}

interface Timer {
  atMs: number;
  order: number;
  call: () => void;
}

export const manualClock = (start: Instant = { wallMs: START_MS, monoMs: 1_000_000 }): ManualClock => {
  let elapsedMs = 0;
  let order = 0;
  let soon: (() => void)[] = [];
  let timers: Timer[] = [];
  const settle = (): void => {
    for (let turns = 0; soon.length > 0; turns++) {
      if (turns > 100_000) throw new Error('it never comes to rest');
      const calls = soon;
      soon = [];
      for (const call of calls) call();
    }
  };
  const pass = (ms: number): void => {
    const endMs = elapsedMs + ms;
    settle();
    for (;;) {
      const [next] = timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs || a.order - b.order);
      if (next === undefined) break;
      timers = timers.filter((one) => one !== next);
      elapsedMs = Math.max(elapsedMs, next.atMs);
      next.call();
      settle();
    }
    elapsedMs = endMs;
  };
  return {
    now: () => ({ wallMs: start.wallMs + elapsedMs, monoMs: start.monoMs + elapsedMs }),
    after: (ms, call) => {
      const timer = { atMs: elapsedMs + Math.max(0, ms), order: ++order, call };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    soon: (call) => void soon.push(call),
    settle,
    sleep: (ms) => {
      elapsedMs += ms;
      pass(0);
    },
    pass,
  };
};

/** SHA-256 in counter mode: the same bytes for the same seed, in every run. */
export const seededEntropy = (seed: string): Entropy => {
  let count = 0;
  const block = (): Bytes => nodeCrypto.sha256(utf8(`${seed}/${count++}`));
  return {
    bytes: (length) => concat(...Array.from({ length: Math.ceil(length / 32) }, block)).slice(0, length),
  };
};

const signers = new Map<string, Signer>();

/** The same key for the same name, in every run, and the same as that of `keyOf`. */
export const signerNamed = (name: string): Signer => {
  const signer = signers.get(name) ?? signerFromSeed(nodeCrypto.sha256(utf8(name)));
  signers.set(name, signer);
  return signer;
};

export interface Driven<Event, Effect> {
  turn: Turn<Event>;
  /** In the order in which they were released. */
  effects: Effect[];
  failures: { error: LichenError; events: Event[] }[];
  /** Submits, and lets the clock's present come to rest. */
  submit(...events: Event[]): void;
  /** Effects since the last call. */
  take(): Effect[];
}

export interface DriveOptions<Event, Effect> {
  core: Core<Event, Effect>;
  store: Store;
  clock: ManualClock;
  owner?: string;
  batch?: number;
  conflictsMax?: number;
  released?: (effect: Effect) => void;
  failed?: (events: Event[]) => void;
  /** Who does not ask for them gets them thrown. */
  defect?: (thrown: unknown, event: Event) => void;
}

/** A turn whose effects are kept. */
export const drive = <Event, Effect>(options: DriveOptions<Event, Effect>): Driven<Event, Effect> => {
  const { core, store, clock, owner = 'test', batch = 256, conflictsMax = 3, released = () => {}, failed = () => {} } = options;
  const effects: Effect[] = [];
  const failures: Driven<Event, Effect>['failures'] = [];
  let taken = 0;
  const turn = startTurn<Event, Effect>({
    ...{ store, clock, core, owner, batch, conflictsMax },
    release: (effect) => {
      effects.push(effect);
      released(effect);
    },
    failed: (error, events) => {
      failures.push({ error, events });
      failed(events);
    },
    defect:
      options.defect ??
      ((thrown) => {
        throw thrown;
      }),
  });
  return {
    ...{ turn, effects, failures },
    submit: (...events) => {
      for (const event of events) turn.submit(event);
      clock.settle();
    },
    take: () => {
      const fresh = effects.slice(taken);
      taken = effects.length;
      return fresh;
    },
  };
};
