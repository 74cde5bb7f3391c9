/** The one clock of a virtual world: events in order of their moment, those of one moment in the order they were set. */
import type { Clock, Instant } from '../../runtime/turn/clock.ts';

export interface VirtualClock {
  /** Simulated time, ms since the run began. */
  readonly nowMs: number;
  /** Events carried out so far. */
  readonly events: number;
  /** Calls at this moment, or now when it is past; returns the undo. */
  at(atMs: number, call: () => void): () => void;
  /** After what is under way now, before time moves. */
  soon(call: () => void): void;
  /** When the next event is due; null: never. */
  next(): number | null;
  /** Carries out what is due at the next moment, and all that follows from it at once. */
  step(): void;
  /** Time stands at this moment in the end. */
  runTo(atMs: number): void;
}

interface Timer {
  atMs: number;
  order: number;
  /** Null once undone; it stays in the heap until its moment. */
  call: (() => void) | null;
}

const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap (Williams 1964). */
class Heap {
  readonly #items: Timer[] = [];

  get first(): Timer | undefined {
    return this.#items[0];
  }

  push(item: Timer): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above];
      if (parent === undefined || !isBefore(item, parent)) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  pop(): void {
    const items = this.#items;
    const last = items.pop();
    if (last === undefined || items.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = items[below];
      const other = items[below + 1];
      if (child === undefined) break;
      if (other !== undefined && isBefore(other, child)) {
        child = other;
        below++;
      }
      if (!isBefore(child, last)) break;
      items[at] = child;
      at = below;
    }
    items[at] = last;
  }
}

/** A world whose events never end at one moment is broken, and says so instead of hanging. */
const EVENTS_OF_A_MOMENT = 10_000_000;

export const virtualClock = (): VirtualClock => {
  const timers = new Heap();
  let soon: (() => void)[] = [];
  let next: (() => void)[] = [];
  let nowMs = 0;
  let order = 0;
  let events = 0;

  const settle = (): void => {
    for (let rounds = 0; soon.length > 0; rounds++) {
      if (rounds > EVENTS_OF_A_MOMENT) throw new Error(`the world never comes to rest at ${nowMs} ms`);
      [soon, next] = [next, soon];
      for (const call of next) call();
      events += next.length;
      next.length = 0;
    }
  };
  const due = (): Timer | undefined => {
    for (;;) {
      const timer = timers.first;
      if (timer === undefined || timer.call !== null) return timer;
      timers.pop();
    }
  };
  const step = (): void => {
    settle();
    const first = due();
    if (first === undefined) return;
    const { atMs } = first;
    nowMs = Math.max(nowMs, atMs);
    for (let timer: Timer | undefined = first; timer !== undefined && timer.atMs <= nowMs; timer = due()) {
      timers.pop();
      const { call } = timer;
      timer.call = null;
      events++;
      call?.();
      settle();
    }
  };
  return {
    get nowMs() {
      return nowMs;
    },
    get events() {
      return events;
    },
    at: (atMs, call) => {
      const timer: Timer = { atMs: Math.max(nowMs, atMs), order: ++order, call };
      timers.push(timer);
      return () => {
        timer.call = null;
      };
    },
    soon: (call) => void soon.push(call),
    next: () => (soon.length > 0 ? nowMs : (due()?.atMs ?? null)),
    step,
    runTo: (atMs) => {
      settle();
      for (let timer = due(); timer !== undefined && timer.atMs <= atMs; timer = due()) step();
      nowMs = Math.max(nowMs, atMs);
    },
  };
};

/** The clock door of one life of a machine, by its own hands. `does` is asked what becomes of each call: a life may be over. */
export const machineClock = (world: VirtualClock, hands: (atMs: number) => Instant, does: (call: () => void) => void): Clock => ({
  now: () => hands(world.nowMs),
  after: (ms, call) => world.at(world.nowMs + Math.max(0, ms), () => does(call)),
  soon: (call) => world.soon(() => does(call)),
});

/** While a life lasts. */
export const whileAlive =
  (alive: () => boolean) =>
  (call: () => void): void => {
    if (alive()) call();
  };
