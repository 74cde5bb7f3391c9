/**
 * Hooks of `/data` around an update: `before` of the release that leaves, `after` of the one that comes. Which is to be begun
 * follows from what is written down before it is, so that whatever is cut is begun anew and nothing is left out.
 */
import { type Bytes, equal } from '../protocol/bytes.ts';
import type { Hook, HookName, Manifest } from '../protocol/nouns/release.ts';
import type { Instance, Run } from './tables.ts';
import { releaseOf, TRIES } from './trial.ts';

/** What runs, or ran last, is that hook and not a program; null: it is a program. */
export const hookOf = ({ hook }: Instance): HookName | null => (hook === 'before' || hook === 'after' ? hook : null);

/** What is to begin finds `/data` that are in order for another release. */
export const needsAfter = ({ hook }: Instance, manifest: Manifest): boolean =>
  (hook === 'due' || hook === 'after') && manifest.data?.after !== undefined;

/** The release for which `/data` are in order, for whoever finds them: what a hook changed is undone unless a program of its release begins. Null: nobody's. */
export const dataOf = ({ began, hook, left }: Instance): Bytes | null =>
  hook === 'due' || hook === 'after' || hook === 'changed' ? left : (began ?? left);

/** On the way back. What takes its place again finds `/data` as it left it; what was never here finds those of the release before it. */
export const onReturn = ({ left, fallback }: Instance): Instance['hook'] =>
  left !== null && fallback !== null && !equal(left, fallback.release) ? 'due' : 'none';

/** It has a program's data to put in order, for a release that is another one. */
export const needsBefore = (instance: Instance, next: Instance | null, manifest: Manifest | null): boolean =>
  (instance.hook === 'none' || instance.hook === 'before') &&
  instance.began !== null &&
  manifest?.data?.before !== undefined &&
  next?.wanted === 'started' &&
  !equal(instance.began, releaseOf(next));

/** Of the lease that is to have the `/data` of one that ends. In doubt `after` runs once more, rather than not at all. */
export const bequeathed = (instance: Instance, heir: Instance): Pick<Instance, 'hook' | 'left'> => {
  const { began, hook } = instance;
  const isUnready = hook === 'due' || hook === 'after' || hook === 'changed';
  const isOthers = began !== null && !equal(began, releaseOf(heir));
  return { hook: isUnready || isOthers ? 'due' : 'none', left: dataOf(instance) };
};

/** What did not end well is begun anew when it is its turn again. */
export const unended = (hook: HookName): Instance['hook'] => (hook === 'after' ? 'due' : 'none');

/** When a program is begun: what was written down of a hook before it is over, but for whether `after` is still due, or has been. */
export const atProgram = ({ hook }: Instance): Instance['hook'] =>
  hook === 'ready' ? 'none' : hook === 'before' || hook === 'after' ? unended(hook) : hook;

export const endedWell = (hook: HookName): Instance['hook'] => (hook === 'after' ? 'changed' : 'ready');

export const termsOf = (hook: HookName, manifest: Manifest | null): Hook | null => manifest?.data?.[hook] ?? null;

/** From when on it has failed; null: none runs, or nothing is known of it. */
export const lateFrom = (instance: Instance, run: Run, manifest: Manifest | null): number | null => {
  const hook = hookOf(instance);
  const terms = hook === null || run.process !== 'running' ? null : termsOf(hook, manifest);
  return terms === null ? null : run.startedMonoMs + terms.withinMs;
};

/** Cut each time. */
export const isHopeless = (instance: Instance, { process, busy }: Run): boolean =>
  hookOf(instance) !== null && (process === 'none' || process === 'stopped') && !busy && instance.begun >= TRIES;
