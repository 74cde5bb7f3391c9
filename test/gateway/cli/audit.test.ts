/** The auditor finds what a dishonest gateway could do to a bill; honest evidence passes. docs/keep.md. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type AuditReport, audit } from '../../../gateway/cli/audit.ts';
import type { Kept } from '../../../gateway/cli/audit-evidence.ts';
import { joinEntries, readKept, splitEntries, writeKept } from '../../../gateway/cli/kept.ts';
import { fold } from '../../../gateway/core/ledger.ts';
import { encodeStatement, type Posting, type Statement } from '../../../runtime/protocol/nouns/billing.ts';
import type { Registers } from '../../../runtime/protocol/nouns/board.ts';
import type { Close, LogEntry } from '../../../runtime/protocol/nouns/log.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import * as on from '../../support/federation.ts';

const spent = (n: number): Partial<Registers> => ({
  wallMs: BigInt(n) * 1000n,
  cpuMicros: BigInt(n) * 333_333n,
  netInBytes: BigInt(n) * 70_001n,
});
const lease = on.lease({ on: 'board 1' });
const beside = on.lease({ on: 'board 2', index: 1, guardianName: 'gateway b' });
const points: on.Point[] = [
  { lease: lease.lease, kind: 'open' },
  { lease: lease.lease, registers: spent(60) },
  { lease: lease.lease, registers: spent(3607), kind: 'close' },
];
const records = on.usageChain('board 1', points);
const others = on.usageChain('board 2', [
  { lease: beside.lease, kind: 'open' },
  { lease: beside.lease, registers: spent(1801) },
]);

/** What gateways a and b wrote; the first period ends before the last record of board 1. */
const written = (change: (facts: on.Fact[]) => on.Fact[] = (facts) => facts): on.Fact[][] => [
  change([...on.groundwork(['board 1', 'board 2']), on.signedLease(lease), ...records]),
  [on.signedLease(beside, 'gateway b'), ...others],
];

interface Case {
  logs: LogEntry[][];
  closes: Close[];
}

const honest = (facts: on.Fact[][] = written()): Case => {
  const logs = on.logsOf(facts);
  const whole = on.vectorOf(logs);
  const [first = ''] = Object.keys(whole);
  const closes = [on.closeAt(1, { ...whole, [first]: (whole[first] ?? 1) - 1 }), on.closeAt(2, whole)];
  const told = facts.map((row, i) => (i === 0 ? [...row, ...closes.map(on.closeFact)] : row));
  return { logs: on.logsOf(told), closes };
};

const bill = ({ logs, closes }: Case): Statement => fold(testCrypto, { logs, closes }).statement;

/** The folder as its gateways would hand it out, heads signed over whatever is in it. */
const keep = (logs: LogEntry[][], statement: Statement): Kept => ({
  logs: new Map(logs.map((log, i) => [on.idOf(on.GATEWAYS[i]!), sealed(log, i)])),
  statement: encodeStatement(statement),
});
const sealed = (log: LogEntry[], i: number) => on.sealedLog(testCrypto, log, keyOf(on.GATEWAYS[i]!));

const kinds = (report: AuditReport): string[] => [...new Set(report.findings.map(({ kind }) => kind))].sort();
const said = (report: AuditReport): string => report.findings.map(({ kind, subject, says }) => `${kind} ${subject}: ${says}`).join('\n');

/** Changes one lease's posting and everything that sums it, so that only the amounts themselves are wrong. */
const cook = (statement: Statement, of: string, change: (posting: Posting) => Posting): Statement => {
  const invoices = statement.invoices.map((invoice) => {
    const postings = invoice.postings.map((posting) => (posting.lease === of ? change(posting) : posting));
    return { ...invoice, postings, totalMicro: postings.reduce((sum, { debitMicro }) => sum + debitMicro, 0n) };
  });
  const all = invoices.flatMap(({ postings }) => postings);
  const sum = (name: 'debitMicro' | 'creditMicro' | 'feeMicro' | 'roundingMicro'): bigint =>
    all.reduce((total, posting) => total + posting[name], 0n);
  return {
    ...statement,
    invoices,
    payouts: statement.payouts.map((row) => ({ ...row, creditMicro: sum('creditMicro') })),
    fees: statement.fees.map((row) => ({ ...row, feeMicro: sum('feeMicro') })),
    totals: statement.totals.map((row) => ({
      ...row,
      ...{
        chargesMicro: sum('debitMicro'),
        earningsMicro: sum('creditMicro'),
        feesMicro: sum('feeMicro'),
        roundingMicro: sum('roundingMicro'),
      },
    })),
  };
};

const good = honest();
const statement = bill(good);

describe('the auditor', () => {
  test('passes honest evidence and says what it verified', () => {
    const report = audit(keep(good.logs, statement), testCrypto);
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ ok: true, notes: [], expected: statement });
    expect(report.operators).toEqual([{ operator: on.OPERATOR, name: 'Lower Saxony Lichen', version: 1 }]);
    // Two roots each sign the operator's and the publisher's document; two heads.
    const entries = good.logs.flat().length;
    const signatures = good.logs.flat().filter(({ kind }) => !['pair', 'close'].includes(kind)).length + 2 + 2;
    expect(report.verified).toEqual({ entries, signatures, leases: 2, records: 5, postings: 1 });
  });

  test('finds a rate that nobody signed: the bill was multiplied', () => {
    const dearer = cook(statement, lease.lease, (posting) => ({
      ...posting,
      debitMicro: posting.debitMicro + 7n,
      creditMicro: posting.creditMicro + 7n,
    }));
    const report = audit(keep(good.logs, dearer), testCrypto);
    expect(kinds(report)).toEqual(['posting', 'statement']);
    expect(said(report)).toContain(`posting ${lease.lease}: billed:`);
  });

  test('finds a rate that the owner did not sign: the lease was written dearer', () => {
    const rates = { ...on.RATES, netMib: on.RATES.netMib - 1n };
    const dear = on.lease({ on: 'board 1', rates });
    const swap = (binding: on.Fact): on.Fact[][] =>
      written((facts) => [
        ...facts
          .filter(({ kind }) => kind !== 'usage')
          .flatMap((fact) => (fact.kind === 'lease' ? [on.signedLease(dear), binding] : [fact])),
        ...on.usageChain(
          'board 1',
          points.map((point) => ({ ...point, lease: dear.lease })),
        ),
      ]);
    const claimed = bill(honest(swap(on.signedBinding('board 1', { rates }))));
    const { logs } = honest(swap(on.signedBinding('board 1', { version: 2 })));
    const report = audit(keep(logs, claimed), testCrypto);
    expect(said(report)).toContain(`lease ${dear.lease}: its rates are not those that the owner signed`);
    expect(said(report)).toContain(`posting ${dear.lease}: it is billed and nothing is due`);
  });

  test('finds a dropped record, even if the gateway signs the shortened log', () => {
    const dropped = (facts: on.Fact[]) => facts.filter((fact) => fact !== records[1]);
    const { logs } = honest(written(dropped));
    const shortened = audit(keep(logs, statement), testCrypto);
    expect(shortened.ok).toBe(false);
    // The same number of entries, so that only the chain shows it.
    const replaced = honest(written((facts) => facts.map((fact) => (fact === records[1] ? on.signedRequest({ sequence: 2 }) : fact))));
    const report = audit(keep(replaced.logs, statement), testCrypto);
    expect(said(report)).toContain(`posting ${lease.lease}: it is billed and nothing is due`);
    // Nobody signs it again: the head gives it away.
    const [first = [], second = []] = good.logs;
    const kept = keep(good.logs, statement);
    kept.logs.set(on.idOf('gateway a'), { ...sealed(first.slice(0, -1), 0), head: sealed(first, 0).head });
    expect(second.length).toBeGreaterThan(0);
    expect(said(audit(kept, testCrypto))).toMatch(/log .*: the head is of/);
  });

  test('finds a forged record', () => {
    const forged = on.usageChain(
      'board 1',
      [{ lease: lease.lease, registers: spent(9999) }],
      { seq: 3, hash: on.payloadHash(records[2]!.body) },
      'gateway a',
    );
    const { logs, closes } = honest(written((facts) => [...facts, ...forged]));
    const report = audit(keep(logs, bill({ logs, closes })), testCrypto);
    expect(kinds(report)).toEqual(['document']);
    expect(said(report)).toMatch(/a usage record that board .* did not sign/);
    const torn = { ...records[2]!, body: records[2]!.body.map((byte, i) => (i === 90 ? byte ^ 4 : byte)) };
    const tampered = honest(written((facts) => facts.map((fact) => (fact === records[2] ? torn : fact))));
    expect(kinds(audit(keep(tampered.logs, statement), testCrypto))).toEqual(['document', 'posting', 'statement']);
  });

  test('finds a lease without a request', () => {
    const unasked = honest(written((facts) => facts.map((fact) => (fact.kind === 'request' ? on.signedRequest({}, 'owner') : fact))));
    const report = audit(keep(unasked.logs, statement), testCrypto);
    expect(said(report)).toContain(`lease ${lease.lease}: no request signed by its tenant stands behind it`);
    expect(said(report)).toContain(`posting ${lease.lease}: it is billed and nothing is due`);
  });

  test('finds usage under a lease that no gateway signed', () => {
    const unsigned = honest(written((facts) => facts.map((fact) => (fact.kind === 'lease' ? on.signedRequest({ sequence: 2 }) : fact))));
    expect(said(audit(keep(unsigned.logs, bill(unsigned)), testCrypto))).toContain(
      `lease ${lease.lease}: it was metered, and no gateway signed it`,
    );
  });

  test('finds a release that its publisher did not sign', () => {
    const { logs, closes } = honest(
      written((facts) => facts.map((fact) => (fact.kind === 'manifest' ? on.signedManifest('tenant') : fact))),
    );
    const report = audit(keep(logs, bill({ logs, closes })), testCrypto);
    expect(kinds(report)).toEqual(['release']);
    expect(said(report)).toContain('its publisher did not sign it');
  });

  test('finds wrong rounding: one micro-unit moved to the operator', () => {
    const [posting] = statement.invoices[0]!.postings;
    expect(posting).toMatchObject({ lease: lease.lease, roundingMicro: 1n });
    const rounded = cook(statement, lease.lease, (row) => ({ ...row, feeMicro: row.feeMicro + row.roundingMicro, roundingMicro: 0n }));
    expect(kinds(audit(keep(good.logs, rounded), testCrypto))).toEqual(['posting', 'statement']);
  });

  test('finds sums that do not follow from right postings', () => {
    const [fees] = statement.fees;
    const report = audit(keep(good.logs, { ...statement, fees: [{ ...fees!, feeMicro: fees!.feeMicro + 1n }] }), testCrypto);
    expect(kinds(report)).toEqual(['statement']);
  });

  test('finds another close than the one in the logs, and an earlier period that was billed otherwise', () => {
    const other = { ...statement, closedMs: statement.closedMs + 1 };
    expect(kinds(audit(keep(good.logs, other), testCrypto))).toEqual(['close', 'statement']);
    const unlinked = { ...statement, previous: new Uint8Array(32) };
    expect(kinds(audit(keep(good.logs, unlinked), testCrypto))).toEqual(['statement']);
    const beyond = { ...statement, vector: { ...statement.vector, [on.idOf<string & Posting['board']>('gateway b')]: 99 } };
    expect(kinds(audit(keep(good.logs, beyond), testCrypto))).toEqual(['close', 'log']);
  });

  test('finds a log that is not its author’s', () => {
    const kept = keep(good.logs, statement);
    const [a, b] = [...kept.logs.values()];
    const swapped = new Map([...kept.logs.keys()].map((author, i) => [author, [b!, a!][i]!]));
    expect(said(audit({ ...kept, logs: swapped }, testCrypto))).toMatch(/out of its place/);
    const unlisted = new Map([...kept.logs, [on.idOf('stranger'), sealed([], 2)]]);
    expect(said(audit({ ...kept, logs: unlisted }, testCrypto))).toContain('no operator lists this gateway');
    const unsigned = new Map(
      [...kept.logs].map(([author, log]) => [author, { ...log, head: on.sealedLog(testCrypto, good.logs[0]!, keyOf('owner')).head }]),
    );
    expect(said(audit({ ...kept, logs: unsigned }, testCrypto))).toContain('no key listed for the gateway signed this head');
    const reordered = good.logs.map((log, i) =>
      i === 0 ? [log[1]!, log[0]!, ...log.slice(2)].map((entry, seq) => ({ ...entry, seq })) : log,
    );
    const heads = new Map(
      [...keep(reordered, statement).logs].map(([author, log]) => [author, { ...log, head: kept.logs.get(author)!.head }]),
    );
    expect(said(audit({ ...kept, logs: heads }, testCrypto))).toContain('the entries do not lead to the signed head');
  });

  test('says so when the statement cannot be read at all', () => {
    const report = audit({ ...keep(good.logs, statement), statement: new Uint8Array([0xf7]) }, testCrypto);
    expect(report).toMatchObject({ ok: false, expected: null });
    expect(kinds(report)).toEqual(['statement']);
  });
});

describe('the kept folder', () => {
  const directory = mkdtempSync(join(tmpdir(), 'lichen-kept-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  test('reads back as it was written, and audits', () => {
    const kept = keep(good.logs, statement);
    writeKept(directory, kept, { cpuMicros: 2n ** 60n });
    const back = readKept(directory);
    expect(back).toEqual({ ...kept, logs: new Map([...kept.logs].sort(([a], [b]) => (a < b ? -1 : 1))) });
    expect(audit(back, testCrypto).ok).toBe(true);
    expect(readdirSync(directory).sort()).toEqual(['kernel.json', 'logs', 'statement.cbor', 'statement.json']);
    expect(JSON.parse(readFileSync(join(directory, 'statement.json'), 'utf8'))).toMatchObject({
      period: 2,
      totals: [{ currency: 'EUR', chargesMicro: expect.stringMatching(/^\d+$/) }],
    });
    expect(JSON.parse(readFileSync(join(directory, 'kernel.json'), 'utf8'))).toEqual({ cpuMicros: String(2n ** 60n) });
  });

  test('is refused when something is missing or torn', () => {
    const author = on.idOf<string & Posting['board']>('gateway a');
    const path = join(directory, 'logs', `${author}.cbor`);
    writeFileSync(path, readFileSync(path).subarray(0, -1));
    expect(() => readKept(directory)).toThrow('bad-schema');
    rmSync(join(directory, 'statement.cbor'));
    expect(() => readKept(join(directory, 'nowhere'))).toThrow('not-found');
    expect(() => writeKept(directory, { ...keep(good.logs, statement), logs: new Map([['../x', { entries: [], head: '' }]]) })).toThrow(
      'bad-schema',
    );
  });

  test('splits entries where they were joined, and nowhere else', () => {
    const entries = [new Uint8Array(0), new Uint8Array([1]), new Uint8Array(300).fill(2)];
    expect(splitEntries(joinEntries(entries))).toEqual(entries);
    expect(splitEntries(new Uint8Array(0))).toEqual([]);
    expect(() => splitEntries(new Uint8Array([0, 0, 0]))).toThrow('bad-schema');
    expect(() => splitEntries(new Uint8Array([0, 0, 0, 2, 1]))).toThrow('bad-schema');
    expect(() => splitEntries(new Uint8Array([255, 255, 255, 255, 1]))).toThrow('bad-schema');
  });
});
