/** Hooks of `/data` around an update: begun, watched, and what becomes of the update when one fails. */
import { bequeathed, endedWell, hookOf, isHopeless, lateFrom, needsAfter, needsBefore, termsOf, unended } from '../core/hooks.ts';
import { restartDelayMs } from '../core/plan.ts';
import { type Instance, instances, manifests, type Run, runs } from '../core/tables.ts';
import { leaseToRun } from '../core/trial.ts';
import { asLichenError, LichenError } from '../protocol/errors.ts';
import type { HookName, Manifest } from '../protocol/nouns/release.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Of, Work } from './events.ts';
import { successorOf } from './staying.ts';
import { manifestFor } from './verified.ts';

/** Of what is to make way: it may have been told to before its runtime began, and then nobody has looked yet. */
const manifestIfSound = (work: Work, board: Board, instance: Instance): Manifest | null => {
  try {
    return manifestFor(work, board, leaseToRun(instance));
  } catch (thrown) {
    // What may not be begun any more has no hook that may.
    if (asLichenError(thrown).code === 'internal') throw thrown;
    return null;
  }
};

export const leavesFirst = (work: Work, board: Board, instance: Instance): boolean => {
  if (instance.supersededMonoMs === null || instance.wanted !== 'gone' || instance.began === null) return false;
  const next = successorOf(work, instance)?.value ?? null;
  return next !== null && needsBefore(instance, next, manifestIfSound(work, board, instance));
};

/** The hook with which it is to begin; null: with its program. */
export const hookFirst = (work: Work, id: string, instance: Instance): HookName | null => {
  const manifest = manifests.get(work, id);
  return manifest !== null && needsAfter(instance, manifest) ? 'after' : null;
};

/** `/data` are about to go to the next lease: what that has to do with them is written down before. */
export const bequeath = (work: Work, instance: Instance, heir: { key: string; value: Instance }): void =>
  instances.put(work, { ...heir.value, ...bequeathed(instance, heir.value) }, heir.key);

const told = (work: Work, id: string, why: LichenError): void => {
  const run = runs.get(work, id);
  if (run !== null) runs.put(work, { ...run, error: why.message }, id);
};

/** The release that is to come is what is refused: on trial, the one before goes on in its place; else that waits for a word of its tenant. */
export const failHook = (work: Work, id: string, instance: Instance, hook: HookName, why: string): void => {
  const error = new LichenError('hook-failed', `${hook}: ${why}`);
  work.emit({ kind: 'journal', line: `instance ${id}: ${error.message}` });
  instances.put(work, { ...instance, hook: unended(hook), begun: 0 }, id);
  told(work, hook === 'after' ? id : (successorOf(work, instance)?.key ?? id), error);
};

/** One that ended by itself. What was told to end is none any more. */
export const hookEnded = (work: Work, { partition: id, exit, said = '' }: Of<'stopped'>, now: Instant): void => {
  const [instance, run] = [instances.get(work, id), runs.get(work, id)];
  const hook = instance === null ? null : hookOf(instance);
  if (instance === null || run === null || hook === null) return;
  if (exit.code === 0) {
    instances.put(work, { ...instance, hook: endedWell(hook), begun: 0 }, id);
    return;
  }
  // Nobody knows how it ended, or it was killed, as by its deadline: it is begun anew.
  if (exit.code === null && !exit.oomKilled && (exit.signal === null || exit.signal === 'SIGKILL')) {
    runs.put(work, { ...run, retryMonoMs: now.monoMs + restartDelayMs(instance.begun) }, id);
    return;
  }
  const how = exit.oomKilled ? 'out of memory' : `exit ${exit.code ?? exit.signal}`;
  failHook(work, id, instance, hook, said === '' ? how : `${how}: ${said}`);
};

/** One that takes too long, or is cut again and again. */
export const tendHook = (work: Work, board: Board, id: string, instance: Instance, run: Run, now: Instant): void => {
  const hook = hookOf(instance);
  if (hook === null) return;
  if (isHopeless(instance, run)) {
    failHook(work, id, instance, hook, `begun ${instance.begun} times and cut each time`);
    return;
  }
  const manifest = manifestIfSound(work, board, instance);
  const lateMonoMs = lateFrom(instance, run, manifest);
  if (lateMonoMs === null || run.busy || now.monoMs < lateMonoMs) return;
  failHook(work, id, instance, hook, `not done within ${(termsOf(hook, manifest)?.withinMs ?? 0) / 1000} s`);
  const failed = runs.get(work, id) ?? run;
  runs.put(work, { ...failed, process: 'stopping', busy: true }, id);
  work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
};

/** At which `tendHook` may do what it would not do before. */
export const hookMoments = (work: Work): number[] =>
  runs.all(work).flatMap(({ key, value: run }) => {
    const instance = run.process === 'running' ? instances.get(work, key) : null;
    return instance === null ? [] : (lateFrom(instance, run, manifests.get(work, key)) ?? []);
  });
