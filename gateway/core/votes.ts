/**
 * Who replaces a guarded lease. Guardians that do not hear each other may each think that a board is lost, and each give
 * its instance to another one, over and over. So the acting guardian asks first, and goes on with the votes of a majority:
 * each says that nothing it granted runs any more, and that it has not voted for somebody else of late. That two boards never
 * run one instance does not rest on this but on grants.ts; that it comes to rest somewhere does.
 */
import type { GatewayId, RequestId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { majorityOf } from '../../runtime/protocol/nouns/grant.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { setAlarm } from './alarms.ts';
import type { Context, Rows } from './context.ts';
import { isFree } from './grants.ts';
import type { HeldLease } from './leased.ts';
import { instanceOf, touchInstance } from './touched.ts';

/** A new lease of an instance that has one. */
export interface Replacement {
  request: RequestId;
  index: number;
  term: number;
}

export interface Poll extends Replacement {
  guardians: GatewayId[];
  /** Those that voted for this gateway. */
  votes: string[];
  askedMs: number;
  /** Its question has still to leave. */
  isNew: boolean;
}
const polls = volatileTable<Poll>('polls');

/** Instance → for whom this guardian voted last, and until when for nobody else: the new lease is granted by then. */
const voted = volatileTable<{ by: string; untilMs: number }>('voted');

/** Who did not answer is asked again. */
const ASK_AGAIN_MS = 5_000;

export const voteFor = (rows: Rows, { request, index, term }: Replacement, by: string, now: Instant): boolean => {
  const instance = instanceOf(request, index);
  const before = voted.get(rows, instance);
  if (before !== null && before.by !== by && now.monoMs < before.untilMs) return false;
  if (!isFree(rows, instance, term, now)) return false;
  voted.put(rows, { by, untilMs: now.monoMs + LIMITS.leaseMs }, instance);
  return true;
};

/** Whether this gateway may give the instance a new lease now. Asks, where it may not know. */
export const mayReplace = (
  rows: Rows,
  context: Context,
  { id, index }: { id: RequestId; index: number },
  held: HeldLease | null,
  guardians: GatewayId[],
  now: Instant,
): boolean => {
  if (held === null || held.closed) return true;
  if (!Number.isSafeInteger(held.doc.term + 1)) return false;
  const asked: Replacement = { request: id, index, term: held.doc.term + 1 };
  const instance = instanceOf(id, index);
  const known = polls.get(rows, instance);
  const isSame = known !== null && known.term === asked.term && now.monoMs - known.askedMs < ASK_AGAIN_MS;
  const poll = isSame ? known : { ...asked, guardians, votes: [], askedMs: now.monoMs, isNew: true };
  const own = guardians.includes(context.me) && voteFor(rows, asked, context.me, now) ? 1 : 0;
  // The answer is kept for as long as no new question is due, also where no board has room: of two instances that wait for one, each
  // answer has the other looked at again, and would else have it ask again at once.
  polls.put(rows, poll, instance);
  if (own + poll.votes.length >= majorityOf(guardians.length)) return true;
  setAlarm(rows, { clock: 'monoMs', at: Math.floor(poll.askedMs + ASK_AGAIN_MS) + 1 }, instance);
  return false;
};

/** Questions that have not left yet. */
export const takePolls = (rows: Rows): Poll[] =>
  polls.all(rows).flatMap(({ key, value }) => {
    if (!value.isNew) return [];
    polls.put(rows, { ...value, isNew: false }, key);
    return [value];
  });

/** A guardian has voted for this gateway. */
export const countVote = (rows: Rows, { request, index, term }: Replacement, by: string): void => {
  const instance = instanceOf(request, index);
  const poll = polls.get(rows, instance);
  if (poll === null || poll.term !== term || poll.votes.includes(by) || !poll.guardians.some((guardian) => guardian === by)) return;
  polls.put(rows, { ...poll, votes: [...poll.votes, by] }, instance);
  touchInstance(rows, instance);
};
