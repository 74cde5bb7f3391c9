/**
 * Random histories of a small federation, for properties of the ledger: boards with interleaved leases, terms that
 * overlap, clocks that jump, lost writes, cloned cards, caps, and records scattered over the gateways' logs.
 */
import fc from 'fast-check';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Registers } from '../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Close, LogEntry, Vector } from '../../runtime/protocol/nouns/log.ts';
import { voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { keyOf } from './crypto.ts';
import {
  closeAt,
  closeFact,
  type Fact,
  GATEWAYS,
  groundwork,
  hashOf,
  lease,
  logsOf,
  type Point,
  payloadHash,
  rotation,
  secondOperator,
  signedLease,
  signedRequest,
  signedVoucher,
  usageChain,
  VOUCHER,
  vectorOf,
  voucher,
} from './federation.ts';

export interface Wild {
  /** Leases of one instance on several boards. */
  overlap: boolean;
  /** Registers that fall, amnesia, forks, missing zero records, tiers that change, clocks that jump, dates that are made up. */
  faults: boolean;
  caps: boolean;
}

export interface History {
  facts: Fact[];
  leases: Lease[];
  /** Of the voucher that pays for all of them. */
  capMicro: bigint;
}

type Gen = fc.GeneratorValue;
const START_MS = 1_700_000_000_000;
/** No close comes as late. */
const FAR_MS = 4_000_000_000_000;
const BOARDS = ['board 1', 'board 2', 'board 3'];

/** Without fast-check's leaning towards small values: histories of nothing prove nothing. */
const evenly = (max: number): fc.Arbitrary<number> => fc.noBias(fc.nat({ max }));
const upTo = (g: Gen, max: number): number => g(evenly, max);
const oneIn = (g: Gen, n: number): boolean => upTo(g, n - 1) === n - 1;
const pick = <T>(g: Gen, items: readonly T[]): T => items[upTo(g, items.length - 1)]!;

/** Now and then all is paid for by a voucher that is soon spent. */
const purses = (g: Gen, wild: Wild): { hash: Bytes; capMicro: bigint; facts: Fact[] } => {
  if (!wild.caps || !oneIn(g, 2)) return { hash: VOUCHER, capMicro: voucher().capMicro, facts: [] };
  const small = { serial: 2, capMicro: BigInt(4000 + upTo(g, 4000)) };
  const hash = hashOf(voucherNoun, voucher(small));
  return { hash, capMicro: small.capMicro, facts: [signedVoucher(small), signedRequest({ sequence: 2, voucher: hash })] };
};

const leasesOn = (g: Gen, board: number, wild: Wild, paidBy: Bytes): Lease[] =>
  Array.from({ length: 1 + upTo(g, 1) }, (_, i) =>
    lease({
      on: BOARDS[board]!,
      // Of one instance: one term a board, or the same one, which only the lease's id tells apart.
      index: wild.overlap ? i : board * 2 + i,
      term: wild.overlap ? 1 + upTo(g, 1) * board : 1,
      guardianName: GATEWAYS[board]!,
      voucher: paidBy,
      ...(wild.faults ? { openedMs: START_MS + upTo(g, 90_000) } : {}),
      ...(wild.caps && (paidBy !== VOUCHER || oneIn(g, 2)) ? { capMicro: BigInt(upTo(g, 4000)) } : {}),
    }),
  );

interface Run {
  lease: Lease;
  state: 'new' | 'open' | 'closed';
  used: Registers;
  sinceMs: number;
}

const grown = (g: Gen, used: Registers, elapsedMs: number): Registers => ({
  ...used,
  wallMs: used.wallMs + BigInt(elapsedMs),
  cpuMicros: used.cpuMicros + BigInt(upTo(g, elapsedMs * 1000)),
  memoryMibS: used.memoryMibS + BigInt(upTo(g, 1000)),
  netInBytes: used.netInBytes + BigInt(upTo(g, 3_000_000)),
  diskBytes: used.diskBytes + BigInt(upTo(g, 3_000_000)),
});

const ZEROS: Registers = {
  ...{ wallMs: 0n, cpuMicros: 0n, memoryMibS: 0n, netInBytes: 0n, netOutBytes: 0n, diskBytes: 0n, diskMibS: 0n, energyMj: 0n },
};

const step = (g: Gen, runs: Run[], atMs: number, wild: Wild): Point[] => {
  const run = pick(g, runs);
  const fault = wild.faults && oneIn(g, 6) ? upTo(g, 5) : -1;
  if (run.state === 'closed' && fault < 0) return [];
  const kind = run.state === 'new' && fault !== 0 ? 'open' : oneIn(g, 16) ? 'close' : 'point';
  if (kind === 'open') run.sinceMs = atMs;
  // A metered hour is an hour on the wall, as it is on an honest board.
  const elapsedMs = run.state === 'open' ? atMs - run.sinceMs - Number(run.used.wallMs) : 0;
  const before = run.used;
  if (run.state === 'open') run.used = grown(g, run.used, Math.max(0, elapsedMs));
  if (fault === 1) run.used = { ...before, cpuMicros: before.cpuMicros / 2n };
  run.state = kind === 'close' ? 'closed' : 'open';
  const dated = fault === 2 ? atMs - upTo(g, 50_000) : fault === 5 ? pick(g, [0, FAR_MS]) : atMs;
  return [
    {
      ...{ lease: run.lease.lease, kind, registers: run.used, wallMs: dated },
      ...{ amnesia: fault === 3, tier: fault === 4 ? pick(g, ['dev', 'reduced'] as const) : 'full' },
    },
  ];
};

const headOf = (facts: Fact[], length: number): { seq: number; hash: Bytes } => {
  const last = facts[length - 1];
  return { seq: length, hash: last === undefined ? new Uint8Array(32) : payloadHash(last.body) };
};

const newKeyOf = (board: string): string => `new key of ${board}`;

/** Now and then the operator takes a board's or a gateway's key out of service. */
const revocations = (g: Gen, wild: Wild): Fact[] => {
  if (!wild.faults || !oneIn(g, 4)) return [];
  const names = [...BOARDS, ...BOARDS.map(newKeyOf), ...GATEWAYS];
  return [secondOperator({ revoked: [keyOf(pick(g, names)).publicKey] })];
};

const boardHistory = (g: Gen, board: number, leases: Lease[], wild: Wild): Fact[] => {
  const runs = leases.map((of): Run => ({ lease: of, state: 'new', used: ZEROS, sinceMs: 0 }));
  let atMs = START_MS + upTo(g, 40_000);
  const walk = (): Point[] =>
    Array.from({ length: 5 + upTo(g, 10) }).flatMap(() => {
      atMs += upTo(g, 20_000);
      return step(g, runs, atMs, wild);
    });
  const name = BOARDS[board]!;
  const facts = usageChain(name, walk());
  if (wild.faults && oneIn(g, 4)) {
    // It hands over to a new key in the middle of its life.
    const again = usageChain(name, walk(), headOf(facts, facts.length), newKeyOf(name));
    return [...facts, rotation(name, newKeyOf(name)), ...again];
  }
  if (!wild.faults || !oneIn(g, 4)) return facts;
  // A second history beside the first: a cloned card, or a board that lost what it wrote last.
  const branch = headOf(facts, upTo(g, facts.length));
  const bootId = oneIn(g, 4) ? 'boot' : 'boot 2';
  const points = walk().map((point) => ({ ...point, bootId }));
  const [first, ...others] = points;
  if (first === undefined) return facts;
  // Beyond the first history, mostly, as an honest board numbers; else within it.
  const leapt = { ...first, seq: branch.seq + 1 + (oneIn(g, 3) ? upTo(g, 2) : 100), amnesia: oneIn(g, 2) };
  const beside = usageChain(name, [leapt, ...others], branch);
  if (!oneIn(g, 3)) return [...facts, ...beside];
  // And the first one goes on: two lives, if its numbers pass those of the second.
  const seq = facts.length + 1 + (oneIn(g, 2) ? 150 : 0);
  return [
    ...facts,
    ...beside,
    ...usageChain(
      name,
      walk().map((point, i) => (i === 0 ? { ...point, seq } : point)),
      headOf(facts, facts.length),
    ),
  ];
};

export const history = (wild: Wild): fc.Arbitrary<History> =>
  fc.gen().map((g) => {
    const boards = BOARDS.slice(0, 1 + upTo(g, 2));
    const paid = purses(g, wild);
    const perBoard = boards.map((_, board) => leasesOn(g, board, wild, paid.hash));
    const usage = perBoard.flatMap((leases, board) => boardHistory(g, board, leases, wild));
    const leases = perBoard.flat();
    const signed = perBoard.flatMap((row, board) => row.map((of) => signedLease(of, GATEWAYS[board]!)));
    const facts = [...groundwork(boards), ...paid.facts, ...signed, ...usage, ...revocations(g, wild)];
    return quiet({ facts: quiet(facts, `${facts.length} facts`), leases, capMicro: paid.capMicro }, `${facts.length} facts`);
  });

/** For the report of a failing property, which is replayed by its seed and not read byte by byte. */
const quiet = <T extends object>(value: T, says: string): T => Object.defineProperty(value, fc.toStringMethod, { value: () => says });

/** The facts as three gateways may have written them down: each in one or more logs, in any order. */
export const scattered = (facts: Fact[]): fc.Arbitrary<LogEntry[][]> =>
  fc.gen().map((g) => {
    const written: Fact[][] = GATEWAYS.map(() => []);
    for (const fact of facts) {
      const copies = oneIn(g, 3) ? 2 + upTo(g, 1) : 1;
      for (let i = 0; i < copies; i++) {
        const log = pick(g, written);
        // Mostly as it happened, so that a close in between finds something that can be billed.
        log.splice(oneIn(g, 12) ? upTo(g, log.length) : log.length, 0, fact);
      }
    }
    return quiet(logsOf(written), written.map((log) => log.length).join('+'));
  });

/** Closes at growing vectors, the last of which counts everything. */
export const closesOver = (logs: LogEntry[][], most = 4): fc.Arbitrary<Close[]> => {
  const whole = vectorOf(logs);
  return fc.gen().map((g) => {
    let vector: Vector = {};
    const steps = Array.from({ length: upTo(g, most - 1) }, (_, i) => {
      // The logs grow together; now and then one lags behind.
      const percent = 30 + upTo(g, 70);
      const reached = (size: number): number => Math.floor((size * (oneIn(g, 3) ? upTo(g, percent) : percent)) / 100);
      vector = Object.fromEntries(Object.entries(whole).map(([author, size]) => [author, Math.max(vector[author] ?? 0, reached(size))]));
      return closeAt(i + 1, vector);
    });
    return [...steps, closeAt(steps.length + 1, whole)];
  });
};

/** The same while the boards still ran: what they date later was not yet when it was counted. */
export const early = (closes: Close[]): fc.Arbitrary<Close[]> =>
  fc.gen().map((g) => {
    const atMs = Array.from(closes, () => START_MS + upTo(g, 240_000)).sort();
    return closes.map((close, i) => ({ ...close, closedMs: atMs[i]! }));
  });

/** Writes each close into the first log that is not empty, after everything, where no vector counts it. */
export const withCloses = (logs: LogEntry[][], closes: Close[]): LogEntry[][] => {
  const author = logs.findIndex((log) => log.length > 0);
  return logs.map((log, i) => {
    const [entry] = log;
    if (entry === undefined || i !== author) return log;
    return [...log, ...closes.map((close, at): LogEntry => ({ ...entry, seq: log.length + at, ...closeFact(close) }))];
  });
};
