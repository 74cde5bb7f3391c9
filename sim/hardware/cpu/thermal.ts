/**
 * How hot the processor is and how fast it may run. First order: it nears `air + watts × °C/W` exponentially. Between
 * `throttleC` and `hardC` the clock falls evenly to its floor ("progressively throttled back", the maker says), which
 * lowers the watts of a board that has more to do than it gets done. That makes three stretches of temperature, linear
 * each, so the whole course is known in closed form and nothing is stepped.
 *
 * Reading changes nothing: the course is computed from the last change of load, air or power, so that a run is the
 * same whoever looks at it.
 */
import type { Hardware } from '../profiles.ts';
import { wattsAt } from './watts.ts';

export const ROOM_C = 25;

/** A stretch of temperatures in which the processor nears `targetC` with this time constant. */
interface Stretch {
  fromC: number;
  toC: number;
  targetC: number;
  tauMs: number;
}

export class Thermal {
  readonly #hardware: Hardware;
  readonly #roomC: number;
  #airC: number;
  #demandPermille = 0;
  #on = false;
  #sinceMs: number;
  #sinceC: number;
  #stretches: Stretch[];

  /** Off, and as warm as the air. */
  constructor(hardware: Hardware, roomC = ROOM_C, atMs = 0) {
    this.#hardware = hardware;
    this.#roomC = roomC;
    this.#airC = roomC;
    this.#sinceMs = atMs;
    this.#sinceC = roomC;
    this.#stretches = this.#plan();
  }

  /** `demandPermille`: what programs would use if nothing were slowed, of all cores. */
  load(atMs: number, demandPermille: number): void {
    if (demandPermille === this.#demandPermille) return;
    this.#turn(atMs);
    this.#demandPermille = demandPermille;
    this.#stretches = this.#plan();
  }

  power(atMs: number, on: boolean): void {
    if (on === this.#on) return;
    this.#turn(atMs);
    this.#on = on;
    this.#stretches = this.#plan();
  }

  /** The air around the board; null: as in the beginning. */
  heat(atMs: number, airC: number | null): void {
    this.#turn(atMs);
    this.#airC = airC ?? this.#roomC;
    this.#stretches = this.#plan();
  }

  celsius(atMs: number): number {
    return this.#travel(Math.max(0, atMs - this.#sinceMs), null).celsius;
  }

  /** It runs, and slower than it could. */
  throttled(atMs: number): boolean {
    return this.#on && this.celsius(atMs) > this.#hardware.thermal.throttleC;
  }

  /** Of full speed; 1000 while it is cool. */
  speedPermille(atMs: number): number {
    return Math.round(this.#speed(this.celsius(atMs)) * 1000);
  }

  watts(atMs: number): number {
    if (!this.#on) return 0;
    return wattsAt(this.#hardware, Math.min(this.#demandPermille, this.#speed(this.celsius(atMs)) * 1000));
  }

  /** The first moment after `atMs` at which `throttled` answers otherwise; null: never, as things are. */
  nextChange(atMs: number): number | null {
    if (!this.#on) return null;
    const { throttleC } = this.#hardware.thermal;
    const is = this.throttled(atMs);
    const { restMs } = this.#travel(Number.POSITIVE_INFINITY, throttleC);
    if (restMs === null) return null;
    // At the crossing itself a rounding error decides: the whole millisecond after it is looked for.
    const due = Math.max(atMs + 1, Math.floor(this.#sinceMs + restMs));
    for (let at = due; at <= due + 2; at++) if (this.throttled(at) !== is) return at;
    return null;
  }

  #speed(celsius: number): number {
    const { throttleC, hardC, throttledPermille } = this.#hardware.thermal;
    const share = Math.min(1, Math.max(0, (celsius - throttleC) / (hardC - throttleC)));
    return 1 - share * (1 - throttledPermille / 1000);
  }

  #turn(atMs: number): void {
    this.#sinceC = this.celsius(atMs);
    this.#sinceMs = Math.max(this.#sinceMs, atMs);
  }

  #plan(): Stretch[] {
    const { thermal, idleWatts, maxWatts } = this.#hardware;
    const { cPerWatt, throttleC, hardC } = thermal;
    const tauMs = thermal.tauS * 1000;
    const [low, high] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    if (!this.#on) return [{ fromC: low, toC: high, targetC: this.#airC, tauMs }];
    const floor = thermal.throttledPermille / 1000;
    const demand = Math.min(1, this.#demandPermille / 1000);
    const target = (busy: number): number => this.#airC + cPerWatt * wattsAt(this.#hardware, busy * 1000);
    const below = { fromC: low, targetC: target(demand), tauMs };
    // So little to do that it gets done at the floor: slowing saves nothing.
    if (demand <= floor || floor >= 1) return [{ ...below, toC: high }];
    const slope = (1 - floor) / (hardC - throttleC);
    /** Where the falling speed becomes less than the demand. */
    const kneeC = throttleC + (1 - demand) / slope;
    const feedback = cPerWatt * (maxWatts - idleWatts) * slope;
    const atZeroC = target(0) + cPerWatt * (maxWatts - idleWatts) * (1 + slope * throttleC);
    return [
      { ...below, toC: kneeC },
      { fromC: kneeC, toC: hardC, targetC: atZeroC / (1 + feedback), tauMs: tauMs / (1 + feedback) },
      { fromC: hardC, toC: high, targetC: target(floor), tauMs },
    ];
  }

  /** From the last change on: how warm after `forMs`, and after what time it stood at `stopC` (null: it did not get there). */
  #travel(forMs: number, stopC: number | null): { celsius: number; restMs: number | null } {
    let celsius = this.#sinceC;
    if (celsius === stopC) return { celsius, restMs: 0 };
    let leftMs = forMs;
    let spentMs = 0;
    for (let rounds = 0; rounds <= this.#stretches.length; rounds++) {
      const stretch = this.#stretchAt(celsius);
      if (stretch === null) break;
      const { targetC, tauMs } = stretch;
      const rises = targetC > celsius;
      let edgeC = rises ? stretch.toC : stretch.fromC;
      const stops = stopC !== null && (rises ? stopC > celsius && stopC <= edgeC : stopC < celsius && stopC >= edgeC);
      if (stops) edgeC = stopC;
      const isBeyond = rises ? targetC > edgeC : targetC < edgeC;
      const edgeMs = isBeyond ? tauMs * Math.log((targetC - celsius) / (targetC - edgeC)) : Number.POSITIVE_INFINITY;
      if (edgeMs > leftMs) return { celsius: targetC + (celsius - targetC) * Math.exp(-leftMs / tauMs), restMs: null };
      if (edgeMs === Number.POSITIVE_INFINITY) return { celsius: targetC, restMs: null };
      spentMs += edgeMs;
      leftMs -= edgeMs;
      celsius = edgeC;
      if (stops) return { celsius, restMs: spentMs };
    }
    return { celsius, restMs: null };
  }

  /** The stretch that it is in, or on whose edge it stands and into which it moves; null: it rests on an edge. */
  #stretchAt(celsius: number): Stretch | null {
    for (const stretch of this.#stretches) {
      const { fromC, toC, targetC } = stretch;
      if (celsius < fromC || celsius > toC) continue;
      if ((celsius === toC && targetC >= celsius) || (celsius === fromC && targetC <= celsius)) continue;
      return stretch;
    }
    return null;
  }
}
