/**
 * The next step of one instance, from what is wanted and what is. Level-triggered: called after every event, it asks
 * for at most one step, and a step that failed or was lost is simply asked for again.
 */
import type { HookName } from '../protocol/nouns/release.ts';
import type { Content, Instance, Run } from './tables.ts';

export type Step = 'verify' | 'fetch' | 'open' | 'start' | 'leave' | 'reload' | 'stop' | 'close' | 'remove' | 'forget';

/** What was refused a moment ago is left in peace for as long as a restart would be. */
const stopping = (run: Run, monoMs: number): Step | null => (monoMs >= run.retryMonoMs ? 'stop' : null);

/** Its hook is begun from its own content, of which a runtime that began after it knows nothing yet: it goes on until that is there. */
const leaving = (content: Content | null): 'fetch' | 'leave' =>
  content?.phase === 'held' || content?.phase === 'refused' ? 'leave' : 'fetch';

const ending = (instance: Instance, run: Run, facts: Facts, monoMs: number): Step | null => {
  const { held, leaves, hook, parts, content } = facts;
  const { opened, closed, unpaid } = instance;
  const mayLeave = held && !unpaid && opened && !closed;
  if (run.process === 'running') {
    if (!mayLeave || parts) return stopping(run, monoMs);
    if (hook === 'before') return null;
    return leaves && content?.phase !== 'held' ? leaving(content) : stopping(run, monoMs);
  }
  const isDue = monoMs >= run.retryMonoMs;
  if (mayLeave && leaves) return parts || !isDue ? null : run.process === 'stopped' ? 'remove' : leaving(content);
  if (opened && !closed) return 'close';
  // Of what ran all is taken away, also when it had ended by itself before and was to begin again.
  if (run.process === 'stopped' || (instance.wanted === 'gone' && instance.began !== null)) return isDue ? 'remove' : null;
  return 'forget';
};

export interface Facts {
  verified: boolean;
  /** Its lease holds, for a while at least. */
  held: boolean;
  content: Content | null;
  /** It can be told of other parameters while it runs. */
  reloads: boolean;
  /** What runs is another release than is to run. */
  isOther: boolean;
  /** It is to go on though its lease is not listed any more: it holds off an update, and may; or the update cannot begin yet. */
  holdsOff: boolean;
  /** That runs, or ran last, and not a program. */
  hook: HookName | null;
  /** It has a hook to run before another release takes its place. */
  leaves: boolean;
  /** Its former lease on this board has not ended yet. */
  waits: boolean;
  /** The machine is about to start anew. */
  parts: boolean;
}

/** Begun with other parameters than are asked for now, or before its tenant asked it to begin anew. */
const outdated = ({ given, wants, bang, banged }: Instance): 'given' | 'bang' | null => {
  if (given === '') return null;
  if (bang > banged) return 'bang';
  return wants !== '' && wants !== given ? 'given' : null;
};

const renewing = (instance: Instance, run: Run, { reloads, isOther, hook }: Facts, monoMs: number): Step | null => {
  if (isOther) return stopping(run, monoMs);
  // What is wished anew is wished of its program, which comes after it.
  if (hook !== null) return null;
  const why = outdated(instance);
  if (why === null) return null;
  if (why === 'bang' || !reloads) return stopping(run, monoMs);
  return monoMs >= run.retryMonoMs ? 'reload' : null;
};

/** Begins again should it have ended. What is newly wished is wished of what takes its place, unless it returns to the release before it. */
const standing = (instance: Instance, run: Run, facts: Facts, monoMs: number): Step | null => {
  if (run.process !== 'running') return starting(instance, run, facts, monoMs);
  return facts.isOther ? stopping(run, monoMs) : null;
};

const starting = (instance: Instance, run: Run, facts: Facts, monoMs: number): Step | null => {
  const { verified, held, content, waits } = facts;
  if (run.error !== '') return null;
  if (run.process === 'running') return renewing(instance, run, facts, monoMs);
  if (!verified) return 'verify';
  // What ended is taken away first, so that its cgroup's counters are added to the base exactly once.
  if (run.process === 'stopped') return monoMs >= run.retryMonoMs ? 'remove' : null;
  if (content?.phase !== 'held') return 'fetch';
  if (waits) return null;
  if (!instance.opened) return 'open';
  return held && monoMs >= run.retryMonoMs ? 'start' : null;
};

export const plan = (instance: Instance, run: Run, facts: Facts, monoMs: number): Step | null => {
  if (run.busy || run.process === 'unknown') return null;
  const stands = facts.holdsOff && facts.held && !instance.unpaid;
  if (facts.parts && (stands || instance.wanted !== 'gone')) return run.process === 'running' ? stopping(run, monoMs) : null;
  if (stands) return standing(instance, run, facts, monoMs);
  // A close record is the last word on a lease, whoever lists it again.
  if (instance.wanted === 'gone' || instance.closed) return ending(instance, run, facts, monoMs);
  if (!facts.held && run.process === 'running') return stopping(run, monoMs);
  if (instance.wanted === 'stopped' || instance.unpaid) return run.process === 'running' ? stopping(run, monoMs) : null;
  if (instance.wanted === 'started') return starting(instance, run, facts, monoMs);
  // What was refused is not asked for again by itself: it would be the same.
  return facts.verified || run.error !== '' ? null : 'verify';
};

/** What has run for so long does not end again and again. */
export const STEADY_MS = 600_000;

const RESTART_BASE_MS = 500;
const RESTART_MAX_MS = 60_000;

/** Doubles with each restart; without jitter, since no two instances share what they might collide on. */
export const restartDelayMs = (restarts: number): number => Math.min(RESTART_MAX_MS, RESTART_BASE_MS * 2 ** Math.min(restarts, 20));
