/** Entries about boards at work: where they are home, what they offer, what they lease, what they used. */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { decodeAs, type Sealed } from '../../runtime/protocol/noun.ts';
import type { Home, SystemOutcome, Usage } from '../../runtime/protocol/nouns/board.ts';
import { checkGuarded, type Lease, leaseIdOf } from '../../runtime/protocol/nouns/lease.ts';
import { closeSchema, type LogEntry, presenceSchema } from '../../runtime/protocol/nouns/log.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { isRevoked, keysOf } from './directory.ts';
import { sizeOf } from './log.ts';
import { open } from './opened.ts';
import { type Chained, placeInChain, putInChain } from './place-usage.ts';
import { heldAlone, heldElsewhere } from './replicas.ts';
import { boards, closes, hellos, leaseIndex, leaseMarks, leases, metered, openLeases, outcomes, systemOutcomes } from './tables.ts';
import { touchFleets, touchRequest } from './touched.ts';

const boardOf = (rows: Rows, id: string) => boards.get(rows, id) ?? refuse('not-paired', `board ${id}`);

/** A document signed by a key that its board holds, or held: logs come in no order among themselves. */
const checkBoard = (rows: Rows, context: Context, id: string, signer: Bytes) => {
  const board = checkHeld(rows, id, signer);
  if (isRevoked(rows, context, signer)) refuse('revoked-key', `board ${id}`);
  return board;
};

const checkHeld = (rows: Rows, id: string, signer: Bytes) => {
  const board = boardOf(rows, id);
  return [board.key, ...board.formerKeys].some((key) => equal(key, signer)) ? board : refuse('wrong-signer', `board ${id} did not sign it`);
};

type Tenure = Pick<Home, 'tenure' | 'gateway'>;

/** A board that lost its newest writes may sign one tenure for two gateways; the greater id counts, as it does everywhere. */
const outranks = (a: Tenure, b: Tenure): boolean => a.tenure > b.tenure || (a.tenure === b.tenure && a.gateway > b.gateway);

/** The board's own word: the highest tenure wins, whoever logged it. */
export const applyHome = (rows: Rows, context: Context, body: Bytes, entry: LogEntry): void => {
  const { value, signer } = open.home(context.crypto, body);
  const board = checkBoard(rows, context, value.board, signer);
  if (board.home !== null && !outranks(value, board.home)) return;
  boards.put(rows, { ...board, home: { tenure: value.tenure, gateway: value.gateway }, here: true, sinceMs: entry.wallMs }, value.board);
};

/** The newest of the highest tenure; every hello of a new tenure is logged, so that there is one. */
export const applyOffer = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, signer } = open.hello(context.crypto, body);
  const board = checkBoard(rows, context, value.board, signer);
  const home = open.home(context.crypto, value.home).value;
  if (board.home === null || outranks(home, board.home))
    return refuse('conflict', `tenure ${home.tenure} of board ${value.board} comes first`);
  // What it offered a former home: logs come in no order among themselves.
  if (outranks(board.home, home)) return;
  const [before, after] = [board.offer?.image, value.offer.image].map((image) => `${image?.board} ${image?.parts}`);
  if (before !== after) touchFleets(rows);
  boards.put(rows, { ...board, offer: value.offer }, value.board);
  hellos.put(rows, body, value.board);
};

export const applyPresence = (rows: Rows, _context: Context, body: Bytes, entry: LogEntry): void => {
  const { board: id, here, tenure, sinceMs } = decodeAs(presenceSchema, body, 'presence');
  const board = boardOf(rows, id);
  // Only its home speaks of it, and only of this tenure: what a former home says comes too late.
  if (board.home?.gateway !== entry.author || board.home.tenure !== tenure) return;
  boards.put(rows, { ...board, here, sinceMs }, id);
};

/** Errors: `unknown-key`, `wrong-signer`, `bad-schema`. */
export const openLease = (rows: Rows, context: Context, body: Bytes): Sealed<Lease> => {
  const sealed = open.lease(context.crypto, body);
  const { value, signer } = sealed;
  const { guardian } = value;
  checkGuarded(value);
  if (leaseIdOf(context.crypto, value) !== value.lease) refuse('bad-schema', "the lease's id is not that of its terms");
  const keys = keysOf(rows, context, guardian);
  if (keys.length === 0) refuse('unknown-key', `gateway ${guardian}`);
  if (!keys.some(({ operator, key }) => operator === value.operator && equal(key, signer)))
    refuse('wrong-signer', 'the guardian it names did not sign it');
  return sealed;
};

export const applyLease = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, signer } = openLease(rows, context, body);
  if (leases.get(rows, value.lease) !== null) return;
  // Its board's records may have come before it.
  const { opened, closed } = leaseMarks.get(rows, value.board, value.lease) ?? { opened: false, closed: false };
  leases.put(rows, { doc: value, document: body, signer, opened, closed }, value.lease);
  if (!closed) openLeases.put(rows, {}, value.board, value.lease);
  leaseIndex.put(rows, {}, value.request, ordinal(value.index), ordinal(value.term), value.lease);
  if (outcomes.get(rows, value.lease) !== null) touchRequest(rows, value.request);
};

/** The newest by the request's number; the lease need not be known here yet. Upon it the next wave may begin, or none. */
export const applyOutcome = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, signer } = open.outcome(context.crypto, body);
  const { board, lease, release, sequence, result, why } = value;
  checkBoard(rows, context, board, signer);
  const leased = leases.get(rows, lease)?.doc ?? null;
  if (leased !== null && leased.board !== board) refuse('wrong-signer', `lease ${lease} is another board's`);
  if ((outcomes.get(rows, lease)?.sequence ?? 0) >= sequence) return;
  outcomes.put(rows, { board, release, sequence, result, why }, lease);
  if (leased !== null) touchRequest(rows, leased.request);
};

/** By the owner's word under which it was tried; what passed has passed. Upon it the owner's next boards may be given it, or none. */
export const applySystemOutcome = (rows: Rows, context: Context, body: Bytes): void => {
  const { value, signer } = open.systemOutcome(context.crypto, body);
  const { board, release, upkeep, result, why } = value;
  checkBoard(rows, context, board, signer);
  if (isNewsOf(rows, value)) systemOutcomes.put(rows, { upkeep, result, why }, hex(release), board);
};

export const isNewsOf = (rows: Rows, { board, release, upkeep }: SystemOutcome): boolean => {
  const held = systemOutcomes.get(rows, hex(release), board);
  return held === null || (held.result === 'failed' && held.upkeep < upkeep);
};

export const openUsage = (rows: Rows, context: Context, body: Bytes): Sealed<Usage> => {
  const sealed = open.usage(context.crypto, body);
  // What a revoked key signed holds the chain together (metering-10); whether it may still be brought is the service's question.
  checkHeld(rows, sealed.value.board, sealed.signer);
  return sealed;
};

export const applyUsage = (rows: Rows, context: Context, body: Bytes, entry: LogEntry): void => {
  const sealed = openUsage(rows, context, body);
  takeInUsage(rows, context, sealed, placeInChain(rows, context, sealed), entry);
};

/** An entry with a record whose place is known. */
export const takeInUsage = (rows: Rows, context: Context, sealed: Sealed<Usage>, place: Chained, entry: LogEntry): void => {
  const { board, seq, lease: id, kind } = sealed.value;
  if (place === 'next') {
    putInChain(rows, context, sealed, entry.body);
    metered.put(rows, sealed.value.registers, board, id);
  }
  // What stands in another's log is durable there and here, and with it the chain that the other had before it.
  if (entry.author !== context.me) heldElsewhere(rows, board, seq);
  else if (place === 'next') heldAlone(rows, context, board, seq, entry.seq);
  if (place === 'next' && kind !== 'point') markLease(rows, board, id, kind === 'close');
};

/** A lease need not be known here: whoever signed it may be gone, and the chain must go on. Bills ask who signed it. */
const markLease = (rows: Rows, board: string, id: string, closes: boolean): void => {
  const closed = closes || (leaseMarks.get(rows, board, id)?.closed ?? false);
  leaseMarks.put(rows, { opened: true, closed }, board, id);
  const held = leases.get(rows, id);
  if (held === null || held.doc.board !== board) return;
  leases.put(rows, { ...held, opened: true, closed }, id);
  if (closed) openLeases.remove(rows, board, id);
};

/** Two histories of one board: it gets nothing more until its operator has looked. The evidence is in the logs. */
export const quarantine = (rows: Rows, board: string): void => {
  const held = boards.get(rows, board);
  if (held !== null) boards.put(rows, { ...held, quarantined: true }, board);
};

export const applyClose = (rows: Rows, _context: Context, body: Bytes): void => {
  const close = decodeAs(closeSchema, body, 'close');
  if (close.period > 1 && closes.get(rows, ordinal(close.period - 1)) === null)
    refuse('conflict', `the period before ${close.period} is not closed`);
  const held = closes.get(rows, ordinal(close.period));
  // Two gateways may close one period at once; the fuller vector wins, and the same one everywhere.
  if (held !== null && rank(close) <= rank(held)) return;
  // Until then it waits, and for ever if it counts what nobody will ever hold: what is stated is not taken back for that.
  if (held !== null)
    for (const [author, size] of Object.entries(close.vector))
      if (sizeOf(rows, author) < size) refuse('conflict', `the close of period ${close.period} counts more of ${author} than is here`);
  closes.put(rows, close, ordinal(close.period));
};

const rank = (close: { vector: Record<string, number>; closedMs: number }): string => {
  const total = Object.values(close.vector).reduce((sum, size) => sum + size, 0);
  return `${ordinal(total)}/${ordinal(close.closedMs)}/${JSON.stringify(Object.entries(close.vector).sort())}`;
};
