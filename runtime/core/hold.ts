/**
 * For how long a guarded lease holds. Each guardian's grant holds from the moment at which the board asked for it, by the
 * board's monotonic clock; the lease holds while the grants of a majority do.
 */
import { LIMITS } from '../protocol/limits.ts';
import { majorityOf } from '../protocol/nouns/grant.ts';
import type { Guarded } from '../protocol/nouns/lease.ts';

/** So much before its end an instance is told to end, so that it can do so in good order. */
export const PARTING_MS = LIMITS.killMs;
/** Two renewals may be lost. */
const RENEWALS = 3;
/** What waits for its guardians asks more often. */
const ASKINGS = 12;

/** `asked`: guardian → when the newest renewal that it granted was sent. In the past: it does not hold. */
export const holdsUntil = ({ leaseMs, guardians }: Guarded, asked: ReadonlyMap<string, number>): number => {
  const moments = guardians.flatMap((guardian) => asked.get(guardian) ?? []).sort((a, b) => b - a);
  const least = moments[majorityOf(guardians.length) - 1];
  return least === undefined ? Number.NEGATIVE_INFINITY : least + leaseMs;
};

/** From when on nothing of it may be started, and what runs is told to end. */
export const partsFrom = (untilMonoMs: number): number => untilMonoMs - PARTING_MS;

/** How long after a renewal the next one is sent. */
export const renewsAfterMs = (leaseMs: number, isHeld: boolean): number => Math.floor(leaseMs / (isHeld ? RENEWALS : ASKINGS));
