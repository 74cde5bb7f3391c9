/** What is to make way for another release on its board, and does not yet: it runs, and begins again should it end. */
import { closedUntil, follows, holdsOffUntil, isStanding, supersededInBoot } from '../core/succession.ts';
import { anchors, contents, type Instance, instances, manifests, ONE, type Run, runs } from '../core/tables.ts';
import { releaseOf } from '../core/trial.ts';
import { hex } from '../protocol/bytes.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Work } from './events.ts';

type Held = { key: string; value: Instance };

export const successorOf = (work: Work, { lease }: Instance): Held | null =>
  instances.all(work).find(({ value }) => value.wanted !== 'gone' && follows(value.lease, lease)) ?? null;

/** As far as the board knows it. */
export const wallNow = (work: Work, now: Instant): number | null => {
  const anchor = anchors.get(work, ONE);
  return anchor === null ? null : Math.round(anchor.wallMs + now.monoMs - anchor.monoMs);
};

/** What it is to make way for; null: it is not to run, or nothing is to run after it. */
const nextFor = (work: Work, instance: Instance, run: Run): Instance | null => {
  const next = isStanding(instance, run) ? successorOf(work, instance)?.value : undefined;
  return next !== undefined && (next.wanted === 'started' || next.wanted === 'unknown') ? next : null;
};

/** Moments until which an update waits for it: it asks for that itself, or it is not the time of the day. */
const untils = (work: Work, id: string, instance: Instance, now: Instant): number[] => {
  const since = instance.supersededMonoMs;
  const run = since === null ? null : runs.get(work, id);
  const next = run === null ? null : nextFor(work, instance, run);
  // It was not to stay any longer when its hook began.
  if (since === null || run === null || next === null || instance.hook === 'before' || instance.hook === 'ready') return [];
  const own = holdsOffUntil(since, run, manifests.get(work, id), next.holdMs);
  const closed = closedUntil(since, next, { wallMs: wallNow(work, now), monoMs: now.monoMs });
  return [own, closed].filter((moment) => moment !== null);
};

/** While what is to take its place cannot begin yet, it goes on: an update over a bad link takes its time. */
const bridges = (work: Work, instance: Instance, run: Run): boolean => {
  const next = nextFor(work, instance, run);
  if (next === null) return false;
  const isWrong = (runs.get(work, next.lease.lease)?.error ?? '') !== '';
  // When it may begin stands in its request, which is still on its way.
  return contents.get(work, hex(releaseOf(next)))?.phase !== 'held' || isWrong || next.wanted === 'unknown';
};

export const staysFor = (work: Work, id: string, instance: Instance, run: Run, now: Instant): boolean =>
  bridges(work, instance, run) || untils(work, id, instance, now).some((untilMonoMs) => now.monoMs < untilMonoMs);

/** Upon a start of the runtime. Where a boot is new, no process of before it is left that its newest record could be behind. */
export const stayInBoot = (work: Work, { bootId }: Board, id: string, instance: Instance, now: Instant): void => {
  const since = instance.supersededMonoMs;
  if (since === null || instance.bootId === bootId) return;
  const supersededMonoMs = supersededInBoot(since, instance, now.monoMs);
  instances.put(work, { ...instance, supersededMonoMs, bootId, recordedMonoMs: Math.round(now.monoMs) }, id);
};

/** At which `staysFor` may say what it did not say before. */
export const stayMoments = (work: Work, now: Instant): number[] =>
  instances.all(work).flatMap(({ key, value }) => untils(work, key, value, now));
