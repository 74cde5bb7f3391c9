/** Promises: probed while an instance runs, held or broken, and told in the report. */

import { hookOf } from '../core/hooks.ts';
import { type Instance, instances, manifests, type Probing, type PromiseState, probes, type Run, runs } from '../core/tables.ts';
import { releaseOf } from '../core/trial.ts';
import { hex } from '../protocol/bytes.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import { beginning } from '../protocol/printable.ts';
import type { Instant } from '../turn/clock.ts';
import type { ManifestOf } from './content.ts';
import type { Of, Work } from './events.ts';

export const freshPromises = (manifest: Manifest | null, now: Instant): Record<string, PromiseState> =>
  Object.fromEntries(
    (manifest?.promises ?? []).map(({ name }) => [name, { held: null, everHeld: false, sinceMonoMs: now.monoMs, detail: '' }]),
  );

const NEVER_PROBED: Probing = { name: null, dueMonoMs: new Map() };

const probingOf = (work: Work, id: string): Probing => probes.get(work, id) ?? NEVER_PROBED;

/** All of an instance that has just been started, or found, are due. What is being probed is still to be answered. */
export const probeAnew = (work: Work, id: string): void => probes.put(work, { ...probingOf(work, id), dueMonoMs: new Map() }, id);

/** One probe at a time per instance, so that a slow one cannot pile up. */
export const tickPromises = (work: Work, manifestFor: ManifestOf, now: Instant): void => {
  for (const { key: id, value: run } of runs.all(work)) {
    const probing = probingOf(work, id);
    if (run.process !== 'running' || probing.name !== null) continue;
    const due = Object.keys(run.promises).find((name) => now.monoMs >= (probing.dueMonoMs.get(name) ?? 0));
    const instance = due === undefined ? null : instances.get(work, id);
    if (instance === null) continue;
    const manifest = manifests.get(work, id) ?? manifestFor(work, hex(releaseOf(instance)));
    const promise = manifest?.promises.find(({ name }) => name === due);
    if (promise === undefined) continue;
    const dueMonoMs = new Map(probing.dueMonoMs).set(promise.name, now.monoMs + promise.intervalMs);
    probes.put(work, { name: promise.name, dueMonoMs }, id);
    work.emit({ kind: 'partition', step: { kind: 'probe', partition: id, probe: promise.probe, timeoutMs: promise.timeoutMs } });
  }
};

/** At which `tickPromises` may do what it would not do before. */
export const promiseMoments = (work: Work): number[] =>
  runs.all(work).flatMap(({ key: id, value: { process, promises } }) => {
    const { name, dueMonoMs } = probingOf(work, id);
    return process === 'running' && name === null ? Object.keys(promises).map((one) => dueMonoMs.get(one) ?? 0) : [];
  });

/** A probe that could not be made is made again when it is next due. */
export const unprobed = (work: Work, id: string): void => probes.put(work, { ...probingOf(work, id), name: null }, id);

/** The answer to a probe under way is still to come, and the next of the same lease waits for it. */
export const forgetProbes = (work: Work, id: string): void =>
  probingOf(work, id).name === null ? probes.remove(work, id) : probeAnew(work, id);

/**
 * A promise that never held since the start is probed again soon, so that "green" is told when it is: late by an eighth of what the start
 * took, and what takes long to start is not asked hundreds of times.
 */
const EAGER_SHARE = 8;
const EAGER_MS = { least: 10, most: 250 };

const eagerMs = (run: Run, now: Instant): number =>
  Math.min(EAGER_MS.most, Math.max(EAGER_MS.least, (now.monoMs - run.startedMonoMs) / EAGER_SHARE));

export const probed = (work: Work, event: Of<'probed'>, manifestFor: ManifestOf, now: Instant): void => {
  const id = event.partition;
  const { name, dueMonoMs } = probingOf(work, id);
  const run = runs.get(work, id);
  unprobed(work, id);
  if (run === null) forgetProbes(work, id);
  const instance = instances.get(work, id);
  const state = name === null || run === null ? undefined : run.promises[name];
  if (run === null || instance === null || name === null || state === undefined) return;
  const manifest = manifests.get(work, id) ?? manifestFor(work, hex(releaseOf(instance)));
  const promise = manifest?.promises.find((candidate) => candidate.name === name);
  const eager = !event.ok && !state.everHeld && now.monoMs - run.startedMonoMs < (promise?.graceMs ?? 0);
  if (eager) {
    const afterMs = eagerMs(run, now);
    probes.put(work, { name: null, dueMonoMs: new Map(dueMonoMs).set(name, now.monoMs + afterMs) }, id);
    work.emit({ kind: 'wake', afterMs: Math.ceil(afterMs) });
  }
  // What was not known yet and does not hold has not held since the start.
  const turned = event.ok !== (state.held ?? false);
  const next: PromiseState = {
    held: event.ok,
    everHeld: state.everHeld || event.ok,
    sinceMonoMs: turned ? now.monoMs : state.sinceMonoMs,
    detail: beginning(event.detail, 200),
  };
  const isSame = next.held === state.held && next.everHeld === state.everHeld && next.detail === state.detail;
  if (!isSame) runs.put(work, { ...run, promises: { ...run.promises, [name]: next } }, id);
};

/** Until a promise first holds, at most this long passes before it counts as broken. */
export const GRACE_MS = 30_000;

/** While the start's grace lasts, a promise that never held is unknown rather than broken. */
export const promiseOf = (instance: Instance, run: Run, now: Instant): 'unknown' | 'held' | 'broken' => {
  const states = Object.values(run.promises);
  if (run.process !== 'running' || hookOf(instance) !== null) return 'unknown';
  if (states.every(({ held }) => held === true)) return 'held';
  const young = now.monoMs - run.startedMonoMs < GRACE_MS;
  return states.some(({ held }) => held === false) && !young ? 'broken' : 'unknown';
};
