/** One round of reading after the other, and what has become of sources that were there before. */
import type { Source } from './sources.ts';

export interface Reading {
  source: string;
  kind: string;
  unit: string;
  label: string | null;
  /** `null` when it could not be read. */
  value: number | null;
  /** When `value` was read, or was last read: ISO 8601 by this board's clock. `null`: never. */
  at: string | null;
  /** `gone`: its file is no longer there. `unreadable`: it is there and gives no number; `why` says what happened. */
  state: 'live' | 'gone' | 'unreadable';
  why: string | null;
}

export interface Now {
  wallMs: number;
  monotonicMs: number;
}

export interface Readings {
  round(now: Now): void;
  /** Live ones first, each group in the order in which the kernel lists them. */
  all(): Reading[];
  /** Since the last round that read anything; infinite before the first. */
  ageMs(now: Now): number;
}

/** A board that is replugged all day must not fill the memory with what has gone. */
const GONE_KEPT = 32;

const readOne = (source: Source, before: Reading | undefined, wallMs: number): Reading => {
  const { read, ...said } = source;
  try {
    return { ...said, value: read(), at: new Date(wallMs).toISOString(), state: 'live', why: null };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...said, value: null, at: before?.at ?? null, state: 'unreadable', why };
  }
};

export const openReadings = (sources: () => Source[]): Readings => {
  const known = new Map<string, Reading>();
  let lastMs = Number.NEGATIVE_INFINITY;
  const isLive = ({ state }: Reading): boolean => state === 'live';
  return {
    round: (now) => {
      const present = sources().map((source) => readOne(source, known.get(source.source), now.wallMs));
      const names = new Set(present.map(({ source }) => source));
      const gone = [...known.values()]
        .filter(({ source }) => !names.has(source))
        .map((reading): Reading => ({ ...reading, value: null, state: 'gone', why: `${reading.source} is no longer there` }));
      known.clear();
      for (const reading of [...present, ...gone.slice(0, GONE_KEPT)]) known.set(reading.source, reading);
      if (present.some(isLive)) lastMs = now.monotonicMs;
    },
    all: () => [...known.values()].sort((a, b) => Number(isLive(b)) - Number(isLive(a))),
    ageMs: (now) => now.monotonicMs - lastMs,
  };
};
