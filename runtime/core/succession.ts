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
 * Until when what runs may hold off the next release, by its own manifest and by the request that asks for the next: the
 * shorter of both. Null: it may not.
 */
export const holdsOffUntil = (
  { supersededMonoMs, opened, closed }: Instance,
  run: Run,
  manifest: Manifest | null,
  tenantMs: number | null,
): number | null => {
  const holdMs = Math.min(manifest?.holdMs ?? 0, tenantMs ?? Number.POSITIVE_INFINITY);
  // Who was not asked yet may hold it off.
  const may = run.process === 'running' && run.holds !== false && opened && !closed;
  return supersededMonoMs === null || holdMs === 0 || !may ? null : supersededMonoMs + holdMs;
};

/**
 * Until when what runs stays because its tenant or its board's owner lets releases change at other times of the day only; null:
 * it need not. Who knows no time waits as long as anybody may have to. `wallMs`: as of now, null: not known.
 */
export const closedUntil = (
  { supersededMonoMs, opened, closed }: Instance,
  run: Run,
  next: Instance,
  now: { wallMs: number | null; monoMs: number },
): number | null => {
  const isUp = run.process === 'running' && opened && !closed;
  return supersededMonoMs === null || !isUp ? null : waitsUntil(supersededMonoMs, now, next.windows ?? undefined, next.lease.windows);
};
