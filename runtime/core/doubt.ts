/** What a board does about a gateway that gave it something else than it asked for. */
import { LIMITS } from '../protocol/limits.ts';
import type { Doubt } from './tables.ts';

/** Once may be a rotten block, which the gateway mends when it is told; who does so again about one piece is left. */
const TIMES_LEFT = 2;
/** With each time it is asked again twice as late, up to so many times its patience. */
const LATER_MOST = 64;

/** `before`: what was known of the piece; of another gateway it does not count. */
export const doubtAnew = (before: Doubt | null, by: string, patienceMs: number, nowMs: number): Doubt => {
  const times = (before?.by === by ? before.times : 0) + 1;
  return { by, times, untilMonoMs: nowMs + patienceMs * Math.min(LATER_MOST, 2 ** (times - 1)) };
};

export const isLie = ({ times }: Doubt): boolean => times >= TIMES_LEFT;

export const shunnedUntil = (nowMs: number): number => nowMs + LIMITS.liarMs;

/** Those that told the truth so far come first; else in their own order. */
export const liarsLast = <T extends { gateway: string }>(candidates: readonly T[], isShunned: (gateway: string) => boolean): T[] => [
  ...candidates.filter(({ gateway }) => !isShunned(gateway)),
  ...candidates.filter(({ gateway }) => isShunned(gateway)),
];
