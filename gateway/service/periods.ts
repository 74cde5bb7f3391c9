/** Closing a period and stating it. What a period bills is a pure fold over the logs up to the vector it pins. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { type Close, closeSchema, type LogEntry } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { absorb, type Book, newBook } from '../core/book.ts';
import { closePeriod as closeLedger, type Ledger, newLedger } from '../core/ledger.ts';
import { entriesOf, sizeOf, vectorOf } from '../core/log.ts';
import { readEntry } from '../core/opened.ts';
import { closes } from '../core/tables.ts';
import { accept } from './accept.ts';
import type { Service, Work } from './events.ts';

export const listPeriods = (work: Work): Close[] => closes.all(work).map(({ value }) => value);

export const closePeriod = (work: Work, service: Service, now: Instant): Close => {
  const close: Close = { v: 1, period: (listPeriods(work).at(-1)?.period ?? 0) + 1, vector: vectorOf(work), closedMs: now.wallMs };
  accept(work, service, 'close', encodeAs(closeSchema, close, 'close'), now);
  return close;
};

const checkHeld = (work: Work, sizes: Map<string, number>): void => {
  for (const [author, size] of sizes)
    if (sizeOf(work, author) < size)
      refuse('missing-content', `the period counts ${size} entries of ${author}, ${sizeOf(work, author)} are here yet`);
};

const PAGE = 512;

function* logFrom(work: Work, author: string, from: number, size: number): Generator<LogEntry> {
  for (let at = from; at < size; at += PAGE)
    for (const bytes of entriesOf(work, author, at, Math.min(PAGE, size - at))) yield readEntry(bytes);
}

/** Author → entries that any of these counts: a gateway that lagged behind may have closed a later period at less. */
const counted = (periods: Close[]): Map<string, number> => {
  const sizes = new Map<string, number>();
  for (const { vector } of periods)
    for (const [author, size] of Object.entries(vector)) sizes.set(author, Math.max(size, sizes.get(author) ?? 0));
  return sizes;
};

/** A ledger is worked on in place, so it is handed on once: to the turn that was decided, not to one that is decided anew. */
interface Carried {
  closes: Close[];
  ledger: Ledger;
  /** The last close's statement. */
  bytes: Bytes;
  isTaken: boolean;
  /** Since when nobody has asked, as far as a tick has seen; null: somebody has since the last one. */
  idleMonoMs: number | null;
}

/** All documents of all logs, decoded, are much to hold for nobody; who asks again later waits for the fold again. */
const IDLE_MS = 60_000;

const carried = volatileTable<Carried>('ledger');

const isSame = (a: Close, b: Close | undefined): boolean =>
  b !== undefined && equal(encodeAs(closeSchema, a, 'close'), encodeAs(closeSchema, b, 'close'));

/** What a former statement left, if it was made of the first of these closes: a fuller one may have come in the place of one. */
const takeLedger = (work: Work, closes: Close[]): Carried => {
  const held = carried.get(work, 'ledger');
  const isUsable = held !== null && !held.isTaken && held.closes.every((close, i) => isSame(close, closes[i]));
  if (!isUsable) return { closes: [], ledger: newLedger(newBook()), bytes: new Uint8Array(), isTaken: false, idleMonoMs: null };
  held.isTaken = true;
  return { ...held, isTaken: false };
};

/** At each tick. */
export const forgetLedger = (work: Work, now: Instant): void => {
  const held = carried.get(work, 'ledger');
  if (held === null) return;
  if (held.idleMonoMs === null) carried.put(work, { ...held, idleMonoMs: now.monoMs }, 'ledger');
  else if (now.monoMs - held.idleMonoMs >= IDLE_MS) carried.remove(work, 'ledger');
};

const absorbLogs = (work: Work, service: Service, book: Book, sizes: Map<string, number>): void => {
  for (const [author, size] of sizes)
    for (const entry of logFrom(work, author, book.sizes.get(author) ?? 0, size)) absorb(service.crypto, book, entry);
};

/** The statement's bytes. Errors: `not-found`, `missing-content` while a peer's log is still on its way. */
export const statementBytes = (work: Work, service: Service, period: number): Bytes => {
  const upTo = listPeriods(work).filter((close) => close.period <= period);
  if (upTo.at(-1)?.period !== period) return refuse('not-found', `period ${period} is not closed`);
  const sizes = counted(upTo);
  checkHeld(work, sizes);
  const { closes, ledger, bytes } = takeLedger(work, upTo);
  absorbLogs(work, service, ledger.book, sizes);
  const made = upTo.slice(closes.length).map((close) => closeLedger(service.crypto, ledger, close).bytes);
  const last = made.at(-1) ?? bytes;
  carried.put(work, { closes: upTo, ledger, bytes: last, isTaken: false, idleMonoMs: null }, 'ledger');
  return last;
};
