/** What must hold of every bill, over random histories (docs/spec/metering.md). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { audit } from '../../../gateway/cli/audit.ts';
import { absorb, newBook } from '../../../gateway/core/book.ts';
import { closePeriod, fold, newLedger } from '../../../gateway/core/ledger.ts';
import { encodeAs, unseal } from '../../../runtime/protocol/noun.ts';
import { type Posting, postingSchema, type Statement } from '../../../runtime/protocol/nouns/billing.ts';
import { usageNoun } from '../../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import type { Close, LogEntry } from '../../../runtime/protocol/nouns/log.ts';
import { keyOf, remembering, testCrypto } from '../../support/crypto.ts';
import { closeAt, type Fact, GATEWAYS, idOf, logsOf, sealedLog, vectorOf } from '../../support/federation.ts';
import { closesOver, early, history, scattered, withCloses } from '../../support/histories.ts';
import { runs } from '../../support/properties.ts';

const crypto = remembering(testCrypto);
const RUNS = runs(30);

const tame = { overlap: false, faults: false, caps: false };
const wild = { overlap: true, faults: true, caps: true };

/** Each period's statement, from one ledger that is carried on, as a gateway carries it. */
const statements = (logs: LogEntry[][], closes: Close[]): Statement[] => {
  const book = newBook();
  for (const entry of logs.flat()) absorb(crypto, book, entry);
  const ledger = newLedger(book);
  return closes.map((close) => closePeriod(crypto, ledger, close).statement);
};
const last = (logs: LogEntry[][]): Statement => fold(crypto, { logs, closes: [closeAt(1, vectorOf(logs))] }).statement;
const postingsOf = (statement: Statement): Posting[] => statement.invoices.flatMap(({ postings }) => postings);
const bytesOf = (statement: Statement): string[] =>
  postingsOf(statement).map((posting) => Buffer.from(encodeAs(postingSchema, posting, 'posting')).toString('hex'));

const sumBy = (postings: Posting[], of: (posting: Posting) => bigint): Map<string, bigint> => {
  const sums = new Map<string, bigint>();
  for (const posting of postings) sums.set(posting.lease, (sums.get(posting.lease) ?? 0n) + of(posting));
  return sums;
};

describe('the bill', () => {
  test('does not depend on which gateway logged what, how often and in which order [metering-6, metering-15]', () => {
    let charged = 0n;
    fc.assert(
      fc.property(
        history(wild).chain(({ facts }) =>
          fc.tuple(fc.constant(facts), scattered(facts), fc.shuffledSubarray([0, 1, 2], { minLength: 3 })),
        ),
        ([facts, logs, order]) => {
          const plain = last(logsOf([facts]));
          expect(bytesOf(last(logs))).toEqual(bytesOf(plain));
          const closes = [closeAt(1, vectorOf(logs))];
          const [one, other] = [logs, order.map((i) => logs[i]!)].map((given) => fold(crypto, { logs: given, closes }));
          expect(other!.bytes).toEqual(one!.bytes);
          expect(other!.ignored).toEqual(one!.ignored);
          charged += postingsOf(plain).reduce((sum, { debitMicro }) => sum + debitMicro, 0n);
        },
      ),
      RUNS,
    );
    expect(charged).toBeGreaterThan(0n);
  });

  test('comes to the same total however it is cut into periods, where no lease overlaps [metering-5, metering-17]', () => {
    let [several, postings] = [0, 0];
    fc.assert(
      fc.property(
        history({ ...tame, caps: true })
          .chain(({ facts }) => scattered(facts))
          .chain((logs) => fc.tuple(fc.constant(logs), closesOver(logs))),
        ([logs, closes]) => {
          const whole = last(logs);
          const parts = statements(logs, closes).flatMap(postingsOf);
          expect(sumBy(parts, ({ debitMicro }) => debitMicro)).toEqual(sumBy(postingsOf(whole), ({ debitMicro }) => debitMicro));
          expect(sumBy(parts, ({ used }) => used.cpuMicros)).toEqual(sumBy(postingsOf(whole), ({ used }) => used.cpuMicros));
          postings += parts.length;
          if (parts.length > postingsOf(whole).length) several++;
        },
      ),
      RUNS,
    );
    // The property says nothing unless bills really were cut.
    expect(several).toBeGreaterThan(RUNS.numRuns / 8);
    expect(postings).toBeGreaterThan(RUNS.numRuns);
  });

  test('charges what it pays, to the last unit, in every posting and every total [metering-25]', () => {
    fc.assert(
      fc.property(
        history(wild)
          .chain(({ facts }) => scattered(facts))
          .chain((logs) => fc.tuple(fc.constant(logs), closesOver(logs))),
        ([logs, closes]) => {
          for (const statement of statements(logs, closes)) {
            const postings = postingsOf(statement);
            for (const { debitMicro, creditMicro, feeMicro, roundingMicro } of postings) {
              expect(creditMicro + feeMicro + roundingMicro).toBe(debitMicro);
              expect(roundingMicro === 0n || roundingMicro === 1n).toBe(true);
            }
            for (const { currency, chargesMicro, earningsMicro, feesMicro, roundingMicro } of statement.totals) {
              expect(earningsMicro + feesMicro + roundingMicro).toBe(chargesMicro);
              const invoiced = statement.invoices.filter((invoice) => invoice.currency === currency);
              expect(invoiced.reduce((sum, { totalMicro }) => sum + totalMicro, 0n)).toBe(chargesMicro);
            }
          }
        },
      ),
      RUNS,
    );
  });

  test('continues each lease where it left off [metering-16]', () => {
    fc.assert(
      fc.property(
        history(wild)
          .chain(({ facts }) => scattered(facts))
          .chain((logs) => fc.tuple(fc.constant(logs), closesOver(logs))),
        ([logs, closes]) => {
          const reached = new Map<string, number>();
          for (const { lease, fromSeq, toSeq } of statements(logs, closes).flatMap(postingsOf)) {
            // A posting of nothing but what its board forgot ends where the one before it did.
            expect(toSeq).toBeGreaterThanOrEqual(fromSeq);
            expect(fromSeq).toBe(reached.get(lease) ?? fromSeq);
            reached.set(lease, toSeq);
          }
        },
      ),
      RUNS,
    );
  });

  test('never charges one instant of an instance twice [metering-18, metering-19]', () => {
    let overlapped = 0;
    fc.assert(
      fc.property(
        history({ ...tame, overlap: true })
          .chain((world) => fc.tuple(fc.constant(world), scattered(world.facts)))
          .chain(([world, logs]) => fc.tuple(fc.constant(world), fc.constant(logs), closesOver(logs))),
        ([{ facts, leases }, logs, closes]) => {
          const postings = statements(logs, closes).flatMap(postingsOf);
          overlapped += postings.filter(({ reason }) => reason === 'overlap').length;
          // Honest boards: a metered millisecond is one on the wall.
          for (const index of new Set(postings.map((posting) => posting.index))) {
            const charged = postings
              .filter((posting) => posting.index === index)
              .map(({ used, uncharged }) => used.wallMs - uncharged.wallMs);
            expect(charged.reduce((sum, ms) => sum + ms, 0n)).toBeLessThanOrEqual(
              unionMs(
                facts,
                leases.filter((lease) => lease.index === index),
              ),
            );
          }
        },
      ),
      RUNS,
    );
    expect(overlapped).toBeGreaterThan(RUNS.numRuns / 8);
  });

  test('stays below the cap of each lease [metering-20]', () => {
    let capped = 0;
    fc.assert(
      fc.property(
        history(wild)
          .chain((world) => fc.tuple(fc.constant(world), scattered(world.facts)))
          .chain(([world, logs]) => fc.tuple(fc.constant(world), fc.constant(logs), closesOver(logs))),
        ([{ leases }, logs, closes]) => {
          const debits = sumBy(statements(logs, closes).flatMap(postingsOf), ({ debitMicro }) => debitMicro);
          for (const { lease, capMicro } of leases) {
            expect(debits.get(lease) ?? 0n).toBeLessThanOrEqual(capMicro);
            if (debits.get(lease) === capMicro) capped++;
          }
        },
      ),
      RUNS,
    );
    expect(capped).toBeGreaterThan(RUNS.numRuns / 8);
  });

  test('stays below the cap of each voucher, over all leases under it [metering-27]', () => {
    let spent = 0;
    fc.assert(
      fc.property(
        history(wild)
          .chain((world) => fc.tuple(fc.constant(world), scattered(world.facts)))
          .chain(([world, logs]) => fc.tuple(fc.constant(world), fc.constant(logs), closesOver(logs))),
        ([{ leases, capMicro }, logs, closes]) => {
          const debits = sumBy(statements(logs, closes).flatMap(postingsOf), ({ debitMicro }) => debitMicro);
          const total = leases.reduce((sum, { lease }) => sum + (debits.get(lease) ?? 0n), 0n);
          expect(total).toBeLessThanOrEqual(capMicro);
          if (total === capMicro) spent++;
        },
      ),
      RUNS,
    );
    expect(spent).toBeGreaterThan(RUNS.numRuns / 16);
  });

  test('is the one that the auditor computes, bit for bit', () => {
    let [billed, cut] = [0, 0];
    fc.assert(
      fc.property(
        history(wild)
          .chain(({ facts }) => scattered(facts))
          .chain((logs) => fc.tuple(fc.constant(logs), closesOver(logs)))
          .chain(([logs, closes]) => fc.tuple(fc.constant(logs), fc.oneof(fc.constant(closes), early(closes)))),
        ([logs, closes]) => {
          const whole = withCloses(logs, closes);
          const { bytes, statement } = fold(crypto, { logs: whole, closes });
          const evidence = whole.map((log, i): [string, ReturnType<typeof sealedLog>] => [
            idOf(GATEWAYS[i]!),
            sealedLog(crypto, log, keyOf(GATEWAYS[i]!)),
          ]);
          const report = audit({ logs: new Map(evidence), statement: bytes }, crypto);
          expect(report.findings).toEqual([]);
          expect(report.expected).toEqual(statement);
          billed += postingsOf(statement).length;
          cut += closes.length > 1 ? 1 : 0;
        },
      ),
      runs(90),
    );
    expect(Math.min(billed, cut)).toBeGreaterThan(RUNS.numRuns);
  });
});

/** Wall time that the records of one instance's leases span together. */
function unionMs(facts: Fact[], leases: Lease[]): bigint {
  const ids = new Set<string>(leases.map(({ lease }) => lease));
  const spans = new Map<string, [number, number]>();
  for (const { body } of facts.filter(({ kind }) => kind === 'usage')) {
    const { lease, wallMs } = unseal(crypto, usageNoun, body).value;
    const [from, to] = spans.get(lease) ?? [wallMs, wallMs];
    if (ids.has(lease)) spans.set(lease, [Math.min(from, wallMs), Math.max(to, wallMs)]);
  }
  let [total, end] = [0, 0];
  for (const [from, to] of [...spans.values()].sort(([a], [b]) => a - b)) {
    total += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return BigInt(total);
}
