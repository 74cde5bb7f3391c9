/**
 * How far a release has come through its waves. Pure, over what the logs say of each replica, so that every gateway decides
 * alike and the next one goes on where one died. Time plays no part: boards measure how long promises held, and sign it.
 */
import type { Rollout, Wave } from '../../runtime/protocol/nouns/request.ts';

export interface Member {
  index: number;
  /** Of the board that it is on. */
  labels: readonly string[];
  /** `old`: it was never given the release; `given`: it was, and has not shown yet how it does. */
  trial: 'old' | 'given' | 'passed' | 'failed';
  /** Why it failed. */
  why: string;
}

export interface Standing {
  /** Of each member, from 0; the last wave takes in all that no other does. */
  waves: number[];
  /** Waves that are there. */
  of: number;
  /** So many of them may be given the release. */
  open: number;
  /** Why nobody is to run it any more; null: that is not so. */
  halted: string | null;
  /** Those that the next wave waits for. */
  awaited: number[];
}

const takes = (wave: Wave, { index, labels }: Member, replicas: number): boolean => {
  if (wave.kind === 'label') return labels.includes(wave.label);
  return index < (wave.kind === 'count' ? wave.count : Math.ceil((replicas * wave.permille) / 1000));
};

const isOver = ({ trial }: Member): boolean => trial === 'passed' || trial === 'failed';

const haltOf = (failed: Member[], tolerated: number): string | null => {
  const [first] = failed;
  if (first === undefined || failed.length <= tolerated) return null;
  const others = failed.length === 1 ? '' : `, and ${failed.length - 1} more`;
  return `replica ${first.index}: ${first.why}${others}`;
};

export const standingOf = ({ waves: plan, tolerated }: Rollout, members: Member[]): Standing => {
  const waves = members.map((member) => {
    const found = plan.findIndex((wave) => takes(wave, member, members.length));
    return found === -1 ? plan.length : found;
  });
  const of = plan.length + 1;
  const failed = members.filter(({ trial }) => trial === 'failed');
  const halted = haltOf(failed, tolerated);
  const under = (wave: number): Member[] => members.filter((member, at) => waves[at] === wave && !isOver(member));
  let open = 1;
  while (open < of && under(open - 1).length === 0) open++;
  return { waves, of, open, halted, awaited: under(open - 1).map(({ index }) => index) };
};

/** Whether the replica is to run the release rather than the one before; who was given it keeps it while it is not halted. */
export const isReached = ({ waves, open, halted }: Standing, member: Member, at: number): boolean =>
  halted === null && member.trial !== 'failed' && (member.trial !== 'old' || (waves[at] ?? 0) < open);
