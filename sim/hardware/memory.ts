/**
 * Whom the kernel's OOM killer takes. An instance over its own limit is taken by its cgroup (memory.max with
 * memory.oom.group, Documentation/admin-guide/cgroup-v2.rst); when the board itself has no more, the largest goes, since
 * oom_badness() scores by pages used and Lichen gives none of its partitions a bias. The runtime is biased out of it.
 */

export interface Resident {
  id: string;
  usedMib: number;
  limitMib: number;
  /** While it runs; 0 for most, 1 for one that leaks. */
  growsMibPerS: number;
}

export interface Board {
  memoryMib: number;
  /** Firmware, system and runtime. */
  systemMib: number;
}

export interface Victim {
  id: string;
  why: 'own-limit' | 'board-full';
}

/** Whoever is taken now, or null. Taking one may not be enough: ask again without it. Of equals the first goes. */
export const oomVictim = (board: Board, residents: readonly Resident[]): Victim | null => {
  for (const { id, usedMib, limitMib } of residents) if (usedMib > limitMib) return { id, why: 'own-limit' };
  const used = residents.reduce((sum, { usedMib }) => sum + usedMib, board.systemMib);
  if (used <= board.memoryMib) return null;
  const [first, ...others] = residents;
  if (first === undefined) return null;
  const largest = others.reduce((most, one) => (one.usedMib > most.usedMib ? one : most), first);
  return { id: largest.id, why: 'board-full' };
};

/** In how many ms somebody is taken if all go on growing as they do; null: never. 0: now. */
export const oomInMs = (board: Board, residents: readonly Resident[]): number | null => {
  let free = board.memoryMib - board.systemMib;
  let grows = 0;
  let soonest = Number.POSITIVE_INFINITY;
  for (const { usedMib, limitMib, growsMibPerS } of residents) {
    free -= usedMib;
    grows += growsMibPerS;
    soonest = Math.min(soonest, untilOver(limitMib - usedMib, growsMibPerS));
  }
  soonest = residents.length === 0 ? soonest : Math.min(soonest, untilOver(free, grows));
  return Number.isFinite(soonest) ? soonest : null;
};

/** Memory is over its limit only past it: the first whole ms after it is reached. */
const untilOver = (roomMib: number, growsMibPerS: number): number => {
  if (roomMib < 0) return 0;
  return growsMibPerS > 0 ? Math.floor((roomMib * 1000) / growsMibPerS) + 1 : Number.POSITIVE_INFINITY;
};
