/**
 * How far a release has come through its waves. Pure, over what the logs say of each replica, so that every gateway decides
 * alike and the next one goes on where one died. Time plays no part: boards measure how long promises held, and sign it.
 */
import type { Rollout, Wave } from '../../runtime/protocol/nouns/request.ts';

export interface Tried {
  /** `old`: it was never given the release; `given`: it was, and has not shown yet how it does. */
  trial: 'old' | 'given' | 'passed' | 'failed';
  /** Why it failed. */
  why: string;
}

/** A replica. */
export interface Member extends Tried {
  index: number;
  /** Of the board that it is on. */
  labels: readonly string[];
}

export interface Standing {
  /** Of each member, from 0; the last wave takes in all that no other does. */
  waves: number[];
  /** Waves that are there. */
  of: number;
  /** So many of them may be given the release. */
  open: number;
  /** The next one, if nobody belongs to it: there it stands when all before are through. */
  blank: number | null;
  /** Why nobody is to run it any more; null: that is not so. */
  halted: string | null;
  /** Positions of those that the next wave waits for. */
  awaited: number[];
}

const takes = (wave: Wave, { index, labels }: Member, replicas: number): boolean => {
  if (wave.kind === 'label') return labels.includes(wave.label);
  return index < (wave.kind === 'count' ? wave.count : Math.ceil((replicas * wave.permille) / 1000));
};

const isOver = ({ trial }: Tried): boolean => trial === 'passed' || trial === 'failed';

/** Of members whose waves are known, `of` at most; `nameOf`: what a person calls one of them. */
export const standingIn = <M extends Tried>(
  members: readonly M[],
  { waves, of, tolerated, blank }: Pick<Standing, 'waves' | 'of' | 'blank'> & { tolerated: number },
  nameOf: (member: M) => string,
): Standing => {
  const failed = members.filter(({ trial }) => trial === 'failed');
  const [first] = failed;
  const others = failed.length === 1 ? '' : `, and ${failed.length - 1} more`;
  const halted = first === undefined || failed.length <= tolerated ? null : `${nameOf(first)}: ${first.why}${others}`;
  const under = (wave: number): number[] => members.flatMap((member, at) => (waves[at] === wave && !isOver(member) ? [at] : []));
  let open = blank === 0 ? 0 : 1;
  while (open < of && open !== blank && under(open - 1).length === 0) open++;
  return { waves, of, open, blank: open === blank ? blank : null, halted, awaited: under(open - 1) };
};

/**
 * A wave to which nobody belongs at all shows nothing: were it passed over, a label that was mistyped would let those behind it have what
 * nobody has tried. It is behind a rollout as soon as one of those has shown how the release does: who was in it may have moved since.
 */
const blankOf = (plan: readonly Wave[], waves: number[], members: Member[]): number | null => {
  const at = plan.findIndex((wave, position) => {
    if (members.some((member) => takes(wave, member, members.length))) return false;
    const later = members.filter((_, index) => (waves[index] ?? 0) > position);
    return later.length > 0 && !later.some(isOver);
  });
  return at === -1 ? null : at;
};

export const standingOf = ({ waves: plan, tolerated }: Rollout, members: Member[]): Standing => {
  const waves = members.map((member) => {
    const found = plan.findIndex((wave) => takes(wave, member, members.length));
    return found === -1 ? plan.length : found;
  });
  const blank = blankOf(plan, waves, members);
  return standingIn(members, { waves, of: plan.length + 1, tolerated, blank }, ({ index }) => `replica ${index}`);
};

/** Whether the replica is to run the release rather than the one before; who was given it keeps it while it is not halted. */
export const isReached = ({ waves, open, halted }: Standing, member: Tried, at: number): boolean =>
  halted === null && member.trial !== 'failed' && (member.trial !== 'old' || (waves[at] ?? 0) < open);
