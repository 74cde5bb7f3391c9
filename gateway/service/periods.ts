/** Closing a period, and what a close counts. */
import { refuse } from '../../runtime/protocol/errors.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { type Close, closeSchema, type Vector } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { sizeOf, vectorOf } from '../core/log.ts';
import { closes } from '../core/tables.ts';
import { accept } from './accept.ts';
import type { Service, Work } from './events.ts';

export const listPeriods = (work: Work): Close[] => closes.all(work).map(({ value }) => value);

/** Error: `stale` while this gateway's clock is behind the last close: a record counts no later than its close (metering-17). */
export const closePeriod = (work: Work, service: Service, now: Instant): Close => {
  const last = listPeriods(work).at(-1);
  const behindMs = (last?.closedMs ?? 0) - now.wallMs;
  if (behindMs > 0)
    refuse(
      'stale',
      `the last period was closed ${behindMs} ms later than this gateway's clock shows`,
      "Set the gateway's clock, then close again.",
    );
  const close: Close = { v: 1, period: (last?.period ?? 0) + 1, vector: vectorOf(work), closedMs: now.wallMs };
  accept(work, service, 'close', encodeAs(closeSchema, close, 'close'), now);
  return close;
};

/** All closes up to the one of this period. Error: `not-found`. */
export const closesUpTo = (work: Work, period: number): Close[] => {
  const upTo = listPeriods(work).filter((close) => close.period <= period);
  return upTo.at(-1)?.period === period ? upTo : refuse('not-found', `period ${period} is not closed`);
};

/** Error: `missing-content` while a peer's log is still on its way. */
export const checkHeld = (work: Work, vector: Vector): void => {
  for (const [author, size] of Object.entries(vector))
    if (sizeOf(work, author) < size)
      refuse('missing-content', `the period counts ${size} entries of ${author}, ${sizeOf(work, author)} are here yet`);
};
