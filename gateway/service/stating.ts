/**
 * Stating a period. What it bills is a pure fold over the logs up to the vector that its close pins, and logs are long: so
 * they are folded a piece at a time, each in a turn of its own, between which boards and peers are served. Who asked is
 * answered when the statement is made. It is kept, as whoever holds the same closes comes to the same bytes.
 */
import { type Bytes, concat, equal, utf8 } from '../../runtime/protocol/bytes.ts';
import { LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { type Close, closeSchema } from '../../runtime/protocol/nouns/log.ts';
import { parse, positive } from '../../runtime/protocol/schema.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { ordinal, volatileTable } from '../../runtime/turn/table.ts';
import { absorb, newBook } from '../core/book.ts';
import { type Closed, closing, type Ledger, newLedger, RULES, vectorAfter } from '../core/ledger.ts';
import { entriesOf } from '../core/log.ts';
import { readEntry } from '../core/opened.ts';
import { statements } from '../core/tables.ts';
import type { ApiInput, Service, Work } from './events.ts';
import { checkHeld, closesUpTo, listPeriods } from './periods.ts';

/** Records of one piece: some 10 ms of a small machine, most of them for their signatures. */
const PIECE = 64;
/** So long whoever asks is kept waiting; then it is told how far the fold has come. */
export const PATIENCE_MS = 20_000;
/** All documents of all logs, decoded, are much to hold for nobody; who asks again later waits for the fold again. */
const IDLE_MS = 60_000;
/** A fold that has not moved for so long has lost a turn to its store. */
const STALLED_MS = 2_000;

const ONE = 'folding';

/** A fold under way or at its end. The ledger is worked on in place, so it is handed on once: to the turn that comes true. */
interface Folding {
  /** Of the periods that are stated, and of the one at which it is. */
  closes: Close[];
  ledger: Ledger;
  /** Of the last one, once all that it counts is read. */
  closing: ReturnType<typeof closing> | null;
  /** The last one is still to be stated. */
  isUnderWay: boolean;
  isTaken: boolean;
  movedMonoMs: number;
}

interface Caller {
  period: number;
  sinceMonoMs: number;
}

const foldings = volatileTable<Folding>('folding');
/** Id of the call → what it waits for. */
const callers = volatileTable<Caller>('statement-callers');

const newFolding = (now: Instant): Folding => ({
  ...{ closes: [], ledger: newLedger(newBook()), closing: null },
  ...{ isUnderWay: false, isTaken: false, movedMonoMs: now.monoMs },
});

const isSame = (a: Close, b: Close | undefined): boolean =>
  a === b || (b !== undefined && equal(encodeAs(closeSchema, a, 'close'), encodeAs(closeSchema, b, 'close')));

/** What was folded so far, if it was upon the first of these closes: a fuller one may have come in the place of one. */
const takeFolding = (work: Work, closes: Close[], now: Instant): Folding => {
  const held = foldings.get(work, ONE);
  if (held === null || held.isTaken || !held.closes.every((close, i) => isSame(close, closes[i]))) return newFolding(now);
  held.isTaken = true;
  return { ...held, isTaken: false, movedMonoMs: now.monoMs };
};

/** By which a kept statement is told from one upon other closes, or other rules. */
const nameOf = ({ crypto }: Service, closes: Close[]): Bytes =>
  crypto.sha256(concat(utf8(`rules ${RULES}`), ...closes.map((close) => encodeAs(closeSchema, close, 'close'))));

const keptStatement = (work: Work, service: Service, period: number, closes: Close[]): Bytes | null => {
  const kept = statements.get(work, ordinal(period));
  return kept !== null && equal(kept.closes, nameOf(service, closes)) ? kept.bytes : null;
};

/** Reads on in the logs. False: all that the close counts was read before. */
const readOn = (work: Work, service: Service, { ledger }: Folding, close: Close): boolean => {
  const vector = vectorAfter(ledger, close);
  checkHeld(work, vector);
  const { book } = ledger;
  let left = PIECE;
  for (const [author, size] of Object.entries(vector)) {
    const from = book.sizes.get(author) ?? 0;
    const entries = from < size && left > 0 ? entriesOf(work, author, from, Math.min(left, size - from)) : [];
    for (const bytes of entries) absorb(service.crypto, book, readEntry(bytes));
    left -= entries.length;
  }
  return left < PIECE;
};

/** Null: there is more to do. */
const closeOn = (pieces: ReturnType<typeof closing>): Closed | null => {
  for (let records = 0; records < PIECE; ) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
    records += Math.max(1, piece.value);
  }
  return null;
};

const answer = (work: Work, id: string, given: Bytes | LichenError): void => {
  callers.remove(work, id);
  work.emit({ kind: 'reply', id: Number(id), answer: given instanceof LichenError ? given : { bytes: given } });
};

const wanted = (work: Work): number => Math.max(0, ...callers.all(work).map(({ value }) => value.period));

/** One piece of the fold towards the furthest period that somebody waits for. */
export const stateOn = (work: Work, service: Service, now: Instant): void => {
  const closes = listPeriods(work);
  const folding = takeFolding(work, closes, now);
  const to = closes.filter(({ period }) => period <= wanted(work)).length;
  if (!folding.isUnderWay && folding.closes.length < to) {
    folding.closes = closes.slice(0, folding.closes.length + 1);
    folding.isUnderWay = true;
  }
  const close = folding.closes.at(-1);
  if (folding.isUnderWay && close !== undefined && (folding.closing !== null || !readOn(work, service, folding, close))) {
    folding.closing ??= closing(service.crypto, folding.ledger, close);
    const closed = closeOn(folding.closing);
    if (closed !== null) {
      folding.closing = null;
      folding.isUnderWay = false;
      statements.put(work, { closes: nameOf(service, folding.closes), bytes: closed.bytes }, ordinal(close.period));
      for (const { key, value } of callers.all(work)) if (value.period === close.period) answer(work, key, closed.bytes);
    }
  }
  foldings.put(work, folding, ONE);
  if (folding.isUnderWay || folding.closes.length < to) work.emit({ kind: 'go-on' });
};

/** What does not fit into memory would end the gateway, and the next one that is asked. Error: `too-large`. */
const checkRoom = ({ ledgerEntries }: Service, closes: Close[]): void => {
  const sizes = new Map<string, number>();
  for (const { vector } of closes)
    for (const [author, size] of Object.entries(vector)) sizes.set(author, Math.max(size, sizes.get(author) ?? 0));
  const entries = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  if (entries > ledgerEntries)
    refuse(
      'too-large',
      `the period counts ${entries.toLocaleString('en')} log entries, and this gateway's memory is enough for ${ledgerEntries.toLocaleString('en')}`,
      'Start the gateway with more: NODE_OPTIONS=--max-old-space-size=<MiB>; or ask one that has more, all state the same bytes.',
    );
};

/** A call for a statement: answered from what is kept, or when it is made. Errors: `not-found`, `missing-content`, `too-many`, `too-large`. */
export const askStatement = (work: Work, service: Service, id: number, input: ApiInput, now: Instant): void => {
  const period = parse(positive, Number(input.params.period), 'period');
  const closes = closesUpTo(work, period);
  const kept = keptStatement(work, service, period, closes);
  if (kept !== null) return work.emit({ kind: 'reply', id, answer: { bytes: kept } });
  for (const { vector } of closes) checkHeld(work, vector);
  checkRoom(service, closes);
  const waiting = callers.rows(work).size;
  if (waiting >= LIMITS.statementCallers) refuse('too-many', `${waiting} wait for a statement already`);
  // One that is under way goes on by itself, whether or not somebody waits.
  if (waiting === 0 && foldings.get(work, ONE)?.isUnderWay !== true) {
    // A tick looks whether it moves.
    foldings.put(work, takeFolding(work, listPeriods(work), now), ONE);
    work.emit({ kind: 'go-on' });
  }
  callers.put(work, { period, sinceMonoMs: now.monoMs }, String(id));
};

/** The fold came to something that it cannot pass; it begins anew when somebody asks again. */
export const stopStating = (work: Work, error: LichenError): void => {
  foldings.remove(work, ONE);
  for (const { key } of callers.all(work)) answer(work, key, error);
};

const progress = ({ ledger }: Folding, closes: Close[]): string => {
  const read = [...ledger.book.sizes.values()].reduce((sum, size) => sum + size, 0);
  const of = Object.values(closes.at(-1)?.vector ?? {}).reduce((sum, size) => sum + size, 0);
  return `${read.toLocaleString('en')} of ${of.toLocaleString('en')} log entries are read`;
};

/** At each tick. */
export const tickStating = (work: Work, now: Instant): void => {
  const folding = foldings.get(work, ONE);
  if (folding === null) return;
  for (const { key, value } of callers.all(work))
    if (now.monoMs - value.sinceMonoMs >= PATIENCE_MS)
      answer(work, key, new LichenError('not-ready', progress(folding, closesUpTo(work, value.period))));
  const stillMs = now.monoMs - folding.movedMonoMs;
  if (!folding.isUnderWay && !callers.any(work)) {
    if (stillMs >= IDLE_MS) foldings.remove(work, ONE);
  } else if (stillMs >= STALLED_MS) {
    foldings.put(work, { ...folding, movedMonoMs: now.monoMs }, ONE);
    work.emit({ kind: 'go-on' });
  }
};
