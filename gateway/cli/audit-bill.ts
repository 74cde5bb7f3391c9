/** The bill computed anew, slice by slice, with exact fractions; nothing here is shared with the gateway's arithmetic. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { encodeStatement, type Invoice, type Posting, type Statement } from '../../runtime/protocol/nouns/billing.ts';
import type { Close } from '../../runtime/protocol/nouns/log.ts';
import type { Rates } from '../../runtime/protocol/nouns/request.ts';
import { type Counts, counts, type Story, type Stretch } from './audit-usage.ts';

/** A price as numerator over denominator, in nano-units. */
type Fraction = readonly [bigint, bigint];

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

const add = ([a, b]: Fraction, [c, d]: Fraction): Fraction => {
  const [top, bottom] = [a * d + c * b, b * d];
  const common = gcd(top, bottom);
  return common === 0n ? [0n, 1n] : [top / common, bottom / common];
};

/** Nano-units that one unit of a register costs. */
const price = (used: Counts, rates: Rates): Fraction =>
  [
    [used.wallMs * rates.wallHour, 60n * 60n * 1000n] as const,
    [used.cpuMicros * rates.cpuSecond, 1_000_000n] as const,
    [used.memoryMibS * rates.memoryMibHour, 60n * 60n] as const,
    [used.netInBytes * rates.netMib, 1024n * 1024n] as const,
    [used.netOutBytes * rates.netMib, 1024n * 1024n] as const,
    [used.diskBytes * rates.diskMib, 1024n * 1024n] as const,
    [used.diskMibS * rates.dataMibHour, 60n * 60n] as const,
  ].reduce<Fraction>(add, [0n, 1n]);

/** Whole micro-units in so many nano-units. */
const micro = ([top, bottom]: Fraction): bigint => top / (bottom * 1000n);

const less = (a: bigint, b: bigint): bigint => (a < b ? a : b);

interface Account {
  story: Story;
  /** Exact price of all that was charged. */
  total: Fraction;
  /** What was debited of it: the price, up to its cap and what its voucher had left. */
  debitedMicro: bigint;
  /** Stretches charged in periods gone by. */
  paid: Stretch[];
  postedSeq: number;
}

const outranks = (a: Story, b: Story): boolean =>
  a.lease.term > b.lease.term || (a.lease.term === b.lease.term && a.lease.lease > b.lease.lease);

const meet = (a: Stretch, b: Stretch): boolean => Math.max(a.startMs, b.startMs) < Math.min(a.endMs, b.endMs);

const TIERS = ['dev', 'reduced', 'full'] as const;

const doubled = (account: Account, others: Account[], stretch: Stretch, period: number): boolean =>
  others.some(
    (other) =>
      (other.story.begun !== null &&
        other.story.begun.period <= period &&
        outranks(other.story, account.story) &&
        stretch.endMs > other.story.begun.wallMs) ||
      other.paid.some((paid) => meet(paid, stretch)),
  );

interface Charged {
  posting: Posting;
  paid: Stretch[];
}

const sumOf = (stretches: Stretch[]): Counts => counts((name) => stretches.reduce((sum, { used }) => sum + used[name], 0n));

/** `unspent`: what all other leases under its voucher leave of it. */
const charge = (account: Account, others: Account[], period: number, unspent: bigint): Charged | null => {
  const { lease, stretches, accepted } = account.story;
  const most = less(lease.capMicro, unspent);
  const now = stretches.filter((stretch) => stretch.period === period);
  if (now.length === 0) return null;
  const known = accepted.filter((record) => record.period <= period);
  const [free, paid]: [Stretch[], Stretch[]] = [[], []];
  const reasons = new Set<'overlap' | 'cap'>();
  for (const stretch of now) {
    const sum = add(account.total, price(stretch.used, lease.rates));
    const over = micro(sum) > most;
    if (doubled(account, others, stretch, period)) reasons.add('overlap');
    else if (over) reasons.add('cap');
    if (doubled(account, others, stretch, period) || (over && micro(account.total) >= most)) {
      free.push(stretch);
    } else {
      account.total = sum;
      paid.push(stretch);
    }
  }
  const debited = less(micro(account.total), most);
  const debitMicro = debited - account.debitedMicro;
  account.debitedMicro = debited;
  const fee = BigInt(lease.feePermille);
  const feeMicro = (debitMicro * fee) / 1000n;
  const creditMicro = (debitMicro * (1000n - fee)) / 1000n;
  const tier = TIERS.find((name) => known.some((record) => record.tier === name)) ?? 'full';
  const posting: Posting = {
    lease: lease.lease,
    board: lease.board,
    tenant: lease.tenant,
    owner: lease.owner,
    operator: lease.operator,
    request: lease.request,
    name: lease.name,
    index: lease.index,
    term: lease.term,
    tier,
    currency: tier === 'dev' ? 'XTS' : lease.currency,
    fromSeq: account.postedSeq,
    toSeq: Math.max(...known.map(({ seq }) => seq)),
    used: sumOf(now),
    uncharged: sumOf(free),
    reason: reasons.has('overlap') ? (reasons.has('cap') ? 'overlap, cap' : 'overlap') : reasons.has('cap') ? 'cap' : '',
    debitMicro,
    creditMicro,
    feeMicro,
    roundingMicro: debitMicro - feeMicro - creditMicro,
  };
  return { posting, paid };
};

const areSiblings = ({ story: { lease: a } }: Account, { story: { lease: b } }: Account): boolean =>
  a.request === b.request && a.index === b.index && a.lease !== b.lease;

/** How they draw on their vouchers: the last lease of every replica, then those before these, and so on; replicas as they are numbered. */
const inTurn = (accounts: Account[]): Account[] => {
  const above = (account: Account): number =>
    accounts.filter((other) => areSiblings(account, other) && outranks(other.story, account.story)).length;
  return accounts
    .map((account) => ({ account, lease: account.story.lease, place: above(account) }))
    .sort((a, b) => a.place - b.place || ascending(a.lease.request, b.lease.request) || a.lease.index - b.lease.index)
    .map(({ account }) => account);
};

const chargePeriod = (accounts: Account[], caps: Map<string, bigint>, period: number): Posting[] => {
  const results = inTurn(accounts).map((account) => {
    const { voucher } = account.story.lease;
    const others = accounts.filter((other) => areSiblings(account, other));
    const drawn = accounts
      .filter((other) => other !== account && hex(other.story.lease.voucher) === hex(voucher))
      .reduce((sum, other) => sum + other.debitedMicro, 0n);
    return { account, charged: charge(account, others, period, (caps.get(hex(voucher)) ?? 0n) - drawn) };
  });
  for (const { account, charged } of results) {
    if (charged === null) continue;
    account.paid.push(...charged.paid);
    account.postedSeq = charged.posting.toSeq;
  }
  return results.flatMap(({ charged }) => (charged === null ? [] : [charged.posting]));
};

const ascending = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const distinct = (keys: string[]): string[] => [...new Set(keys)].sort(ascending);
const total = (rows: Posting[], name: 'debitMicro' | 'creditMicro' | 'feeMicro' | 'roundingMicro'): bigint =>
  rows.reduce((sum, row) => sum + row[name], 0n);

const invoicesOf = (close: Close, postings: Posting[]): Invoice[] =>
  distinct(postings.map((row) => `${row.tenant} ${row.currency}`)).flatMap((key) => {
    const rows = postings.filter((row) => `${row.tenant} ${row.currency}` === key);
    return rows.slice(0, 1).map(({ tenant, currency }) => ({
      v: 1 as const,
      ...{ tenant, currency, period: close.period, vector: close.vector, closedMs: close.closedMs },
      postings: rows,
      totalMicro: total(rows, 'debitMicro'),
    }));
  });

const state = (close: Close, previous: Bytes, unsorted: Posting[]): Statement => {
  const postings = [...unsorted].sort((a, b) => ascending(a.lease, b.lease));
  const { period, vector, closedMs } = close;
  const each = <T>(keyOf: (row: Posting) => string, make: (first: Posting, rows: Posting[]) => T): T[] =>
    distinct(postings.map(keyOf)).flatMap((key) => {
      const rows = postings.filter((row) => keyOf(row) === key);
      return rows.slice(0, 1).map((first) => make(first, rows));
    });
  return {
    v: 1,
    ...{ period, previous, vector, closedMs },
    invoices: invoicesOf(close, postings),
    payouts: each(
      (row) => `${row.owner} ${row.currency}`,
      ({ owner, currency }, rows) => ({ owner, currency, creditMicro: total(rows, 'creditMicro') }),
    ),
    fees: each(
      (row) => `${row.operator} ${row.currency}`,
      ({ operator, currency }, rows) => ({ operator, currency, feeMicro: total(rows, 'feeMicro') }),
    ),
    totals: each(
      (row) => row.currency,
      ({ currency }, rows) => ({
        currency,
        chargesMicro: total(rows, 'debitMicro'),
        earningsMicro: total(rows, 'creditMicro'),
        feesMicro: total(rows, 'feeMicro'),
        roundingMicro: total(rows, 'roundingMicro'),
      }),
    ),
  };
};

export interface Bill {
  statement: Statement;
  bytes: Bytes;
}

/** Bills every period in order; the last is the one under audit. `caps`: voucher → what it pays at most, in micro-units. */
export const billAll = (crypto: Crypto, stories: Map<string, Story>, caps: Map<string, bigint>, closes: Close[]): Bill | null => {
  const accounts = [...stories.values()].map(
    (story): Account => ({ story, total: [0n, 1n], debitedMicro: 0n, paid: [], postedSeq: story.begun?.seq ?? 0 }),
  );
  let bill: Bill | null = null;
  for (const close of closes) {
    const previous: Bytes = bill === null ? new Uint8Array(32) : crypto.sha256(bill.bytes);
    const statement = state(close, previous, chargePeriod(accounts, caps, close.period));
    bill = { statement, bytes: encodeStatement(statement) };
  }
  return bill;
};
