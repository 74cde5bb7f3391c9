/**
 * Promises 2 and 3 on paper: each lease's postings follow on one another, cost what its registers cost at its own rates,
 * and every sum is the sum of its parts. (docs/spec/metering.md, "Slices" and "Money")
 */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { NOT_PAYABLE } from '../../runtime/protocol/money.ts';
import { decodeStatement, type Posting, type Statement } from '../../runtime/protocol/nouns/billing.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import { orNull } from './archive.ts';
import type { Court } from './court.ts';
import { METERED, noUse, type Use } from './glance.ts';
import { priceMicro } from './price.ts';
import { boardOf, isContradictory, type LeaseCase } from './scene.ts';

/** All of one lease. */
export interface Bill {
  fromSeq: number;
  toSeq: number;
  used: Use;
  charged: Use;
  debitMicro: bigint;
  /** Less was debited than is due below its own cap: its voucher must have been spent. */
  isCut: boolean;
}

export interface Bills {
  byLease: Map<string, Bill>;
  /** The last statement; null: nothing was ever closed. */
  last: Statement | null;
  /** What their gateways' clocks showed at the closes. */
  closes: Pick<Statement, 'period' | 'closedMs'>[];
}

const PERMILLE = 1000n;

const sum = <T>(items: T[], of: (item: T) => bigint): bigint => items.reduce((total, item) => total + of(item), 0n);

const examineCoverage = (court: Court, atMs: number, lease: LeaseCase, bill: Bill | undefined, posting: Posting): void => {
  const { docket } = court;
  const { fromSeq, toSeq } = posting;
  if (bill === undefined) {
    const { firstSeq } = lease;
    const board = boardOf(court.scene, lease);
    if (firstSeq > 0 && fromSeq > firstSeq && (board === null || !isContradictory(board)))
      docket.accuse('usage-lost', atMs, lease.id, `its first posting begins after record ${fromSeq}, its first record is ${firstSeq}`);
    return;
  }
  if (fromSeq > bill.toSeq)
    docket.accuse('usage-lost', atMs, lease.id, `a posting begins after record ${fromSeq}, the one before it ends with ${bill.toSeq}`);
  if (fromSeq >= bill.toSeq && toSeq > fromSeq) return;
  const records = boardOf(court.scene, lease)?.chain.leases.slice(fromSeq + 1, Math.min(bill.toSeq, toSeq) + 1) ?? [];
  docket.tally.recordsBilledTwice += records.filter((one) => one === lease).length;
  docket.accuse('billed-twice', atMs, lease.id, `records (${fromSeq}, ${toSeq}] are posted, up to ${bill.toSeq} they were before`);
};

const examineParts = (court: Court, atMs: number, posting: Posting, lease: Lease): void => {
  const { debitMicro, creditMicro, feeMicro, roundingMicro } = posting;
  if (debitMicro !== creditMicro + feeMicro + roundingMicro)
    court.docket.accuse('not-zero-sum', atMs, posting.lease, `${debitMicro} is not ${creditMicro} + ${feeMicro} + ${roundingMicro}`);
  const fee = BigInt(lease.feePermille);
  const [dueFee, dueCredit] = [(debitMicro * fee) / PERMILLE, (debitMicro * (PERMILLE - fee)) / PERMILLE];
  if (feeMicro !== dueFee || creditMicro !== dueCredit)
    court.docket.accuse(
      'wrong-price',
      atMs,
      posting.lease,
      `of ${debitMicro}, ${dueFee} is the fee and ${dueCredit} the owner's, not ${feeMicro} and ${creditMicro}`,
    );
};

const PARTIES = ['board', 'tenant', 'owner', 'operator', 'request', 'name', 'index', 'term'] as const;

const examineParties = (court: Court, atMs: number, posting: Posting, lease: Lease): void => {
  const wrong = PARTIES.find((name) => posting[name] !== lease[name]);
  if (wrong !== undefined)
    court.docket.accuse('wrong-price', atMs, posting.lease, `its ${wrong} is ${posting[wrong]}, leased was ${lease[wrong]}`);
  const currency = posting.tier === 'dev' ? NOT_PAYABLE : lease.currency;
  if (posting.currency !== currency)
    court.docket.accuse('wrong-price', atMs, posting.lease, `it is in ${posting.currency}, leased was ${currency}`);
};

/** Of this posting, `fresh` was not charged: for which of the spec's two reasons, and do they hold? */
const examineReason = (court: Court, atMs: number, posting: Posting, lease: Lease, bill: Bill): void => {
  const { reason } = posting;
  const isUncharged = METERED.some((name) => posting.uncharged[name] > 0n);
  const accuse = (what: string): void => court.docket.accuse('uncharged-without-reason', atMs, posting.lease, what);
  if (isUncharged && reason === '') accuse('a part is posted at rate zero and no reason is given');
  if (reason.includes('cap') && bill.debitMicro !== lease.capMicro) bill.isCut = true;
  if (!reason.includes('overlap')) return;
  const siblings = court.scene.instance(`${lease.request}/${lease.index}`).leases;
  const hasSibling = [...siblings].some((other) => other.id !== posting.lease && other.firstSeq > 0);
  if (!hasSibling) accuse('an overlap is given for a reason, and no other lease of the instance was ever opened');
};

const examinePosting = (court: Court, atMs: number, posting: Posting, bills: Map<string, Bill>): void => {
  const found = court.scene.lease(posting.lease);
  const before = bills.get(posting.lease);
  examineCoverage(court, atMs, found, before, posting);
  const bill: Bill = before ?? { fromSeq: posting.fromSeq, toSeq: 0, used: noUse(), charged: noUse(), debitMicro: 0n, isCut: false };
  bills.set(posting.lease, bill);
  bill.toSeq = Math.max(bill.toSeq, posting.toSeq);
  for (const name of METERED) {
    bill.used[name] += posting.used[name];
    bill.charged[name] += posting.used[name] - posting.uncharged[name];
    if (posting.uncharged[name] > posting.used[name])
      court.docket.accuse('wrong-price', atMs, posting.lease, `more of ${name} is not charged than was used`);
  }
  const lease = found.document;
  if (lease === null) {
    court.docket.accuse('wrong-price', atMs, posting.lease, 'nobody signed such a lease');
    return;
  }
  examineParties(court, atMs, posting, lease);
  examineParts(court, atMs, posting, lease);
  const cost = priceMicro(bill.charged, lease.rates);
  const due = cost > lease.capMicro ? lease.capMicro : cost;
  bill.debitMicro += posting.debitMicro;
  examineReason(court, atMs, posting, lease, bill);
  if (bill.isCut ? bill.debitMicro > due : bill.debitMicro !== due)
    court.docket.accuse(
      'wrong-price',
      atMs,
      posting.lease,
      `up to record ${posting.toSeq} it is debited ${bill.debitMicro}, due are ${due}`,
    );
};

/** Of all leases under one voucher together: never more than it pays, and less than is due only where it is spent. */
const examineVouchers = (court: Court, atMs: number, bills: Map<string, Bill>): void => {
  const totals = new Map<string, bigint>();
  const voucherOf = (lease: string): string => hex(court.scene.lease(lease).document?.voucher ?? new Uint8Array());
  for (const [lease, { debitMicro }] of bills) totals.set(voucherOf(lease), (totals.get(voucherOf(lease)) ?? 0n) + debitMicro);
  const capOf = (voucher: string): bigint => court.archive.voucher(voucher)?.value.capMicro ?? 0n;
  for (const [voucher, total] of totals)
    if (total > capOf(voucher))
      court.docket.accuse('voucher-overspent', atMs, voucher, `${total} are debited under it, it pays ${capOf(voucher)}`);
  for (const [lease, { isCut, debitMicro }] of bills) {
    const [total, cap] = [totals.get(voucherOf(lease)), capOf(voucherOf(lease))];
    if (isCut && total !== cap)
      court.docket.accuse(
        'uncharged-without-reason',
        atMs,
        lease,
        `a cap is given for a reason at ${debitMicro}, and of its voucher's ${cap} only ${total} are debited`,
      );
  }
};

/** Sums by a key, as text: the same keys with the same sums, or they differ. */
const sums = <T>(items: T[], keyOf: (item: T) => string, of: (item: T) => bigint): string => {
  const totals = new Map<string, bigint>();
  for (const item of items) totals.set(keyOf(item), (totals.get(keyOf(item)) ?? 0n) + of(item));
  return [...totals]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, total]) => `${key} ${total}`)
    .join('\n');
};

const examineSums = (court: Court, atMs: number, { period, invoices, payouts, fees, totals }: Statement): void => {
  const postings = invoices.flatMap((invoice) => invoice.postings);
  const compare = (what: string, stated: string, due: string): void => {
    if (stated !== due)
      court.docket.accuse('not-zero-sum', atMs, `period ${period} ${what}`, `its ${what} are ${stated}, its postings add up to ${due}`);
  };
  const inCurrency = ({ currency }: { currency: string }): string => currency;
  const billed = ({ tenant, currency }: { tenant: string; currency: string }): string => `${tenant}/${currency}`;
  const paid = ({ owner, currency }: { owner: string; currency: string }): string => `${owner}/${currency}`;
  const kept = ({ operator, currency }: { operator: string; currency: string }): string => `${operator}/${currency}`;
  compare(
    'invoices',
    sums(invoices, billed, (one) => one.totalMicro),
    sums(postings, billed, (one) => one.debitMicro),
  );
  compare(
    'payouts',
    sums(payouts, paid, (one) => one.creditMicro),
    sums(postings, paid, (one) => one.creditMicro),
  );
  compare(
    'fees',
    sums(fees, kept, (one) => one.feeMicro),
    sums(postings, kept, (one) => one.feeMicro),
  );
  compare(
    'charges',
    sums(totals, inCurrency, (one) => one.chargesMicro),
    sums(postings, inCurrency, (one) => one.debitMicro),
  );
  compare(
    'earnings',
    sums(totals, inCurrency, (one) => one.earningsMicro),
    sums(postings, inCurrency, (one) => one.creditMicro),
  );
  compare(
    'total fees',
    sums(totals, inCurrency, (one) => one.feesMicro),
    sums(postings, inCurrency, (one) => one.feeMicro),
  );
  compare(
    'roundings',
    sums(totals, inCurrency, (one) => one.roundingMicro),
    sums(postings, inCurrency, (one) => one.roundingMicro),
  );
  const charges = sum(totals, (one) => one.chargesMicro);
  const parts = sum(totals, (one) => one.earningsMicro + one.feesMicro + one.roundingMicro);
  compare('parts', String(charges), String(parts));
};

/** The statements of one gateway, in order. */
export const examineStatements = (court: Court, atMs: number, statements: Bytes[]): Bills => {
  const byLease = new Map<string, Bill>();
  let last: Statement | null = null;
  const closes: Bills['closes'] = [];
  let previous: Bytes = new Uint8Array(32);
  for (const [i, bytes] of statements.entries()) {
    const statement = orNull(() => decodeStatement(bytes));
    if (statement === null) {
      court.docket.accuse('statement-chain', atMs, `statement ${i + 1}`, 'it is not a statement');
      continue;
    }
    if (!equal(statement.previous, previous) || statement.period <= (last?.period ?? 0))
      court.docket.accuse('statement-chain', atMs, `period ${statement.period}`, 'it does not follow on the statement before it');
    for (const invoice of statement.invoices) {
      for (const posting of invoice.postings) {
        if (posting.tenant !== invoice.tenant || posting.currency !== invoice.currency)
          court.docket.accuse('wrong-price', atMs, posting.lease, `it stands on an invoice of ${invoice.tenant} in ${invoice.currency}`);
        examinePosting(court, atMs, posting, byLease);
      }
    }
    examineSums(court, atMs, statement);
    examineVouchers(court, atMs, byLease);
    previous = court.crypto.sha256(bytes);
    last = statement;
    closes.push({ period: statement.period, closedMs: statement.closedMs });
  }
  return { byLease, last, closes };
};
