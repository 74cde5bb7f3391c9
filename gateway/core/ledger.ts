/**
 * The ledger: a pure fold over the merged logs. A period is closed at a vector; what it bills follows from the logs up
 * to there and from the closes before it, and from nothing else, so that any gateway and any auditor computes the same
 * bytes. docs/spec/metering.md.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { encodeStatement, type Posting, type Statement } from '../../runtime/protocol/nouns/billing.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Close, LogEntry, Vector } from '../../runtime/protocol/nouns/log.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import { absorb, type Book, type Doc, type Invalid, newBook, placeOf, visible } from './book.ts';
import { type Chain, grow, type Link, newChain } from './chain.ts';
import { statementOf } from './invoice.ts';
import { accept, type Meter, newMeter, type Purse, rate } from './rating.ts';
import { keysOf, leasesOf, objection, type Trust, trustAt } from './standing.ts';

/**
 * Of metering.md: another number whenever what a statement says of the same logs changes, so that no gateway shows one that it
 * kept from before.
 */
export const RULES = 2;

/** A board of which there are two histories: from `seq` on nothing of it is charged. */
export interface Fork {
  board: string;
  seq: number;
  /** Hex of the records that contradict each other. */
  records: string[];
}

/** Records that are valid and cannot be placed yet; they are charged in the period in which they can. */
export interface Waiting {
  board: string;
  /** The chain's last record in place. */
  seq: number;
  /** Records beyond a gap. */
  unplaced: number;
  /** Records in place whose lease does not stand. */
  leaseless: number;
}

export interface Closed {
  statement: Statement;
  /** The statement's bytes: what is kept, hashed and compared. */
  bytes: Bytes;
}

export interface Folded extends Closed {
  /** Entries that mean nothing to the bill, and why; by author and place. */
  ignored: Invalid[];
  forks: Fork[];
  waiting: Waiting[];
}

/** What closes hand on to the next one. */
export interface Ledger {
  book: Book;
  period: number;
  vector: Vector;
  /** Hash of the last statement's bytes; zero before the first. */
  previous: Bytes;
  chains: Map<string, Chain>;
  /** By lease. */
  meters: Map<string, Meter>;
  /** By the hash of the voucher. */
  purses: Map<string, Purse>;
  /** Lease → records in place that no meter has looked at. */
  queues: Map<string, Link[]>;
  /** Records that a meter did not take. */
  refused: { doc: Doc<unknown>; detail: string }[];
}

export const newLedger = (book: Book): Ledger => ({
  book,
  period: 0,
  vector: {},
  previous: new Uint8Array(32),
  chains: new Map(),
  meters: new Map(),
  purses: new Map(),
  queues: new Map(),
  refused: [],
});

const sorted = <T>(map: Map<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

/** Closes never take back what a former one counted, even if it was another gateway's. */
const joined = (a: Vector, b: Vector): Vector =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((author) => [author, Math.max(a[author] ?? 0, b[author] ?? 0)]),
  );

const checkHeld = (book: Book, vector: Vector): void => {
  for (const [author, size] of Object.entries(vector)) {
    const held = book.sizes.get(author) ?? 0;
    if (held < size) refuse('missing-content', `the close counts ${size} entries of ${author}, ${held} are here`);
  }
};

/** A piece of a fold: of how many records, documents or slices. Nobody has to wait for more than one. */
type Pieces<T> = Generator<number, T>;

/** Opens meters for leases that have come to stand; a lease that stood once stands for good. */
function* openMeters({ book, vector, meters }: Ledger, trust: Trust, ignored: Invalid[]): Pieces<void> {
  const spurn = (doc: Doc<Lease>, code: Invalid['code'], detail: string): void => {
    ignored.push({ ...placeOf(doc, vector), kind: doc.kind, code, detail });
  };
  for (const [id] of sorted(book.leases)) {
    for (const doc of leasesOf(book, id, vector)) {
      yield 1;
      const held = meters.get(id);
      const meter = newMeter(doc);
      if (held?.document === meter.document) continue;
      const why = objection(book, trust, doc, vector);
      if (why !== null) spurn(doc, why.code, why.detail);
      else if (held !== undefined) spurn(doc, 'conflict', `another document of lease ${id} stands already`);
      else meters.set(id, meter);
    }
  }
}

function* growChains({ book, vector, chains, queues }: Ledger, revoked: Set<string>): Pieces<void> {
  for (const [board] of sorted(book.usage)) {
    const chain = chains.get(board) ?? newChain();
    chains.set(board, chain);
    const grown = yield* grow(chain, book, board, vector, keysOf(book, board, vector), revoked);
    for (const link of grown) {
      const { lease } = link.doc.value;
      const queue = queues.get(lease);
      if (queue === undefined) queues.set(lease, [link]);
      else queue.push(link);
    }
  }
}

function* readQueues({ queues, meters, refused }: Ledger, closedMs: number): Pieces<void> {
  for (const [lease, queue] of sorted(queues)) {
    const meter = meters.get(lease);
    if (meter === undefined) continue;
    for (const link of queue) {
      const detail = link.doc.value.board === meter.lease.board ? accept(meter, link, closedMs) : "the lease is another board's";
      if (detail !== null) refused.push({ doc: link.doc, detail });
    }
    queues.delete(lease);
    yield queue.length;
  }
}

/** A voucher under which a lease stands is there; its hash names it alone. */
const purseOf = ({ book, purses }: Ledger, lease: Lease): Purse => {
  const voucher = hex(lease.voucher);
  const purse = purses.get(voucher) ?? { leftMicro: book.vouchers.get(voucher)?.[0]?.value.capMicro ?? 0n };
  purses.set(voucher, purse);
  return purse;
};

/** In the order of their instances. */
function* rateAll(ledger: Ledger): Pieces<Posting[]> {
  const instances = new Map<string, Meter[]>();
  for (const meter of ledger.meters.values()) {
    const instance = `${meter.lease.request}/${ordinal(meter.lease.index)}`;
    const siblings = instances.get(instance);
    if (siblings === undefined) instances.set(instance, [meter]);
    else siblings.push(meter);
  }
  return yield* rate(
    sorted(instances).map(([, siblings]) => siblings),
    (lease) => purseOf(ledger, lease),
  );
}

const waitingOf = ({ chains, queues }: Ledger): Waiting[] => {
  const leaseless = new Map<string, number>();
  for (const queue of queues.values())
    for (const { doc } of queue) leaseless.set(doc.value.board, (leaseless.get(doc.value.board) ?? 0) + 1);
  return sorted(chains)
    .map(([board, chain]) => ({ board, seq: chain.top?.doc.value.seq ?? 0, unplaced: chain.waiting, leaseless: leaseless.get(board) ?? 0 }))
    .filter(({ unplaced, leaseless }) => unplaced + leaseless > 0);
};

const forksOf = ({ chains }: Ledger): Fork[] =>
  sorted(chains).flatMap(([board, { forkSeq, forked }]) => (forkSeq === null ? [] : [{ board, seq: forkSeq, records: forked }]));

/** Records signed by keys that their boards are not known to have held. */
const strangersOf = ({ book, vector }: Ledger): Invalid[] =>
  sorted(book.usage).flatMap(([board, docs]) => {
    const held = keysOf(book, board, vector);
    return docs
      .filter((doc) => !held.has(doc.signer) && visible(doc, vector))
      .map(
        (doc): Invalid => ({
          ...placeOf(doc, vector),
          kind: 'usage',
          code: 'wrong-signer',
          detail: `not a key that board ${board} has held`,
        }),
      );
  });

const ignoredBy = ({ book, vector, refused }: Ledger, ignored: Invalid[]): Invalid[] =>
  [
    ...book.invalid.filter(({ author, seq }) => seq < (vector[author] ?? 0)),
    ...refused.map(({ doc, detail }): Invalid => ({ ...placeOf(doc, vector), kind: 'usage', code: 'conflict', detail })),
    ...ignored,
  ].sort((a, b) => (a.author === b.author ? a.seq - b.seq : a.author < b.author ? -1 : 1));

/** What a close counts that follows on this ledger's last one. */
export const vectorAfter = (ledger: Ledger, close: Close): Vector => joined(ledger.vector, close.vector);

/** The period is stated; beside that, the leases that do not stand. */
interface Stated extends Closed {
  spurned: Invalid[];
}

/**
 * Closes the next period, piece by piece. `close.vector` may not lie below an earlier one; where it does, the earlier one
 * counts. Errors: `stale` (not the next period), `missing-content` (entries that the close counts are not here).
 */
export function* closing(crypto: Crypto, ledger: Ledger, close: Close): Pieces<Stated> {
  if (close.period <= ledger.period) refuse('stale', `period ${ledger.period} is closed, ${close.period} does not follow`);
  const vector = vectorAfter(ledger, close);
  checkHeld(ledger.book, vector);
  ledger.period = close.period;
  ledger.vector = vector;
  const spurned: Invalid[] = [];
  const trust = trustAt(crypto, ledger.book, vector);
  yield* openMeters(ledger, trust, spurned);
  yield* growChains(ledger, trust.revoked);
  yield* readQueues(ledger, close.closedMs);
  const statement = statementOf({ ...close, vector }, ledger.previous, yield* rateAll(ledger));
  const bytes = encodeStatement(statement);
  ledger.previous = crypto.sha256(bytes);
  return { statement, bytes, spurned };
}

const whole = <T>(pieces: Pieces<T>): T => {
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
  }
};

/** As `closing`, at once, and with what the bill does not count. */
export const closePeriod = (crypto: Crypto, ledger: Ledger, close: Close): Folded => {
  const { statement, bytes, spurned } = whole(closing(crypto, ledger, close));
  return {
    ...{ statement, bytes },
    ignored: ignoredBy(ledger, [...spurned, ...strangersOf(ledger)]),
    forks: forksOf(ledger),
    waiting: waitingOf(ledger),
  };
};

export interface LedgerInput {
  /** Entries of each author in their order, authenticated as that author's log; repeats do not matter. */
  logs: Iterable<Iterable<LogEntry>>;
  /** All closes up to the one that is asked for, by period. */
  closes: readonly Close[];
}

/** The last close's statement. Errors: those of `absorb` and `closePeriod`, and `not-found` without a close. */
export const fold = (crypto: Crypto, { logs, closes }: LedgerInput): Folded => {
  const book = newBook();
  for (const log of logs) for (const entry of log) absorb(crypto, book, entry);
  const ledger = newLedger(book);
  return closes.map((close) => closePeriod(crypto, ledger, close)).at(-1) ?? refuse('not-found', 'no period has been closed');
};
