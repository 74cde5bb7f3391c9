/**
 * The board's word on how a system did here, or a runtime alone: gateways log it, and give the owner's other boards the same one,
 * or not. A system that was kept has come home; that it does well is more, and takes as long as the owner says.
 */
import {
  bakes,
  heldBefore,
  type SlotsSeen,
  type SystemWish,
  slotsSeen,
  systemOutcomes,
  systemWishes,
  updates,
} from '../core/system-tables.ts';
import { instances, runs } from '../core/tables.ts';
import { mayStillPass } from '../core/update.ts';
import { equal, hex } from '../protocol/bytes.ts';
import { PARTS, type Part } from '../protocol/image.ts';
import { seal } from '../protocol/noun.ts';
import { type SystemOutcome, systemOutcomeNoun } from '../protocol/nouns/board.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Work } from './events.ts';
import { promiseOf } from './promises.ts';
import { downNow, stillToRun } from './system.ts';

/** All that ran before the update runs, and what held its promises then holds them now. What did not is not its fault. */
const doesWell = (work: Work, part: Part, now: Instant): boolean =>
  downNow(work, updates.get(work, part)) === 0 &&
  stillToRun(work, heldBefore.get(work, part) ?? []).every((lease) => {
    const [instance, run] = [instances.get(work, lease), runs.get(work, lease)];
    return instance !== null && run !== null && promiseOf(instance, run, now) === 'held';
  });

/** Since when it has run and done well; null: it does not. */
const wellSince = (work: Work, part: Part, { release }: SystemWish, { state }: SlotsSeen, now: Instant): number | null => {
  const key = hex(release);
  const held = bakes.get(work, part);
  if (state.trial || state.runningRelease !== key || !doesWell(work, part, now)) {
    if (held !== null) bakes.remove(work, part);
    return null;
  }
  if (held?.release === key) return held.sinceMonoMs;
  bakes.put(work, { release: key, sinceMonoMs: now.monoMs }, part);
  return now.monoMs;
};

type Verdict = Pick<SystemOutcome, 'result' | 'why'>;

/** Null: that is still open. */
const verdictOn = (work: Work, part: Part, wish: SystemWish, bakeMs: number, found: SlotsSeen, now: Instant): Verdict | null => {
  if (wish.refused !== '') return wish.unfit ? { result: 'failed', why: wish.refused } : null;
  const since = wellSince(work, part, wish, found, now);
  if (since !== null) return now.monoMs - since >= bakeMs ? { result: 'passed', why: '' } : null;
  const update = updates.get(work, part);
  if (update?.phase !== 'failed' || !equal(update.release, wish.release) || mayStillPass(update)) return null;
  return { result: 'failed', why: update.detail };
};

const prove = (work: Work, board: Board, part: Part, now: Instant): void => {
  const [wish, found] = [systemWishes.get(work, part), slotsSeen.get(work, part)];
  if (wish === null || wish.word === null || found === null) return;
  const { release, word } = wish;
  const held = systemOutcomes.get(work, part);
  const isSame = held !== null && equal(held.release, release);
  if (isSame && (held.result === 'passed' || held.upkeep >= word.version)) return;
  const verdict = verdictOn(work, part, wish, word.bakeMs, found, now);
  if (verdict === null) return;
  const said = { v: 1 as const, board: board.id, part, release, upkeep: word.version, ...verdict };
  const document = seal(systemOutcomeNoun, said, board.signer);
  systemOutcomes.put(work, { release, upkeep: word.version, result: verdict.result, document }, part);
};

export const tickProving = (work: Work, board: Board, now: Instant): void => {
  for (const part of PARTS) prove(work, board, part, now);
};

/** At which `tickProving` may do what it would not do before. */
export const provingMoments = (work: Work): number[] =>
  PARTS.flatMap((part) => {
    const [bake, word] = [bakes.get(work, part), systemWishes.get(work, part)?.word];
    if (word === null || word === undefined) return [];
    return bake === null ? [] : [bake.sinceMonoMs + word.bakeMs];
  });
