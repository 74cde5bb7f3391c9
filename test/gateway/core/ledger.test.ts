/** The ledger's clauses (docs/spec/metering.md), one example or counterexample each. */
import { describe, expect, test } from 'vitest';
import { type Folded, fold } from '../../../gateway/core/ledger.ts';
import type { BoardId, LeaseId, OwnerId } from '../../../runtime/protocol/ids.ts';
import { costMicro, ZERO } from '../../../runtime/protocol/money.ts';
import { sealMany } from '../../../runtime/protocol/noun.ts';
import type { Posting } from '../../../runtime/protocol/nouns/billing.ts';
import type { Registers } from '../../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../../runtime/protocol/nouns/lease.ts';
import { rotationNoun, voucherNoun } from '../../../runtime/protocol/nouns/request.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import * as on from '../../support/federation.ts';

const START_MS = 1_700_000_000_000;
const seconds = (count: number): number => START_MS + count * 1000;

/** An hour's use at n = 3600. */
const spent = (n: number): Partial<Registers> => ({
  wallMs: BigInt(n) * 1000n,
  cpuMicros: BigInt(n) * 333_333n,
  memoryMibS: BigInt(n) * 31n,
  netOutBytes: BigInt(n) * 70_001n,
});
const cost = (n: number): bigint => costMicro({ ...ZERO, ...spent(n) }, on.RATES);

/** Folds what one gateway wrote, with a close after each of the batches. */
const run = (...batches: on.Fact[][]): Folded => runUntil([], ...batches);
/** And what the closes are dated to. */
const runUntil = (closedMs: number[], ...batches: on.Fact[][]): Folded => {
  const logs = on.logsOf([batches.flat()]);
  let size = 0;
  const closes = batches.map((batch, i) => {
    size += batch.length;
    const close = on.closeAt(i + 1, Object.fromEntries(logs.flatMap((log) => log.slice(-1).map(({ author }) => [author, size]))));
    return { ...close, closedMs: closedMs[i] ?? close.closedMs };
  });
  return fold(testCrypto, { logs, closes });
};

const postings = (folded: Folded): Posting[] => folded.statement.invoices.flatMap((invoice) => invoice.postings);
const one = (folded: Folded): Posting => {
  const all = postings(folded);
  expect(all).toHaveLength(1);
  return all[0]!;
};
const reasons = (folded: Folded): string[] => folded.ignored.map(({ kind, code, detail }) => `${kind} ${code}: ${detail}`);

const lease = on.lease({ on: 'board 1' });
const ground = [...on.groundwork(['board 1', 'board 2']), on.signedLease(lease)];
const open: on.Point = { lease: lease.lease, kind: 'open' };
const at = (n: number, more: Partial<on.Point> = {}): on.Point => ({
  lease: lease.lease,
  wallMs: seconds(n),
  registers: spent(n),
  ...more,
});
const use = (...points: on.Point[]): on.Fact[] => on.usageChain('board 1', [{ ...open, wallMs: seconds(0) }, ...points]);
/** The same of a lease with other terms, which is another lease. */
const useOf = (id: LeaseId, ...points: on.Point[]): on.Fact[] =>
  on.usageChain(
    'board 1',
    [{ ...open, wallMs: seconds(0) }, ...points].map((point) => ({ ...point, lease: id })),
  );

describe('a posting', () => {
  test('is the difference of two records, and its parts add up [metering-1, metering-16, metering-24, metering-25]', () => {
    const posting = one(run([...ground, ...use(at(60), at(3600))]));
    expect(posting).toMatchObject({ fromSeq: 1, toSeq: 3, currency: 'EUR', tier: 'full', reason: '', uncharged: ZERO });
    expect(posting.used).toEqual({ ...ZERO, ...spent(3600) });
    expect(posting.debitMicro).toBe(cost(3600));
    expect(posting.feeMicro).toBe((cost(3600) * 137n) / 1000n);
    expect(posting.creditMicro).toBe((cost(3600) * 863n) / 1000n);
    expect(posting.roundingMicro).toBe(1n);
    expect(posting.creditMicro + posting.feeMicro + posting.roundingMicro).toBe(posting.debitMicro);
  });

  test('of a later period begins where the last one ended, rounded over the whole life [metering-16, metering-17]', () => {
    const [zero, first, second, third] = use(at(7), at(61), at(3601));
    const [a, b] = [run([...ground, zero!, first!]), run([...ground, zero!, first!], [second!, third!])];
    expect(one(b)).toMatchObject({ fromSeq: 2, toSeq: 4, debitMicro: cost(3601) - cost(7) });
    expect(one(a).debitMicro + one(b).debitMicro).toBe(cost(3601));
  });

  test('charges late usage in the period that first counts it, and nothing twice [metering-16]', () => {
    const [zero, ...rest] = use(at(10), at(20));
    expect(postings(run([...ground, zero!, ...rest], []))).toEqual([]);
    expect(one(run([...ground, zero!], rest))).toMatchObject({ fromSeq: 1, toSeq: 3, debitMicro: cost(20) });
  });

  test('in XTS: what was metered under tier dev, for good [metering-22]', () => {
    const mixed = use(at(10, { tier: 'dev' }), at(20, { tier: 'reduced' }));
    expect(one(run([...ground, ...mixed.slice(0, 2)], mixed.slice(2)))).toMatchObject({ currency: 'XTS', tier: 'dev' });
    expect(one(run([...ground, ...use(at(10), at(20, { tier: 'reduced' }))]))).toMatchObject({ currency: 'EUR', tier: 'reduced' });
  });
});

describe('a statement', () => {
  const other = on.lease({ on: 'board 2', index: 1 });
  const devs = on.usageChain('board 2', [
    { lease: other.lease, kind: 'open', tier: 'dev' },
    { lease: other.lease, registers: spent(50), tier: 'dev' },
  ]);
  const folded = run([...ground, on.signedLease(other), ...use(at(3600)), ...devs]);

  test('sums what its postings say, by currency [metering-26]', () => {
    const { invoices, payouts, fees, totals } = folded.statement;
    expect(invoices.map(({ currency, postings: rows, totalMicro }) => [currency, rows.length, totalMicro])).toEqual([
      ['EUR', 1, cost(3600)],
      ['XTS', 1, cost(50)],
    ]);
    expect(totals.map(({ currency, chargesMicro }) => [currency, chargesMicro])).toEqual([
      ['EUR', cost(3600)],
      ['XTS', cost(50)],
    ]);
    for (const { currency, chargesMicro, earningsMicro, feesMicro, roundingMicro } of totals) {
      expect(earningsMicro + feesMicro + roundingMicro).toBe(chargesMicro);
      expect(payouts.find((row) => row.currency === currency)).toMatchObject({ owner: on.OWNER, creditMicro: earningsMicro });
      expect(fees.find((row) => row.currency === currency)).toMatchObject({ operator: on.OPERATOR, feeMicro: feesMicro });
    }
  });

  test('carries the hash of the one before [metering-15]', () => {
    expect(folded.statement.previous).toEqual(new Uint8Array(32));
    const next = run([...ground, on.signedLease(other), ...use(at(3600)), ...devs], []);
    expect(next.statement.previous).toEqual(testCrypto.sha256(folded.bytes));
  });

  test('counts at least what the one before did, and no entry that is not there [metering-14]', () => {
    const logs = on.logsOf([[...ground, ...use(at(10))]]);
    const vector = on.vectorOf(logs);
    const shrunk = fold(testCrypto, { logs, closes: [on.closeAt(1, vector), on.closeAt(2, {})] });
    expect(shrunk.statement.vector).toEqual(vector);
    const beyond = Object.fromEntries(Object.entries(vector).map(([author, size]) => [author, size + 1]));
    expect(() => fold(testCrypto, { logs, closes: [on.closeAt(1, beyond)] })).toThrow('missing-content');
    expect(() => fold(testCrypto, { logs, closes: [on.closeAt(2, vector), on.closeAt(2, vector)] })).toThrow('stale');
    expect(() => fold(testCrypto, { logs, closes: [] })).toThrow('not-found');
    expect(() => fold(testCrypto, { logs: logs.map((log) => log.slice(1)), closes: [] })).toThrow('missing-content');
  });
});

describe('records that mean nothing', () => {
  test.each<[string, on.Point[], bigint, string]>([
    ['before the zero record', [{ lease: lease.lease, registers: spent(5), wallMs: seconds(5) }], 0n, 'does not begin with a zero record'],
    ['an open that is not zero', [{ ...open, registers: spent(1) }, at(5)], 0n, 'does not begin with a zero record'],
    ['a second open', [{ ...open }, at(5), { ...open }, at(9)], cost(9), 'open already'],
    ['after the close', [{ ...open }, at(5, { kind: 'close' }), at(9)], cost(5), 'follows the close'],
    ['a register that fell', [{ ...open }, at(5), at(4), at(6)], cost(6), 'a register fell'],
  ])('%s [metering-2, metering-3]', (_name, points, debit, detail) => {
    const folded = run([...ground, ...on.usageChain('board 1', points)]);
    expect(postings(folded).reduce((sum, posting) => sum + posting.debitMicro, 0n)).toBe(debit);
    expect(reasons(folded).every((reason) => reason.includes(detail))).toBe(true);
    expect(reasons(folded).length).toBeGreaterThan(0);
  });

  test("another board's lease, a stranger's key, a tampered record [metering-7, metering-11]", () => {
    const good = use(at(10));
    const foreign = on.usageChain('board 2', [{ lease: lease.lease, kind: 'open' }]);
    const strange = on.usageChain('board 1', [open], undefined, 'board 3');
    const tampered = on.fact(
      'usage',
      good[1]!.body.map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
    );
    const folded = run([...ground, tampered, ...foreign, ...strange, ...good]);
    expect(one(folded).debitMicro).toBe(cost(10));
    expect(reasons(folded)).toEqual([
      expect.stringMatching(/^usage bad-/),
      "usage conflict: the lease is another board's",
      expect.stringContaining('usage wrong-signer'),
    ]);
    expect(folded.forks).toEqual([]);
  });

  test('registers that run over 64 bits with what was forgotten [metering-4]', () => {
    const huge = { lease: lease.lease, registers: { wallMs: 2n ** 64n - 1n } };
    const [zero, most] = on.usageChain('board 1', [open, huge]);
    const beside = on.usageChain('board 1', [{ ...huge, seq: 1000, bootId: 'boot 2' }], { seq: 1, hash: hashOf(zero!) });
    const folded = run([...ground, zero!, most!, ...beside]);
    expect(one(folded)).toMatchObject({ toSeq: 2, used: { ...ZERO, ...huge.registers } });
    expect(reasons(folded)).toEqual(['usage conflict: a register runs over']);
  });
});

describe('a chain', () => {
  const records = use(at(10), at(20), at(30));

  test('waits at a gap and goes on when it is filled [metering-5]', () => {
    const gapped = [...ground, ...records.slice(0, 2), ...records.slice(3)];
    const board = on.idOf<BoardId>('board 1');
    expect(one(run(gapped))).toMatchObject({ toSeq: 2, debitMicro: cost(10) });
    expect(run(gapped).waiting).toEqual([{ board, seq: 2, unplaced: 1, leaseless: 0 }]);
    const filled = run(gapped, records.slice(2, 3));
    expect(one(filled)).toMatchObject({ fromSeq: 2, toSeq: 4, debitMicro: cost(30) - cost(10) });
    expect(filled.waiting).toEqual([]);
  });

  test('that forks is charged up to the fork, and what was charged stays [metering-8]', () => {
    const head = { seq: 2, hash: hashOf(records[1]!) };
    const twin = on.usageChain('board 1', [at(21)], head);
    const folded = run([...ground, ...records, ...twin]);
    expect(one(folded)).toMatchObject({ toSeq: 2, debitMicro: cost(10) });
    expect(folded.forks).toEqual([{ board: on.idOf<BoardId>('board 1'), seq: 3, records: expect.arrayContaining([expect.any(String)]) }]);
    expect(folded.forks[0]!.records).toHaveLength(2);
    const late = run([...ground, ...records], [...twin, ...on.usageChain('board 1', [at(40)], { seq: 4, hash: hashOf(records[3]!) })]);
    expect(postings(late)).toEqual([]);
    expect(late.forks).toHaveLength(1);
  });

  test('with a record that does not continue it is a fork [metering-8]', () => {
    const stray = on.usageChain('board 1', [at(21)], { seq: 2, hash: new Uint8Array(32).fill(7) });
    const folded = run([...ground, ...records.slice(0, 2), ...stray]);
    expect(folded.forks).toMatchObject([{ seq: 3 }]);
  });

  /** From record n on, as a board goes on that remembers no further. */
  const from = (n: number, ...points: on.Point[]): on.Fact[] =>
    on.usageChain('board 1', points, { seq: n, hash: n === 0 ? new Uint8Array(32) : hashOf(records[n - 1]!) });
  const later = (seq: number, bootId = 'boot 2') => ({ seq, bootId });

  test('goes on beside what its board forgot, of which each part counts by itself, in any order [metering-3, metering-9]', () => {
    // Records 3 and 4 are forgotten: 20 s on them, and 15 s on what comes after record 2.
    const beside = from(2, at(12, { ...later(1000), wallMs: seconds(31) }), at(25, { bootId: 'boot 2', wallMs: seconds(45) }));
    for (const facts of [
      [...records, ...beside],
      [...beside, ...records],
    ]) {
      const folded = run([...ground, ...facts]);
      expect(folded.forks).toEqual([]);
      expect(one(folded)).toMatchObject({ fromSeq: 1, toSeq: 1001, debitMicro: cost(45), used: { ...ZERO, ...spent(45) } });
    }
  });

  test('counts what was forgotten whenever it comes, and what comes after it in one period or another [metering-5, metering-16]', () => {
    const [first, then] = from(2, at(12, later(1000)), at(25, { bootId: 'boot 2' }));
    const before = [...ground, ...records.slice(0, 2), first!, then!];
    expect(one(run(before))).toMatchObject({ toSeq: 1001, debitMicro: cost(25) });
    expect(one(run(before, records.slice(2)))).toMatchObject({ fromSeq: 1001, toSeq: 1001, used: { ...ZERO, ...spent(20) } });
  });

  test('may begin a lease anew whose zero record was forgotten, from zero [metering-2]', () => {
    const anew = from(0, { ...open, ...later(1000), wallMs: seconds(31) }, at(5, { bootId: 'boot 2', wallMs: seconds(36) }));
    const folded = run([...ground, ...records, ...anew]);
    expect([folded.forks, reasons(folded)]).toEqual([[], []]);
    expect(one(folded)).toMatchObject({ fromSeq: 1, toSeq: 1001, used: { ...ZERO, ...spent(35) } });
  });

  test('at one wall time of two leases goes on [metering-9]', () => {
    const second = on.lease({ on: 'board 1', index: 1 });
    const points = [
      { ...open, ...later(1000), amnesia: true },
      { lease: second.lease, kind: 'open' as const, bootId: 'boot 2' },
    ];
    const folded = run([...ground, on.signedLease(second), ...from(0, ...points.map((point) => ({ ...point, wallMs: seconds(1) })))]);
    expect([folded.forks, folded.waiting]).toEqual([[], []]);
  });

  test.each<[string, number, () => on.Fact[]]>([
    [
      'a boot that comes back after another one',
      1002,
      () => [
        ...from(2, at(31, later(1000)), at(32, { bootId: 'boot 2' })),
        ...on.usageChain('board 1', [at(40, { seq: 1002 })], { seq: 4, hash: hashOf(records[3]!) }),
      ],
    ],
    ['a boot in the midst of another one', 3, () => from(2, at(12, later(3)))],
    ['two records of one number, of whatever boots', 4, () => from(2, at(12, later(4)))],
    ['two that follow on one in one boot', 1000, () => from(2, at(12, { seq: 1000 }))],
    ['a number that falls', 2, () => from(4, at(40, later(2)))],
  ])('forks with %s [metering-8]', (_name, seq, others) => {
    for (const facts of [
      [...records, ...others()],
      [...others(), ...records],
    ])
      expect(run([...ground, ...facts]).forks).toMatchObject([{ seq }]);
  });

  test('takes keys a board has rotated to, in any order of arrival [metering-7]', () => {
    const turn = { v: 1 as const, kind: 'board' as const, subject: on.idOf<BoardId>('board 1'), version: 1 };
    const rotation = { ...turn, from: keyOf('board 1').publicKey, to: keyOf('new key').publicKey };
    const both = on.fact('rotation', sealMany(rotationNoun, rotation, [keyOf('board 1'), keyOf('new key')]));
    const half = on.fact('rotation', sealMany(rotationNoun, rotation, [keyOf('board 1'), keyOf('board 2')]));
    const [first, ...later] = records;
    const resigned = on.usageChain('board 1', [at(10), at(20)], { seq: 1, hash: hashOf(first!) }, 'new key');
    expect(one(run([...ground, ...resigned, first!, both])).debitMicro).toBe(cost(20));
    expect(postings(run([...ground, ...resigned, first!, half]))).toEqual([]);
    // The same content under the old key and the new one is one record.
    expect(run([...ground, first!, ...later, ...resigned.slice(0, 1), both]).forks).toEqual([]);
  });

  test('counts what a good key signed beside a revoked one, in any order [metering-6, metering-10]', () => {
    const turn = { v: 1 as const, kind: 'board' as const, subject: on.idOf<BoardId>('board 1'), version: 1 };
    const rotation = { ...turn, from: keyOf('board 1').publicKey, to: keyOf('new key').publicKey };
    const trust = [
      on.fact('rotation', sealMany(rotationNoun, rotation, [keyOf('board 1'), keyOf('new key')])),
      on.secondOperator({ revoked: [keyOf('board 1').publicKey] }),
    ];
    const old = use(at(10));
    const anew = on.usageChain('board 1', [{ ...open, wallMs: seconds(0) }, at(10)], undefined, 'new key');
    expect(postings(run([...ground, ...trust, ...old]))).toEqual([]);
    for (const both of [
      [...old, ...anew],
      [...anew, ...old],
    ])
      expect(one(run([...ground, ...trust, ...both])).debitMicro).toBe(cost(10));
  });

  test('is held together, not charged, by a key that was revoked [metering-10]', () => {
    const revoked = [on.secondOperator({ revoked: [keyOf('board 1').publicKey] })];
    const before = [...ground, ...records.slice(0, 2)];
    expect(one(run([...before])).debitMicro).toBe(cost(10));
    const folded = run(before, [...revoked, ...records.slice(2)]);
    expect(postings(folded)).toEqual([]);
    expect(reasons(folded)).toEqual(Array(2).fill('usage conflict: signed by a revoked key'));
    expect(postings(run([...before, ...revoked]))).toEqual([]);
  });
});

describe('of two leases of one instance', () => {
  const higher = on.lease({ on: 'board 2', term: 2 });
  const both = [...ground, on.signedLease(higher)];
  const start = (n: number): on.Point => ({ lease: higher.lease, kind: 'open', wallMs: seconds(n) });
  const then = (n: number, since: number): on.Point => ({ lease: higher.lease, wallMs: seconds(n), registers: spent(n - since) });
  const low = use(at(10), at(20), at(30), at(40));

  test('the lower is charged up to the last record before the higher began [metering-18, metering-21]', () => {
    const folded = run([...both, ...low, ...on.usageChain('board 2', [start(25), then(45, 25)])]);
    const rows = new Map(postings(folded).map((posting) => [posting.term, posting]));
    expect(rows.get(1)).toMatchObject({ debitMicro: cost(20), reason: 'overlap', toSeq: 5 });
    expect(rows.get(1)!.uncharged).toEqual({ ...ZERO, ...spent(20) });
    expect(rows.get(2)).toMatchObject({ debitMicro: cost(20), reason: '' });
  });

  test('a record at that very instant is still charged [metering-18]', () => {
    const folded = run([...both, ...low, ...on.usageChain('board 2', [start(20), then(45, 20)])]);
    expect(postings(folded).find(({ term }) => term === 1)!.debitMicro).toBe(cost(20));
  });

  test('the higher of equal terms has the greater id [metering-18]', () => {
    const twin = on.lease({ on: 'board 2', guardianName: 'gateway b' });
    const facts = [...ground, on.signedLease(twin, 'gateway b'), ...low];
    const folded = run([
      ...facts,
      ...on.usageChain('board 2', [
        { ...start(25), lease: twin.lease },
        { ...then(45, 25), lease: twin.lease },
      ]),
    ]);
    const rows = new Map(postings(folded).map((posting) => [posting.lease, posting]));
    const [less, more] = [lease.lease, twin.lease].sort();
    expect(rows.get(more!)!.reason).toBe('');
    expect(rows.get(less!)!.reason).toBe('overlap');
    // The lease that began first is the lower or the higher one by its id alone.
    expect(rows.get(less!)!.debitMicro).toBe(less === lease.lease ? cost(20) : 0n);
  });

  test('what a former period charged is not charged again [metering-19]', () => {
    const high = on.usageChain('board 2', [start(15), then(25, 15), then(35, 15), then(45, 15), then(60, 15)]);
    const folded = run([...both, ...low], high);
    const posting = one(folded);
    // Records 2 to 4 share time with the 40 s already charged; the slice from 45 to 60 does not.
    expect(posting).toMatchObject({ term: 2, debitMicro: cost(45) - cost(30), reason: 'overlap', toSeq: 5 });
    expect(posting.uncharged).toEqual({ ...ZERO, ...spent(30) });
  });

  test('the higher begins no sooner than its guardian signed it, whatever its board says [metering-18]', () => {
    const late = on.lease({ on: 'board 2', term: 2, openedMs: seconds(25) });
    const dated = (ms: number): Posting[] =>
      postings(
        run([
          ...[...ground, on.signedLease(late), ...low],
          ...on.usageChain('board 2', [
            { lease: late.lease, kind: 'open', wallMs: ms },
            { lease: late.lease, wallMs: seconds(45), registers: spent(20) },
          ]),
        ]),
      );
    for (const ms of [0, seconds(5), seconds(25)])
      expect(dated(ms).find(({ term }) => term === 1)).toMatchObject({ debitMicro: cost(20), reason: 'overlap' });
  });

  test('what was dated beyond its close takes no time from who comes after [metering-17, metering-19]', () => {
    const ahead = use(at(10, { wallMs: seconds(1_000_000) }));
    const after = on.usageChain('board 2', [start(60), then(90, 60)]);
    expect(one(runUntil([seconds(50)], [...both, ...ahead], after))).toMatchObject({ term: 2, debitMicro: cost(30), reason: '' });
    // Had it been true, it would have.
    expect(one(runUntil([seconds(1_000_000)], [...both, ...ahead], after))).toMatchObject({ debitMicro: 0n, reason: 'overlap' });
  });

  test('one of another index is no overlap [metering-18]', () => {
    const beside = on.lease({ on: 'board 2', term: 2, index: 1 });
    const points = [
      { ...start(0), lease: beside.lease },
      { ...then(45, 0), lease: beside.lease },
    ];
    const folded = run([...ground, on.signedLease(beside), ...low, ...on.usageChain('board 2', points)]);
    expect(postings(folded).map(({ reason }) => reason)).toEqual(['', '']);
  });
});

describe('the cap', () => {
  test('is reached exactly, and nothing is charged beyond it, over all periods [metering-20]', () => {
    const capMicro = cost(15);
    const capped = on.lease({ on: 'board 1', capMicro });
    const facts = [...on.groundwork(['board 1']), on.signedLease(capped)];
    const records = useOf(capped.lease, at(10), at(20), at(30));
    const whole = one(run([...facts, ...records]));
    expect(whole).toMatchObject({ debitMicro: capMicro, reason: 'cap' });
    expect(whole.uncharged).toEqual({ ...ZERO, ...spent(10) });
    const second = one(run([...facts, ...records.slice(0, 2)], records.slice(2, 3)));
    expect(second).toMatchObject({ debitMicro: cost(15) - cost(10), reason: 'cap', uncharged: ZERO });
    const third = one(run([...facts, ...records.slice(0, 2)], records.slice(2, 3), records.slice(3)));
    expect(third).toMatchObject({ debitMicro: 0n, reason: 'cap', uncharged: { ...ZERO, ...spent(10) } });
  });

  test('of nothing lets a free lease run without a reason [metering-20]', () => {
    const free = { wallHour: 0n, cpuSecond: 0n, memoryMibHour: 0n, netMib: 0n, diskMib: 0n, dataMibHour: 0n };
    const gratis = on.lease({ on: 'board 1', capMicro: 0n, rates: free, binding: 2 });
    const facts = [...on.groundwork(['board 1']), on.signedBinding('board 1', { version: 2, rates: free }), on.signedLease(gratis)];
    expect(one(run([...facts, ...useOf(gratis.lease, at(10))]))).toMatchObject({ debitMicro: 0n, reason: '', uncharged: ZERO });
  });
});

describe('a voucher [metering-27]', () => {
  const capMicro = cost(15);
  const small = on.voucher({ serial: 2, capMicro });
  const voucher = on.hashOf(voucherNoun, small);
  const paid = [
    ...on.groundwork(['board 1', 'board 2']),
    on.signedVoucher({ serial: 2, capMicro }),
    on.signedRequest({ sequence: 2, voucher }),
  ];
  const under = (board: string, more: Partial<Lease> = {}): Lease => on.lease({ on: board, voucher, capMicro, ...more });
  /** From its beginning to an instant, at which it had used so much. */
  const chain = (board: string, { lease }: Lease, from: number, to: number, used: number): on.Fact[] =>
    on.usageChain(board, [
      { lease, kind: 'open', wallMs: seconds(from) },
      { lease, wallMs: seconds(to), registers: spent(used) },
    ]);

  test('pays once for all leases under it, and first who was leased last', () => {
    const [first, second] = [under('board 1'), under('board 2', { term: 2 })];
    const facts = [
      ...paid,
      on.signedLease(first),
      on.signedLease(second),
      ...chain('board 1', first, 0, 10, 10),
      ...chain('board 2', second, 20, 40, 20),
    ];
    const both = postings(run(facts));
    const of = (lease: Lease) => both.find((posting) => posting.lease === lease.lease);
    // Else who keeps records back until there is a higher lease would be paid out of what that one earned in sight.
    expect(of(second)).toMatchObject({ debitMicro: cost(15), reason: 'cap' });
    expect(of(first)).toMatchObject({ debitMicro: 0n, reason: 'cap', uncharged: { ...ZERO, ...spent(10) } });
  });

  test('pays the last lease of every instance before a former one of any', () => {
    const [former, last] = [under('board 1'), under('board 2', { term: 2 })];
    const beside = under('board 2', { index: 1 });
    const facts = [
      ...[...paid, on.signedRequest({ sequence: 3, voucher, replicas: 2 })],
      ...[former, last, beside].map((of) => on.signedLease(of)),
      ...chain('board 1', former, 0, 10, 10),
      ...on.usageChain('board 2', [
        { lease: last.lease, kind: 'open', wallMs: seconds(20) },
        { lease: beside.lease, kind: 'open', wallMs: seconds(20) },
        { lease: last.lease, wallMs: seconds(30), registers: spent(7) },
        { lease: beside.lease, wallMs: seconds(30), registers: spent(7) },
      ]),
    ];
    const all = postings(run(facts));
    const of = (lease: Lease) => all.find((posting) => posting.lease === lease.lease)!.debitMicro;
    expect([of(last), of(beside), of(former)]).toEqual([cost(7), cost(7), cost(15) - 2n * cost(7)]);
  });

  test('that is spent pays for nothing in later periods', () => {
    const [first, second] = [under('board 1'), under('board 2', { term: 2 })];
    const ground = [...paid, on.signedLease(first), on.signedLease(second)];
    const late = one(run([...ground, ...chain('board 1', first, 0, 20, 20)], chain('board 2', second, 30, 40, 10)));
    expect(late).toMatchObject({ lease: second.lease, debitMicro: 0n, reason: 'cap', uncharged: { ...ZERO, ...spent(10) } });
  });

  test('is shared by the instances of its request', () => {
    const [first, beside] = [under('board 1'), under('board 2', { index: 1 })];
    const facts = [
      ...paid,
      on.signedLease(first),
      on.signedLease(beside),
      ...chain('board 1', first, 0, 10, 10),
      ...chain('board 2', beside, 0, 10, 10),
    ];
    expect(postings(run(facts)).reduce((sum, { debitMicro }) => sum + debitMicro, 0n)).toBe(capMicro);
  });

  test('pays for the request of its name only', () => {
    const other = on.hashOf(voucherNoun, on.voucher({ name: 'other' }));
    const facts = [...on.groundwork(['board 1']), on.signedVoucher({ name: 'other' }), on.signedRequest({ sequence: 2, voucher: other })];
    const folded = run([...facts, on.signedLease(on.lease({ on: 'board 1', voucher: other }))]);
    expect(reasons(folded).join()).toMatch(/no voucher of tenant/);
  });
});

describe('a lease stands [metering-12]', () => {
  const records = use(at(10));
  const stands = (of: ReturnType<typeof on.lease>, facts: on.Fact[], guardian = 'gateway a'): Folded =>
    run([...facts, on.signedLease(of, guardian), ...useOf(of.lease, at(10))]);
  const base = on.groundwork(['board 1']);
  const without = (kind: on.Fact['kind'], ...instead: on.Fact[]): on.Fact[] => [...base.filter((fact) => fact.kind !== kind), ...instead];

  test('on its groundwork', () => expect(one(stands(lease, base)).debitMicro).toBe(cost(10)));

  test.each<[string, Folded, RegExp]>([
    ['an operator that nobody knows', stands(lease, without('operator')), /unknown-key/],
    ['a guardian that is not listed', stands(on.lease({ on: 'board 1', guardianName: 'stranger' }), base, 'stranger'), /wrong-signer/],
    ['a guardian that did not sign', stands(lease, base, 'gateway b'), /wrong-signer/],
    ['an operator document without its threshold', stands(lease, without('operator', on.signedOperator({}, ['root 1']))), /wrong-signer/],
    ['a fee that is not the operator’s', stands(on.lease({ on: 'board 1', feePermille: 138 }), base), /not its operator's fee/],
    ['no request', stands(lease, without('request')), /unrequested/],
    [
      'a request that another signed',
      stands(lease, without('request', on.signedRequest({}, 'owner'))),
      /request wrong-signer[\s\S]*lease unrequested/,
    ],
    ['a request for another release', stands(lease, without('request', on.signedRequest({ release: new Uint8Array(32) }))), /unrequested/],
    ['a request that was destroyed', stands(lease, without('request', on.signedRequest({ state: 'destroyed' }))), /unrequested/],
    ['an index beyond the replicas', stands(on.lease({ on: 'board 1', index: 8 }), base), /unrequested/],
    [
      'a price cap below its rates',
      stands(lease, without('request', on.signedRequest({ priceCap: { ...on.RATES, netMib: 1n } }))),
      /unrequested/,
    ],
    ['no voucher', stands(lease, without('voucher')), /no voucher/],
    ['another voucher than its own', stands(on.lease({ on: 'board 1', voucher: new Uint8Array(32).fill(1) }), base), /asks for/],
    ['a cap beyond the voucher', stands(lease, without('voucher', on.signedVoucher({ capMicro: 10n ** 13n }))), /no voucher/],
    ['a voucher run out', stands(on.lease({ on: 'board 1', openedMs: 4_000_000_000_001 }), base), /no voucher/],
    ['a board that was not paired', stands(lease, without('pair')), /not-paired/],
    ['a board paired for another', stands(lease, without('pair', on.pair('board 1', on.idOf<OwnerId>('tenant')))), /not-paired/],
    ['no binding', stands(lease, without('binding')), /not-billable/],
    [
      'a binding at other rates',
      stands(lease, without('binding', on.signedBinding('board 1', { rates: { ...on.RATES, wallHour: 1n } }))),
      /not-billable/,
    ],
    ['a binding in another currency', stands(lease, without('binding', on.signedBinding('board 1', { currency: 'SEK' }))), /not-billable/],
    ['an id of its own making', stands({ ...lease, lease: on.lease({ on: 'board 1', term: 9 }).lease }, base), /bad-schema/],
  ])('not on %s', (_name, folded, why) => {
    expect(postings(folded)).toEqual([]);
    expect(reasons(folded).join('\n')).toMatch(why);
    // Nothing is lost: the records wait for the lease, or for their board's key.
    const strangers = folded.ignored.filter(({ kind }) => kind === 'usage').length;
    expect(strangers + folded.waiting.reduce((sum, { leaseless }) => sum + leaseless, 0)).toBe(2);
  });

  test('in XTS beside any currency', () => {
    const dev = on.lease({ on: 'board 1', currency: 'XTS' });
    expect(one(stands(dev, without('binding', on.signedBinding('board 1', { currency: 'SEK' }))))).toMatchObject({ currency: 'XTS' });
  });

  test('from the period on in which all of it is known, with all its records [metering-11]', () => {
    const late = run([...without('request'), on.signedLease(lease), ...records], [on.signedRequest()]);
    expect(one(late)).toMatchObject({ fromSeq: 1, toSeq: 2, debitMicro: cost(10) });
  });

  test('for good, whatever is revoked later [metering-10, metering-13]', () => {
    const revoked = on.secondOperator({ revoked: [keyOf('gateway a').publicKey] });
    const more = on.usageChain('board 1', [at(20)], { seq: 2, hash: hashOf(records[1]!) });
    expect(one(run([...base, on.signedLease(lease), ...records], [revoked, ...more])).debitMicro).toBe(cost(20) - cost(10));
    expect(postings(run([...base, revoked, on.signedLease(lease), ...records]))).toEqual([]);
  });

  test('in one document: other terms under its id are refused [metering-13]', () => {
    const twin = { ...lease, openedMs: lease.openedMs + 1 };
    const once = run([...base, on.signedLease(lease), on.signedLease(twin), ...records]);
    expect(one(once).debitMicro).toBe(cost(10));
    expect(reasons(once)).toEqual([expect.stringContaining('not that of its terms')]);
  });
});

/** Of a usage record, as the next one names it. */
function hashOf(fact: on.Fact): Uint8Array {
  return on.payloadHash(fact.body);
}
