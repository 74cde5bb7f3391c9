/** Judging a release on trial, and returning to the one that its tenant named for that. */
import { onReturn } from '../core/hooks.ts';
import { contents, type Instance, instances, manifests, type Run, runs, wishes } from '../core/tables.ts';
import { releaseOf, trialMoments, verdictOf } from '../core/trial.ts';
import { type Bytes, hex } from '../protocol/bytes.ts';
import { LIMITS } from '../protocol/limits.ts';
import { seal } from '../protocol/noun.ts';
import { type Outcome, outcomeNoun } from '../protocol/nouns/board.ts';
import { beginning } from '../protocol/printable.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Work } from './events.ts';

/** What is known of the release that ran is not of the one that is to run. */
export const forgetRelease = (work: Work, id: string): void => {
  manifests.remove(work, id);
  wishes.remove(work, id);
};

const FAILURE_MAX = LIMITS.textBytes / 8;

/** The board's word on it, which gateways log. */
const outcomeOf = (board: Board, { lease: { lease, release }, sequence }: Instance, result: Outcome['result'], why: string): Bytes =>
  seal(outcomeNoun, { v: 1, board: board.id, lease, release, sequence, result, why }, board.signer);

/** The instance as it is after its trial has been looked at; what that changes is durable before anything is done about it. */
export const judge = (work: Work, board: Board, id: string, instance: Instance, run: Run, now: Instant): Instance => {
  const content = contents.get(work, hex(releaseOf(instance)));
  const verdict = verdictOf(instance, run, content, manifests.get(work, id), now.monoMs);
  if (verdict.kind === 'open') return instance;
  if (verdict.kind !== 'failed') {
    const passed = (): Instance => ({ ...instance, trial: 'passed', outcome: outcomeOf(board, instance, 'passed', '') });
    const next: Instance = verdict.kind === 'passed' ? passed() : { ...instance, begun: 0 };
    instances.put(work, next, id);
    if (verdict.kind === 'passed') work.emit({ kind: 'partition', step: { kind: 'drop', partition: id } });
    return next;
  }
  // What it is given is worked out again for the other release.
  const failure = beginning(verdict.why, FAILURE_MAX);
  const outcome = outcomeOf(board, instance, 'failed', failure);
  const failed: Instance = { ...instance, trial: 'failed', failure, outcome, wants: '', hook: onReturn(instance) };
  instances.put(work, failed, id);
  forgetRelease(work, id);
  runs.put(work, { ...run, error: '', streak: 0, retryMonoMs: 0 }, id);
  work.emit({ kind: 'journal', line: `instance ${id}: returns to release ${hex(releaseOf(failed))}: ${verdict.why}` });
  return failed;
};

/** At which `judge` may do what it would not do before. */
export const judgeMoments = (work: Work): number[] =>
  instances.all(work).flatMap(({ key, value }) => {
    const run = runs.get(work, key);
    return run === null ? [] : trialMoments(value, run, manifests.get(work, key));
  });
