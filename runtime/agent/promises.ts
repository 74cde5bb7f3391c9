/** Promises: probed while an instance runs, held or broken, and told in the report. */

import { instances, type PromiseState, probes, type Run, runs } from '../core/tables.ts';
import { hex } from '../protocol/bytes.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import type { Instant } from '../turn/clock.ts';
import type { ManifestOf } from './content.ts';
import type { Of, Work } from './events.ts';

export const freshPromises = (manifest: Manifest | null, now: Instant): Record<string, PromiseState> =>
  Object.fromEntries(
    (manifest?.promises ?? []).map(({ name }) => [name, { held: null, everHeld: false, dueMonoMs: now.monoMs, detail: '' }]),
  );

/** One probe at a time per instance, so that a slow one cannot pile up. */
export const tickPromises = (work: Work, manifestFor: ManifestOf, now: Instant): void => {
  for (const { key: id, value: run } of runs.all(work)) {
    if (run.process !== 'running' || probes.get(work, id) !== null) continue;
    const instance = instances.get(work, id);
    const due = Object.entries(run.promises).find(([, state]) => now.monoMs >= state.dueMonoMs);
    if (instance === null || due === undefined) continue;
    const promise = manifestFor(work, hex(instance.lease.release))?.promises.find(({ name }) => name === due[0]);
    if (promise === undefined) continue;
    probes.put(work, promise.name, id);
    set(work, id, run, promise.name, { ...due[1], dueMonoMs: now.monoMs + promise.intervalMs });
    work.emit({ kind: 'partition', step: { kind: 'probe', partition: id, probe: promise.probe, timeoutMs: promise.timeoutMs } });
  }
};

const set = (work: Work, id: string, run: Run, name: string, state: PromiseState): void =>
  runs.put(work, { ...run, promises: { ...run.promises, [name]: state } }, id);

/** A promise that never held since the start is probed again soon, so that "green" is told when it is. */
const EAGER_MS = 50;

export const probed = (work: Work, event: Of<'probed'>, manifestFor: ManifestOf, now: Instant): void => {
  const name = probes.get(work, event.partition);
  probes.remove(work, event.partition);
  const run = runs.get(work, event.partition);
  const instance = instances.get(work, event.partition);
  const state = name === null || run === null ? undefined : run.promises[name];
  if (run === null || instance === null || name === null || state === undefined) return;
  const promise = manifestFor(work, hex(instance.lease.release))?.promises.find((candidate) => candidate.name === name);
  const eager = !event.ok && !state.everHeld && now.monoMs - run.startedMonoMs < (promise?.graceMs ?? 0);
  if (eager) work.emit({ kind: 'wake', afterMs: EAGER_MS });
  const next: PromiseState = {
    held: event.ok,
    everHeld: state.everHeld || event.ok,
    dueMonoMs: eager ? now.monoMs + EAGER_MS : state.dueMonoMs,
    detail: event.detail.slice(0, 200),
  };
  set(work, event.partition, run, name, next);
};

/** While the start's grace lasts, a promise that never held is unknown rather than broken. */
export const promiseOf = (run: Run, graceMs: number, now: Instant): 'unknown' | 'held' | 'broken' => {
  const states = Object.values(run.promises);
  if (run.process !== 'running') return 'unknown';
  if (states.every(({ held }) => held === true)) return 'held';
  const young = now.monoMs - run.startedMonoMs < graceMs;
  return states.some(({ held }) => held === false) && !young ? 'broken' : 'unknown';
};
