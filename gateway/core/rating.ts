/**
 * What is charged of a lease's records. A slice runs from one accepted record to the next; it is charged whole or not
 * at all, so that neither repeats nor the order of arrival can move a total. docs/spec/metering.md, "Slices".
 */
import { costMicro, NOT_PAYABLE, ZERO } from '../../runtime/protocol/money.ts';
import type { Posting } from '../../runtime/protocol/nouns/billing.ts';
import { REGISTERS, type Registers, type Usage } from '../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { TierName } from '../../runtime/protocol/schema.ts';
import type { Doc } from './book.ts';
import type { Link } from './chain.ts';

/** A stretch of wall time, from and to a record. */
interface Span {
  fromMs: number;
  toMs: number;
}

interface Slice extends Span {
  used: Registers;
}

export interface Meter {
  lease: Lease;
  /** Hex of the lease document on which it was opened. */
  document: string;
  /** Instant at which it began; null before its zero record. */
  openMs: number | null;
  /** The highest number accepted. */
  lastSeq: number;
  /** Sum of all slices; of a board that forgot records it may pass the last one's registers. */
  total: Registers;
  tier: TierName;
  /** Registers that were charged in all, and what they came to, cut at the cap. */
  charged: Registers;
  debitMicro: bigint;
  /** Where the last posting ended. */
  postedSeq: number;
  /** Accepted and not yet rated. */
  slices: Slice[];
  /** What was charged in former periods. */
  spans: Span[];
}

export const newMeter = (doc: Doc<Lease>): Meter => ({
  lease: doc.value,
  document: doc.name,
  openMs: null,
  lastSeq: 0,
  total: ZERO,
  tier: 'full',
  charged: ZERO,
  debitMicro: 0n,
  postedSeq: 0,
  slices: [],
  spans: [],
});

/** What a voucher still pays for, of all leases under it together. */
export interface Purse {
  leftMicro: bigint;
}

/** What a posting can carry. */
const REGISTER_MAX = 2n ** 64n - 1n;

const RANK: Record<TierName, number> = { dev: 0, reduced: 1, full: 2 };
const lower = (a: TierName, b: TierName): TierName => (RANK[a] <= RANK[b] ? a : b);

const combine = (a: Registers, b: Registers, each: (x: bigint, y: bigint) => bigint): Registers => ({
  wallMs: each(a.wallMs, b.wallMs),
  cpuMicros: each(a.cpuMicros, b.cpuMicros),
  memoryMibS: each(a.memoryMibS, b.memoryMibS),
  netInBytes: each(a.netInBytes, b.netInBytes),
  netOutBytes: each(a.netOutBytes, b.netOutBytes),
  diskBytes: each(a.diskBytes, b.diskBytes),
  diskMibS: each(a.diskMibS, b.diskMibS),
  energyMj: each(a.energyMj, b.energyMj),
});

const plus = (a: Registers, b: Registers): Registers => combine(a, b, (x, y) => x + y);
const minus = (a: Registers, b: Registers): Registers => combine(a, b, (x, y) => x - y);
const isZero = (a: Registers): boolean => REGISTERS.every((register) => a[register] === 0n);
const fell = (from: Registers, to: Registers): boolean => REGISTERS.some((register) => to[register] < from[register]);

/** The zero record; a board that forgot it begins anew from its own zero. */
const begin = (meter: Meter, { kind, registers, seq }: Usage, atMs: number): string | null => {
  if (kind !== 'open' || !isZero(registers)) return 'the lease does not begin with a zero record';
  if (meter.openMs === null) meter.postedSeq = seq;
  meter.openMs ??= atMs;
  return null;
};

/** From the accepted record before it on its own way back: what the board forgot lies beside that, and counts by itself. */
const proceed = (meter: Meter, last: Link, { kind, registers }: Usage, atMs: number): string | null => {
  if (last.doc.value.kind === 'close') return 'follows the close of its lease';
  if (kind === 'open') return 'the lease is open already';
  if (fell(last.doc.value.registers, registers)) return 'a register fell';
  const used = minus(registers, last.doc.value.registers);
  const total = plus(meter.total, used);
  if (REGISTERS.some((register) => total[register] > REGISTER_MAX)) return 'a register runs over';
  meter.total = total;
  meter.slices.push({ used, fromMs: last.reachMs ?? atMs, toMs: atMs });
  return null;
};

const acceptedBefore = ({ before }: Link): Link | null => {
  let link = before;
  while (link !== null && link.reachMs === null) link = link.before;
  return link;
};

/**
 * The instant that a record stands for. Its date is its board's word alone: it counts from where the lease is already (in the
 * beginning: from where its guardian signed it) to `closedMs`, that of the close which counts it. [metering-17]
 */
const instantOf = ({ lease }: Meter, last: Link | null, { wallMs }: Usage, closedMs: number): number =>
  Math.max(last?.reachMs ?? lease.openedMs, Math.min(wallMs, closedMs));

/** Null when the record is accepted, else why it means nothing. `closedMs`: wall time of the close that counts it. */
export const accept = (meter: Meter, link: Link, closedMs: number): string | null => {
  if (link.revoked) return 'signed by a revoked key';
  const usage: Usage = link.doc.value;
  const last = acceptedBefore(link);
  const atMs = instantOf(meter, last, usage, closedMs);
  const why = last === null ? begin(meter, usage, atMs) : proceed(meter, last, usage, atMs);
  if (why !== null) return why;
  link.reachMs = atMs;
  meter.lastSeq = Math.max(meter.lastSeq, usage.seq);
  meter.tier = lower(meter.tier, usage.tier);
  return null;
};

/** The higher term of one instance; of equal terms, which only a split of guardians makes, the greater lease id. */
const isHigher = (a: Lease, b: Lease): boolean => a.term > b.term || (a.term === b.term && a.lease > b.lease);

const overlaps = (a: Span, b: Span): boolean => Math.max(a.fromMs, b.fromMs) < Math.min(a.toMs, b.toMs);

/** Of one (request, index): the instant from which a meter is no longer charged, because a higher one has begun. */
const cutoffOf = (meter: Meter, siblings: Meter[]): number =>
  siblings
    .filter((other) => isHigher(other.lease, meter.lease))
    .reduce((first, { openMs }) => Math.min(first, openMs ?? Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);

interface Rated {
  posting: Posting;
  spans: Span[];
}

const reasonOf = (overlap: boolean, cap: boolean): Posting['reason'] => (overlap ? (cap ? 'overlap, cap' : 'overlap') : cap ? 'cap' : '');

/** Debit and its parts; what neither side's share takes whole is rounding, 0 or 1 micro-unit. */
const moneyOf = (debitMicro: bigint, feePermille: number) => {
  const feeMicro = (debitMicro * BigInt(feePermille)) / 1000n;
  const creditMicro = (debitMicro * BigInt(1000 - feePermille)) / 1000n;
  return { debitMicro, creditMicro, feeMicro, roundingMicro: debitMicro - creditMicro - feeMicro };
};

const rateOne = (meter: Meter, siblings: Meter[], purse: Purse): Rated => {
  const { lease, slices } = meter;
  const room = meter.debitMicro + purse.leftMicro;
  const capMicro = room < lease.capMicro ? room : lease.capMicro;
  const cutoffMs = cutoffOf(meter, siblings);
  const taken = siblings.filter((other) => other !== meter).flatMap((other) => other.spans);
  const spans: Span[] = [];
  let [used, uncharged, charged, debitMicro] = [ZERO, ZERO, meter.charged, meter.debitMicro];
  let [overlap, cap] = [false, false];
  for (const slice of slices) {
    used = plus(used, slice.used);
    const doubled = slice.toMs > cutoffMs || taken.some((span) => overlaps(span, slice));
    const reached = costMicro(plus(charged, slice.used), lease.rates);
    const spent = reached > capMicro;
    overlap ||= doubled;
    cap ||= !doubled && spent;
    if (doubled || (spent && debitMicro >= capMicro)) {
      uncharged = plus(uncharged, slice.used);
    } else {
      charged = plus(charged, slice.used);
      debitMicro = spent ? capMicro : reached;
      spans.push({ fromMs: slice.fromMs, toMs: slice.toMs });
    }
  }
  const { lease: id, board, tenant, owner, operator, request, name, index, term, feePermille } = lease;
  const posting: Posting = {
    ...{ lease: id, board, tenant, owner, operator, request, name, index, term },
    tier: meter.tier,
    currency: meter.tier === 'dev' ? NOT_PAYABLE : lease.currency,
    fromSeq: meter.postedSeq,
    toSeq: meter.lastSeq,
    ...{ used, uncharged },
    reason: reasonOf(overlap, cap),
    ...moneyOf(debitMicro - meter.debitMicro, feePermille),
  };
  purse.leftMicro -= debitMicro - meter.debitMicro;
  meter.charged = charged;
  meter.debitMicro = debitMicro;
  return { posting, spans };
};

/** Joins what touches, so that a lease charged for years keeps one span and not one a record. */
const join = (spans: Span[]): Span[] => {
  const out: Span[] = [];
  for (const span of spans) {
    const before = out.at(-1);
    if (before !== undefined && before.toMs === span.fromMs) before.toMs = span.toMs;
    else out.push({ ...span });
  }
  return out;
};

/**
 * Rates what is new for one period. `instances`: all meters of each (request, index). Those draw on their voucher first over
 * which no other of their instance stands, then those with one over them, and so on: what comes late of former leases takes
 * nothing from who ran in sight. Those without new slices give no posting. [metering-27]
 */
export function* rate(instances: Meter[][], purseOf: (lease: Lease) => Purse): Generator<number, Posting[]> {
  const turns = instances.flatMap((siblings) =>
    [...siblings].sort((a, b) => (isHigher(a.lease, b.lease) ? -1 : 1)).map((meter, above) => ({ meter, siblings, above })),
  );
  const rated: (Rated & { meter: Meter })[] = [];
  for (const { meter, siblings } of turns.filter(({ meter }) => meter.slices.length > 0).sort((a, b) => a.above - b.above)) {
    yield meter.slices.length + 1;
    rated.push({ meter, ...rateOne(meter, siblings, purseOf(meter.lease)) });
  }
  // Only now: within one period the terms tell who is charged, and spans speak of former periods.
  for (const { meter, posting, spans } of rated) {
    meter.postedSeq = posting.toSeq;
    meter.slices = [];
    meter.spans = join([...meter.spans, ...spans]);
  }
  return rated.map(({ posting }) => posting);
}
