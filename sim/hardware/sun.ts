/**
 * What a panel gives: half a sine over `sunHours` around noon (UTC: a scenario has no longitude), less what the clouds of
 * that day take. Each day's clouds are drawn once, in the order of days, evenly around the average that was asked for.
 */
import type { Chance } from '../world/chance.ts';

export const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export interface SunSpec {
  panelW: number;
  sunHours: number;
  cloudPermille: number;
}

/** From sunrise to sunset, or a night: then `peakW` is 0. Moments are simulated ms. */
export interface Daylight {
  fromMs: number;
  toMs: number;
  peakW: number;
}

export class Sun {
  readonly #spec: SunSpec;
  readonly #startsMs: number;
  readonly #chance: Pick<Chance, 'unit'>;
  readonly #firstDay: number;
  readonly #peakW: number[] = [];

  /** `startsMs`: wall time at simulated 0. */
  constructor(spec: SunSpec, startsMs: number, chance: Pick<Chance, 'unit'>) {
    this.#spec = spec;
    this.#startsMs = startsMs;
    this.#chance = chance;
    this.#firstDay = Math.floor(startsMs / DAY_MS);
  }

  /** The daylight or the night that this moment lies in; its end is the beginning of the next. */
  at(atMs: number): Daylight {
    const day = Math.floor((this.#startsMs + atMs) / DAY_MS);
    const dayFromMs = day * DAY_MS - this.#startsMs;
    const halfMs = Math.round((Math.min(24, Math.max(0, this.#spec.sunHours)) * HOUR_MS) / 2);
    const riseMs = dayFromMs + DAY_MS / 2 - halfMs;
    const setMs = dayFromMs + DAY_MS / 2 + halfMs;
    if (halfMs === 0) return { fromMs: dayFromMs, toMs: dayFromMs + DAY_MS, peakW: 0 };
    if (atMs < riseMs) return { fromMs: riseMs - (DAY_MS - 2 * halfMs), toMs: riseMs, peakW: 0 };
    if (atMs >= setMs) return { fromMs: setMs, toMs: setMs + (DAY_MS - 2 * halfMs), peakW: 0 };
    return { fromMs: riseMs, toMs: setMs, peakW: this.#peak(day - this.#firstDay) };
  }

  #peak(day: number): number {
    while (this.#peakW.length <= day) {
      const cloud = this.#spec.cloudPermille / 1000;
      const spread = Math.min(cloud, 1 - cloud);
      this.#peakW.push(this.#spec.panelW * (1 - (cloud - spread + 2 * spread * this.#chance.unit())));
    }
    return this.#peakW[day] ?? 0;
  }
}

/** Millijoules between two moments of one daylight. */
export const harvestMj = ({ fromMs, toMs, peakW }: Daylight, beginMs: number, endMs: number): number => {
  if (peakW === 0) return 0;
  const lengthMs = toMs - fromMs;
  const phase = (atMs: number): number => Math.cos((Math.PI * (atMs - fromMs)) / lengthMs);
  return ((peakW * lengthMs) / Math.PI) * (phase(beginMs) - phase(endMs));
};

/** The next moment after `atMs` in this daylight at which the panel gives exactly `watts`; null: none is left. */
export const givesAt = ({ fromMs, toMs, peakW }: Daylight, watts: number, atMs: number): number | null => {
  if (watts <= 0 || watts >= peakW) return null;
  const intoMs = (Math.asin(watts / peakW) * (toMs - fromMs)) / Math.PI;
  for (const moment of [fromMs + intoMs, toMs - intoMs]) if (Math.floor(moment) > atMs) return Math.floor(moment);
  return null;
};
