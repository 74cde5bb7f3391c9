/**
 * What a sensor measures at a moment. Sine, trace and noise are functions of the moment alone; a walk takes a step each
 * minute whether anybody looks or not. So a reading is the same however often the sensor was read before.
 */
import type { ReadSpec, SensorSpec } from '../scenario/scenario.ts';
import type { Chance } from '../world/chance.ts';

export const SENSOR_FAULTS = ['stuck', 'noisy', 'drifting', 'absent'] as const;
export type SensorFault = (typeof SENSOR_FAULTS)[number];

const hasBounds = ({ least, most, promised }: ReadSpec): boolean => least !== null || most !== null || promised;

/** Whether such a fault can make a difference to who reads it so: a wrong value does to whoever looks at the value. */
export const heeds = (read: ReadSpec, how: SensorFault): boolean =>
  how === 'absent' || hasBounds(read) || (how === 'stuck' && read.sameMs !== null);

export const WALK_EVERY_MS = 60_000;
/** Noise is new so often; two readings within are the same, as of a chip that converts once a second. */
export const NOISE_EVERY_MS = 1000;
/** Of the sensor's span, gained in an hour by one that drifts. */
export const DRIFTS_PER_HOUR = 0.05;
/** Noise of one that is noisy, of its span, each way. */
export const NOISY_SHARE = 0.5;

const HOUR_MS = 3_600_000;

/** 32 bits well mixed (the finish of MurmurHash3), so that noise needs no memory. */
const mixed = (seed: number, index: number): number => {
  let hash = seed ^ Math.imul(index, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};

/** In [-1, 1]. */
const swingOf = (seed: number, index: number): number => (2 * mixed(seed, index)) / 0xffff_ffff - 1;

const extent = (points: { value: number }[]): number => {
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { value } of points) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return most - least;
};

/** Between the least and the most that it tells when well; never 0. */
const spanOf = ({ source }: SensorSpec): number => {
  if (source.kind === 'constant') return Math.max(1, Math.abs(source.value));
  if (source.kind === 'sine') return Math.max(Number.EPSILON, Math.abs(2 * source.swing));
  if (source.kind === 'walk') return Math.max(Number.EPSILON, source.most - source.least);
  return extent(source.points) || 1;
};

interface Failing {
  how: SensorFault;
  sinceMs: number;
  heldAt: number;
  /** Somebody read it who heeds that. Once is as good as often. */
  felt(): void;
}

export class Sensor {
  readonly spec: SensorSpec;
  readonly #span: number;
  readonly #noiseSeed: number;
  readonly #walkSeed: number;
  #walked: { steps: number; value: number };
  #cursor = 0;
  /** In the order in which they began; the newest is what it does. */
  #failing: Failing[] = [];

  constructor(spec: SensorSpec, chance: Pick<Chance, 'below'>) {
    this.spec = spec;
    this.#span = spanOf(spec);
    this.#noiseSeed = chance.below(2 ** 32);
    this.#walkSeed = chance.below(2 ** 32);
    this.#walked = { steps: 0, value: spec.source.kind === 'walk' ? spec.source.from : 0 };
  }

  /** Null: it does not answer. Moments must not go back further than a walk's last step. */
  read(atMs: number): number | null {
    const fault = this.#failing.at(-1);
    if (fault === undefined) return this.#well(atMs);
    if (fault.how === 'absent') return null;
    if (fault.how === 'stuck') return fault.heldAt;
    if (fault.how === 'drifting') return this.#well(atMs) + (this.#span * DRIFTS_PER_HOUR * (atMs - fault.sinceMs)) / HOUR_MS;
    return this.#well(atMs) + this.#span * NOISY_SHARE * swingOf(~this.#noiseSeed, Math.floor(atMs / NOISE_EVERY_MS));
  }

  /** Takes the place of an earlier fault until what it returns is called. */
  fail(atMs: number, how: SensorFault, felt: () => void = () => {}): () => void {
    const failing: Failing = { how, sinceMs: atMs, heldAt: this.#well(atMs), felt };
    this.#failing.push(failing);
    return () => {
      this.#failing = this.#failing.filter((one) => one !== failing);
    };
  }

  /** A program reads it so: what is wrong with it then is not in vain. */
  readBy(read: ReadSpec): void {
    const fault = this.#failing.at(-1);
    if (fault !== undefined && heeds(read, fault.how)) fault.felt();
  }

  /** For how long it has told exactly what it tells; it looks back no further than `mostMs`. */
  sameMs(atMs: number, mostMs: number): number {
    const fault = this.#failing.at(-1);
    const ms =
      fault === undefined
        ? this.#wellSameMs(atMs, mostMs)
        : fault.how === 'stuck'
          ? atMs - fault.sinceMs + this.#wellSameMs(fault.sinceMs, mostMs)
          : fault.how === 'noisy'
            ? atMs % NOISE_EVERY_MS
            : 0;
    return Math.min(ms, mostMs);
  }

  #wellSameMs(atMs: number, mostMs: number): number {
    const { source, noise } = this.spec;
    if (noise !== 0) return atMs % NOISE_EVERY_MS;
    if (source.kind === 'constant') return mostMs;
    if (source.kind === 'sine') return source.swing === 0 ? mostMs : 0;
    if (source.kind === 'walk') return source.step === 0 ? mostMs : atMs % WALK_EVERY_MS;
    return this.#replayedSameMs(source.points, atMs, mostMs);
  }

  #well(atMs: number): number {
    const { noise } = this.spec;
    const value = this.#source(atMs);
    return noise === 0 ? value : value + noise * swingOf(this.#noiseSeed, Math.floor(atMs / NOISE_EVERY_MS));
  }

  #source(atMs: number): number {
    const { source } = this.spec;
    if (source.kind === 'constant') return source.value;
    if (source.kind === 'sine') return source.mean + source.swing * Math.sin((2 * Math.PI * (atMs % source.periodMs)) / source.periodMs);
    if (source.kind === 'trace') return this.#replayed(source.points, atMs);
    const steps = Math.floor(atMs / WALK_EVERY_MS);
    while (this.#walked.steps < steps) {
      const next = this.#walked.value + source.step * swingOf(this.#walkSeed, ++this.#walked.steps);
      this.#walked.value = reflected(next, source.least, source.most);
    }
    return this.#walked.value;
  }

  /** The newest point that is not after the moment. */
  #replayed(points: { atMs: number; value: number }[], atMs: number): number {
    if (points.length < 2) return points[0]?.value ?? 0;
    const roundMs = roundOf(points);
    const intoMs = atMs % roundMs;
    const isAt = (index: number): boolean => {
      const point = points[index];
      return point !== undefined && point.atMs <= intoMs && intoMs < (points[index + 1]?.atMs ?? roundMs);
    };
    if (!isAt(this.#cursor)) this.#cursor = isAt(this.#cursor + 1) ? this.#cursor + 1 : newestBefore(points, intoMs);
    return points[this.#cursor]?.value ?? 0;
  }

  /** Point by point backwards, the last one before the first. */
  #replayedSameMs(points: { atMs: number; value: number }[], atMs: number, mostMs: number): number {
    if (points.length < 2) return mostMs;
    const value = this.#replayed(points, atMs);
    const roundMs = roundOf(points);
    const at = this.#cursor;
    const heldMs = (atMs % roundMs) - (points[at]?.atMs ?? 0);
    for (let back = 1; back < points.length; back++) {
      const before = points[(at - back + points.length) % points.length];
      const after = points[(at - back + 1 + points.length) % points.length];
      const ms = heldMs + (((points[at]?.atMs ?? 0) - (after?.atMs ?? 0) + roundMs) % roundMs);
      if (before?.value !== value || ms >= mostMs) return ms;
    }
    return mostMs;
  }
}

/** After its last point a trace begins anew one mean gap later. */
const roundOf = (points: { atMs: number }[]): number => {
  const lastMs = points.at(-1)?.atMs ?? 0;
  return lastMs + Math.ceil(lastMs / (points.length - 1));
};

/** A walk turns at its bounds; sticking to them, it would be there half of the time. */
const reflected = (value: number, least: number, most: number): number => {
  const inside = value > most ? 2 * most - value : value < least ? 2 * least - value : value;
  return Math.min(most, Math.max(least, inside));
};

const newestBefore = (points: { atMs: number }[], atMs: number): number => {
  let [low, high] = [0, points.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((points[middle]?.atMs ?? 0) <= atMs) low = middle;
    else high = middle - 1;
  }
  return low;
};
