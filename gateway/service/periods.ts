/** Closing a period and stating it. What a period bills is a pure fold over the logs up to the vector it pins. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { decodeAs, encodeAs } from '../../runtime/protocol/noun.ts';
import { type Close, closeSchema, entrySchema, type LogEntry } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { fold } from '../core/ledger.ts';
import { entriesOf, sizeOf, vectorOf } from '../core/log.ts';
import { closes } from '../core/tables.ts';
import { accept } from './accept.ts';
import type { Service, Work } from './events.ts';

export const listPeriods = (work: Work): Close[] => closes.all(work).map(({ value }) => value);

export const closePeriod = (work: Work, service: Service, now: Instant): Close => {
  const close: Close = { v: 1, period: (listPeriods(work).at(-1)?.period ?? 0) + 1, vector: vectorOf(work), closedMs: now.wallMs };
  accept(work, service, 'close', encodeAs(closeSchema, close, 'close'), now);
  return close;
};

const logUpTo = (work: Work, author: string, size: number): LogEntry[] => {
  if (sizeOf(work, author) < size)
    refuse('missing-content', `the period counts ${size} entries of ${author}, ${sizeOf(work, author)} are here yet`);
  return entriesOf(work, author, 0, size).map((bytes) => decodeAs(entrySchema, bytes, 'entry'));
};

/** Author → entries that any of these counts: a gateway that lagged behind may have closed a later period at less. */
const counted = (periods: Close[]): Map<string, number> => {
  const sizes = new Map<string, number>();
  for (const { vector } of periods)
    for (const [author, size] of Object.entries(vector)) sizes.set(author, Math.max(size, sizes.get(author) ?? 0));
  return sizes;
};

/** The statement's bytes. Errors: `not-found`, `missing-content` while a peer's log is still on its way. */
export const statementBytes = (work: Work, service: Service, period: number): Bytes => {
  const upTo = listPeriods(work).filter((close) => close.period <= period);
  const last = upTo.at(-1);
  if (last?.period !== period) return refuse('not-found', `period ${period} is not closed`);
  const logs = [...counted(upTo)].map(([author, size]) => logUpTo(work, author, size));
  return fold(service.crypto, { logs, closes: upTo }).bytes;
};
