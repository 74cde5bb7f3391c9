/**
 * A release on trial: with a request that names another one to fall back to, a release has to show within the grace of its
 * promises that they hold, and that they go on holding. Until it has, and if it cannot, the other is at hand.
 */
import { type Bytes, equal } from '../protocol/bytes.ts';
import type { Lease } from '../protocol/nouns/lease.ts';
import type { HookName, Manifest, PromiseSpec } from '../protocol/nouns/release.ts';
import { STEADY_MS } from './plan.ts';
import type { Content, Instance, PromiseState, Run } from './tables.ts';

/** So often it may be begun, by itself or by the power's coming back, and be over again. */
export const TRIES = 3;

/** What is to run under its lease. */
export const releaseOf = ({ lease, trial, fallback }: Instance): Bytes =>
  trial === 'failed' && fallback !== null ? fallback.release : lease.release;

/** The lease as if it were for what is to run. */
export const leaseToRun = (instance: Instance): Lease => ({ ...instance.lease, release: releaseOf(instance) });

/** What runs, or ran last, is not what is to run. */
export const isOther = (instance: Instance): boolean => instance.began !== null && !equal(instance.began, releaseOf(instance));

/** What is to run was begun under this lease before. */
export const hasBegun = (instance: Instance): boolean => instance.began !== null && !isOther(instance);

/**
 * What becomes of `/data` as the release before left it. Taken before one on trial begins that asks for it (`snapshots`), given
 * back to what takes its place again or to the hook that puts it in order for that, and else not needed. A hook lets it be.
 */
export const keptFor = (instance: Instance, begins: HookName | null, snapshots: boolean): 'take' | 'return' | 'drop' | undefined => {
  const { trial, fallback, hook } = instance;
  if (trial === 'failed') return begins === null && hook === 'changed' ? 'drop' : 'return';
  if (begins !== null) return undefined;
  return trial === 'open' && fallback !== null && snapshots ? 'take' : 'drop';
};

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;

/** How long a promise may be other than held: what held before is asked at least once more. */
const patienceOf = ({ graceMs, timeoutMs, intervalMs }: PromiseSpec, { everHeld }: PromiseState): number =>
  graceMs + timeoutMs + (everHeld ? intervalMs : 0);

/** Why it cannot be any more that it runs as it should; null: it still may. */
const objectionTo = (instance: Instance, run: Run, content: Content | null, manifest: Manifest | null, monoMs: number): string | null => {
  if (run.error !== '') return run.error;
  if (content?.phase === 'refused') return content.error;
  const isDown = run.process === 'none' || run.process === 'stopped';
  if (isDown && !run.busy && instance.begun >= TRIES)
    return `begun ${instance.begun} times${run.lastEnd === '' ? '' : `, last ${run.lastEnd}`}`;
  if (run.process !== 'running') return null;
  for (const promise of manifest?.promises ?? []) {
    const { name, graceMs } = promise;
    const state = run.promises[name];
    if (state === undefined || state.held === true || monoMs <= state.sinceMonoMs + patienceOf(promise, state)) continue;
    const what = state.detail === '' ? '' : `: ${state.detail}`;
    return state.everHeld ? `${name} broke and did not hold again${what}` : `${name} did not hold within ${seconds(graceMs)}${what}`;
  }
  return null;
};

/** From when on, unless a promise breaks, it has passed; null: a promise does not hold yet. */
const passesFrom = ({ fallback, hook }: Instance, run: Run): number | null => {
  const states = Object.values(run.promises);
  if (run.process !== 'running' || hook === 'after' || fallback === null || states.some(({ held }) => held !== true)) return null;
  return Math.max(run.startedMonoMs, ...states.map(({ sinceMonoMs }) => sinceMonoMs)) + fallback.bakeMs;
};

/** Also while what is to take its place is on its way: that may take long. Not when that is about to. */
const isOnTrial = ({ fallback, trial, wanted, supersededMonoMs, closed, hook }: Instance): boolean =>
  fallback !== null &&
  trial === 'open' &&
  (wanted === 'started' || supersededMonoMs !== null) &&
  !closed &&
  hook !== 'before' &&
  hook !== 'ready';

/** `steady`: what was over before is not held against it any more. */
export type Verdict = { kind: 'open' } | { kind: 'steady' } | { kind: 'passed' } | { kind: 'failed'; why: string };

export const verdictOf = (instance: Instance, run: Run, content: Content | null, manifest: Manifest | null, monoMs: number): Verdict => {
  if (!isOnTrial(instance)) return { kind: 'open' };
  const why = objectionTo(instance, run, content, manifest, monoMs);
  if (why !== null) return { kind: 'failed', why };
  const passesMonoMs = isOther(instance) ? null : passesFrom(instance, run);
  if (passesMonoMs !== null && monoMs >= passesMonoMs) return { kind: 'passed' };
  const isSteady = instance.begun > 0 && instance.hook !== 'after' && run.process === 'running' && monoMs - run.startedMonoMs >= STEADY_MS;
  return { kind: isSteady ? 'steady' : 'open' };
};

/** At which `verdictOf` may say what it did not say before. */
export const trialMoments = (instance: Instance, run: Run, manifest: Manifest | null): number[] => {
  if (!isOnTrial(instance) || run.process !== 'running') return [];
  const passesMonoMs = passesFrom(instance, run);
  const steadyMonoMs = instance.begun > 0 && instance.hook !== 'after' ? [run.startedMonoMs + STEADY_MS] : [];
  const ends = (manifest?.promises ?? []).flatMap((promise) => {
    const state = run.promises[promise.name];
    return state === undefined || state.held === true ? [] : [state.sinceMonoMs + patienceOf(promise, state) + 1];
  });
  return [...(passesMonoMs === null ? [] : [passesMonoMs]), ...steadyMonoMs, ...ends];
};
