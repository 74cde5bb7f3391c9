/** A period's postings as invoices, payouts and fees. Every list is sorted, so that the bytes are one. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Invoice, Posting, Statement } from '../../runtime/protocol/nouns/billing.ts';
import type { Close } from '../../runtime/protocol/nouns/log.ts';

const group = <T>(items: T[], keyOf: (item: T) => string): T[][] => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const row = groups.get(keyOf(item));
    if (row === undefined) groups.set(keyOf(item), [item]);
    else row.push(item);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
};

const sum = (postings: Posting[], of: (posting: Posting) => bigint): bigint => postings.reduce((total, posting) => total + of(posting), 0n);

/** Of each group, what its first posting names and the group's sum. */
const grouped = <T>(postings: Posting[], keyOf: (posting: Posting) => string, make: (first: Posting, row: Posting[]) => T): T[] =>
  group(postings, keyOf).flatMap((row) => row.slice(0, 1).map((first) => make(first, row)));

const invoicesOf = (close: Close, postings: Posting[]): Invoice[] =>
  grouped(
    postings,
    (posting) => `${posting.tenant}/${posting.currency}`,
    ({ tenant, currency }, row) => ({
      v: 1,
      tenant,
      period: close.period,
      vector: close.vector,
      closedMs: close.closedMs,
      currency,
      postings: row,
      totalMicro: sum(row, (posting) => posting.debitMicro),
    }),
  );

/** `previous`: hash of the statement before this one. */
export const statementOf = (close: Close, previous: Bytes, unsorted: Posting[]): Statement => {
  const postings = [...unsorted].sort((a, b) => (a.lease < b.lease ? -1 : 1));
  return {
    v: 1,
    period: close.period,
    previous,
    vector: close.vector,
    closedMs: close.closedMs,
    invoices: invoicesOf(close, postings),
    payouts: grouped(
      postings,
      (posting) => `${posting.owner}/${posting.currency}`,
      ({ owner, currency }, row) => ({ owner, currency, creditMicro: sum(row, (posting) => posting.creditMicro) }),
    ),
    fees: grouped(
      postings,
      (posting) => `${posting.operator}/${posting.currency}`,
      ({ operator, currency }, row) => ({ operator, currency, feeMicro: sum(row, (posting) => posting.feeMicro) }),
    ),
    totals: grouped(
      postings,
      (posting) => posting.currency,
      ({ currency }, row) => ({
        currency,
        chargesMicro: sum(row, (posting) => posting.debitMicro),
        earningsMicro: sum(row, (posting) => posting.creditMicro),
        feesMicro: sum(row, (posting) => posting.feeMicro),
        roundingMicro: sum(row, (posting) => posting.roundingMicro),
      }),
    ),
  };
};
