/**
 * The independent auditor: from kept logs and nothing else it verifies every signature that a bill stands on, computes
 * the bill anew and compares it with the kept statement bit for bit. It shares the language (codec, schemas, COSE,
 * Merkle tree) with the gateways and no arithmetic. docs/keep.md says how evidence is kept.
 */
import { type Bytes, compare, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { asLichenError } from '../../runtime/protocol/errors.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { decodeStatement, type Posting, postingSchema, type Statement } from '../../runtime/protocol/nouns/billing.ts';
import type { Close, Vector } from '../../runtime/protocol/nouns/log.ts';
import { billAll } from './audit-bill.ts';
import { checkHeads, collect, type Evidence, type Exhibit, type Finding, type Kept } from './audit-evidence.ts';
import { boardKeys, gatewayKeys, objectionTo, releaseObjection, type Trusted, trustedIn } from './audit-standing.ts';
import { readUsage, type Story } from './audit-usage.ts';

export interface AuditReport {
  /** True when there is not one finding. */
  ok: boolean;
  findings: Finding[];
  /** What is not charged and why; no fault of the bill. */
  notes: string[];
  /** On whose word the evidence rests in the end: compare these with what the operators publish. */
  operators: { operator: string; name: string; version: number }[];
  verified: { entries: number; signatures: number; leases: number; records: number; postings: number };
  /** The statement as it should be; null when it cannot be computed. */
  expected: Statement | null;
}

const emptyReport = (findings: Finding[]): AuditReport => ({
  ok: false,
  findings,
  notes: [],
  operators: [],
  verified: { entries: 0, signatures: 0, leases: 0, records: 0, postings: 0 },
  expected: null,
});

const higher = (a: Vector, b: Vector): Vector =>
  Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map((author) => [author, Math.max(a[author] ?? 0, b[author] ?? 0)]),
  );

const mass = (vector: Vector): number => Object.values(vector).reduce((sum, size) => sum + size, 0);

/** Of two closes of one period the one that counts more entries, then the later one, then the greater as text. */
const prevails = (a: Close, b: Close): boolean => {
  const text = ({ vector }: Close): string => JSON.stringify(Object.entries(vector).sort());
  if (mass(a.vector) !== mass(b.vector)) return mass(a.vector) > mass(b.vector);
  return a.closedMs !== b.closedMs ? a.closedMs > b.closedMs : text(a) > text(b);
};

/** The closes that lead to the statement, each at least at the vector of the one before. */
const closesFor = (evidence: Evidence, statement: Statement, findings: Finding[]): Close[] => {
  const chosen = new Map<number, Close>();
  for (const { value } of evidence.closes) {
    const held = chosen.get(value.period);
    if (held === undefined || prevails(value, held)) chosen.set(value.period, value);
  }
  const { period, vector, closedMs } = statement;
  const logged = chosen.get(period);
  const earlier = [...chosen.values()].filter((close) => close.period < period).sort((a, b) => a.period - b.period);
  let reached: Vector = {};
  const closes = earlier.map((close) => {
    reached = higher(reached, close.vector);
    return { ...close, vector: reached };
  });
  const sameVector = (a: Vector, b: Vector): boolean =>
    Object.keys({ ...a, ...b }).every((author) => (a[author] ?? 0) === (b[author] ?? 0));
  if (logged !== undefined && (!sameVector(higher(reached, logged.vector), vector) || logged.closedMs !== closedMs)) {
    findings.push({ kind: 'close', subject: `period ${period}`, says: 'the logs close this period at another vector or time' });
  }
  if (!sameVector(higher(reached, vector), vector))
    findings.push({ kind: 'close', subject: `period ${period}`, says: 'the vector lies below that of an earlier close' });
  return [...closes, { v: 1, period, vector, closedMs }];
};

/** A close may not count entries that are not in evidence. */
const checkComplete = (evidence: Evidence, closes: Close[], findings: Finding[]): boolean => {
  const missing = closes.flatMap(({ period, vector }) =>
    Object.entries(vector).flatMap(([author, size]) => ((evidence.sizes.get(author) ?? 0) < size ? [{ period, author, size }] : [])),
  );
  for (const { period, author, size } of missing) {
    findings.push({
      kind: 'log',
      subject: author,
      says: `period ${period} counts ${size} entries, ${evidence.sizes.get(author) ?? 0} are in evidence`,
    });
  }
  return missing.length === 0;
};

/** Nobody but the board may have signed what is laid to its account. */
const checkRecords = (crypto: Crypto, evidence: Evidence, whole: Vector, findings: Finding[]): void => {
  const keys = new Map<string, Set<string>>();
  for (const { author, seq, value, signers } of evidence.usage) {
    const held = keys.get(value.board) ?? boardKeys(crypto, evidence, value.board, whole);
    keys.set(value.board, held);
    if (signers.every((signer) => held.has(hex(signer)))) continue;
    findings.push({ kind: 'document', subject: `${author}/${seq}`, says: `a usage record that board ${value.board} did not sign` });
  }
};

const once = <T>(rows: Exhibit<T>[]): Exhibit<T>[] => [...new Map(rows.map((row) => [row.hash, row])).values()];

/** Every lease under which something was metered stands on its request, binding and release. */
const checkLeases = (
  crypto: Crypto,
  evidence: Evidence,
  trusted: Trusted,
  whole: Vector,
  stories: Map<string, Story>,
  findings: Finding[],
): void => {
  const metered = new Set(evidence.usage.map(({ value }) => value.lease));
  const known = new Set(evidence.leases.map(({ value }) => value.lease));
  for (const id of [...metered].filter((lease) => !known.has(lease)))
    findings.push({ kind: 'lease', subject: id, says: 'it was metered, and no gateway signed it' });
  for (const row of once(evidence.leases)) {
    const { lease } = row.value;
    if (!metered.has(lease)) continue;
    const why = stories.get(lease)?.document === row.hash ? null : objectionTo(crypto, evidence, trusted, row, whole);
    // A lease that would stand but for a revocation was rightly made and is rightly not charged.
    const lapsed = why !== null && objectionTo(crypto, evidence, { ...trusted, revoked: new Set() }, row, whole) === null;
    if (why !== null && !lapsed) findings.push({ kind: 'lease', subject: lease, says: why });
    const release = releaseObjection(evidence, trusted, row.value);
    if (release !== null) findings.push({ kind: 'release', subject: lease, says: release });
  }
};

const postingsOf = (statement: Statement): Map<string, Posting> =>
  new Map(statement.invoices.flatMap(({ postings }) => postings.map((posting): [string, Posting] => [posting.lease, posting])));

const bytesOf = (posting: Posting): Bytes => encodeAs(postingSchema, posting, 'posting');

const show = (posting: Posting): string =>
  `records ${posting.fromSeq} to ${posting.toSeq}, ${posting.currency} debit ${posting.debitMicro}, credit ${posting.creditMicro}, fee ${posting.feeMicro}, rounding ${posting.roundingMicro}${posting.reason === '' ? '' : ` (${posting.reason})`}`;

const comparePostings = (kept: Statement, expected: Statement, findings: Finding[]): void => {
  const [is, should] = [postingsOf(kept), postingsOf(expected)];
  for (const lease of [...new Set([...is.keys(), ...should.keys()])].sort()) {
    const [a, b] = [is.get(lease), should.get(lease)];
    const says =
      a === undefined
        ? `it is not billed; due: ${b === undefined ? '' : show(b)}`
        : b === undefined
          ? `it is billed and nothing is due: ${show(a)}`
          : compare(bytesOf(a), bytesOf(b)) === 0
            ? null
            : `billed: ${show(a)}; due: ${show(b)}`;
    if (says !== null) findings.push({ kind: 'posting', subject: lease, says });
  }
};

const read = (kept: Kept, findings: Finding[]): Statement | null => {
  try {
    return decodeStatement(kept.statement);
  } catch (thrown) {
    findings.push({ kind: 'statement', subject: 'statement', says: asLichenError(thrown).message });
    return null;
  }
};

/** Audits kept evidence. Never throws for what is in it: whatever is wrong is a finding. */
export const audit = (kept: Kept, crypto: Crypto): AuditReport => {
  const findings: Finding[] = [];
  const statement = read(kept, findings);
  const evidence = collect(crypto, kept, findings);
  const whole: Vector = Object.fromEntries(evidence.sizes);
  const trusted = trustedIn(crypto, evidence, whole);
  checkHeads(crypto, kept, (author) => gatewayKeys(trusted, author), findings);
  checkRecords(crypto, evidence, whole, findings);
  if (statement === null) return emptyReport(findings);
  const closes = closesFor(evidence, statement, findings);
  if (!checkComplete(evidence, closes, findings)) return emptyReport(findings);
  const { stories, notes } = readUsage(crypto, evidence, closes);
  checkLeases(crypto, evidence, trusted, whole, stories, findings);
  const caps = new Map(evidence.vouchers.map(({ hash, value }) => [hash, value.capMicro]));
  const bill = billAll(crypto, stories, caps, closes);
  if (bill !== null) comparePostings(statement, bill.statement, findings);
  if (bill === null || !equal(bill.bytes, kept.statement))
    findings.push({ kind: 'statement', subject: `period ${statement.period}`, says: 'its bytes are not those that the evidence gives' });
  const operators = [...trusted.operators].flatMap(([operator, line]) =>
    line.slice(-1).map(({ name, version }) => ({ operator, name, version })),
  );
  return {
    ok: findings.length === 0,
    findings,
    notes,
    operators,
    verified: {
      entries: [...evidence.sizes.values()].reduce((sum, size) => sum + size, 0),
      signatures: evidence.signatures + kept.logs.size,
      leases: stories.size,
      records: once(evidence.usage).length,
      postings: bill === null ? 0 : postingsOf(bill.statement).size,
    },
    expected: bill?.statement ?? null,
  };
};
