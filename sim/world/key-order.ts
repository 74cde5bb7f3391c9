/**
 * The keys of one table in order, as runs of bounded length that follow on one another: what comes or goes moves the keys
 * of one run, however many there are. Most keys come last, as their last part is a number that rises.
 */
import type { Key } from '../../runtime/turn/store.ts';

const RUN_MOST = 512;

/** Where the first key stands that is not below this one. */
const placeIn = (run: readonly Key[], key: Key): number => {
  let [low, high] = [0, run.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((run[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
};

export class KeyOrder {
  /** None of them is empty. */
  readonly #runs: Key[][] = [];
  readonly #most: number;

  /** `most`: keys of a run, 2 at least. */
  constructor(keys: Key[], most = RUN_MOST) {
    this.#most = most;
    keys.sort();
    for (let from = 0; from < keys.length; from += most) this.#runs.push(keys.slice(from, from + most));
  }

  /** One that is not there. */
  add(key: Key): void {
    const last = this.#runs.at(-1);
    if (last === undefined || (last.length >= this.#most && (last.at(-1) ?? '') < key)) {
      this.#runs.push([key]);
      return;
    }
    const at = this.#runOf(key);
    const run = this.#runs[at] ?? last;
    run.splice(placeIn(run, key), 0, key);
    if (run.length > this.#most) this.#runs.splice(at + 1, 0, run.splice(this.#most >>> 1));
  }

  /** One that is there. */
  delete(key: Key): void {
    const at = this.#runOf(key);
    const run = this.#runs[at] ?? [];
    run.splice(placeIn(run, key), 1);
    if (run.length === 0) this.#runs.splice(at, 1);
  }

  /** Keys in [from, to), in order, until `take` has had enough. */
  walk(from: Key, to: Key, reverse: boolean, take: (key: Key) => boolean): void {
    const start = reverse ? to : from;
    let at = this.#runOf(start);
    let run = this.#runs[at] ?? [];
    const step = reverse ? -1 : 1;
    for (let i = placeIn(run, start) - (reverse ? 1 : 0); ; i += step) {
      if (i < 0 || i >= run.length) {
        at += step;
        const next = this.#runs[at];
        if (next === undefined) return;
        run = next;
        i = reverse ? run.length - 1 : 0;
      }
      const key = run[i] ?? '';
      if ((reverse ? key < from : key >= to) || !take(key)) return;
    }
  }

  /** The run in which this key stands or would: the last that does not begin above it. */
  #runOf(key: Key): number {
    const runs = this.#runs;
    let [low, high] = [0, runs.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((runs[middle]?.[0] ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}
