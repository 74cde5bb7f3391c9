/** One lease of an instance after the other on one board, and how long the former may hold the latter off. */
import { equal } from '../protocol/bytes.ts';
import type { Lease } from '../protocol/nouns/lease.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import { waitsUntil } from './opening.ts';
import type { Instance, Run } from './tables.ts';

/** Of the same replica, in a later term. */
export const follows = (next: Lease, before: Lease): boolean =>
  next.request === before.request && next.index === before.index && next.term > before.term;

export const isUpdateOf = (next: Lease, before: Lease): boolean => follows(next, before) && !equal(next.release, before.release);

/**
 * Is to go on while another release cannot take its place: what ended by itself, or with the power, begins again. What is wrong
 * with it keeps it from that, and not from running on.
 */
export const isStanding = ({ supersededMonoMs, opened, closed }: Instance, { process, error }: Run): boolean =>
  supersededMonoMs !== null && opened && !closed && (process === 'running' || error === '');

/**
 * Since when it is to make way, after a boot with which monotonic clocks began anew: what had passed by its newest record has
 * passed. How long the power was away nobody knows.
 */
export const supersededInBoot = (sinceMonoMs: number, { recordedMonoMs }: Instance, nowMonoMs: number): number =>
  Math.round(nowMonoMs - Math.max(0, recordedMonoMs - sinceMonoMs));

/** Who was not asked yet may hold it off. What ended by itself and did so again before it could be asked may not. */
const mayHold = ({ process, holds, streak }: Run): boolean => holds === true || (holds === null && (process === 'running' || streak === 0));

/**
 * Until when it may hold off the next release, by its own manifest and by the request that asks for the next: the shorter of
 * both. Null: it may not.
 */
export const holdsOffUntil = (sinceMonoMs: number, run: Run, manifest: Manifest | null, tenantMs: number | null): number | null => {
  const holdMs = Math.min(manifest?.holdMs ?? 0, tenantMs ?? Number.POSITIVE_INFINITY);
  return holdMs === 0 || !mayHold(run) ? null : sinceMonoMs + holdMs;
};

/**
 * Until when it stays because its tenant or its board's owner lets releases change at other times of the day only; null:
 * it need not. Who knows no time waits as long as anybody may have to. `wallMs`: as of now, null: not known.
 */
export const closedUntil = (sinceMonoMs: number, next: Instance, now: { wallMs: number | null; monoMs: number }): number | null =>
  waitsUntil(sinceMonoMs, now, next.windows ?? undefined, next.lease.windows);
