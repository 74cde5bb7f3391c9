/**
 * Promises 2, 4 and 6 in the end: what was charged against what kernels counted, and every record in some statement
 * unless the physics says why it cannot be.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import { type Closing, examineAgreement, examineChanges, examineClosing, type Said } from './agreement.ts';
import { asksForLease } from './asked.ts';
import type { Court } from './court.ts';
import { METERED, noUse, type Use } from './glance.ts';
import type { Logs } from './logs.ts';
import { type Bill, type Bills, examineStatements } from './postings.ts';
import { useOf } from './runs.ts';
import { type BoardCase, type GatewayCase, type InstanceCase, isContradictory, isGood, isThere, type LeaseCase, wasWell } from './scene.ts';

interface Settlement {
  court: Court;
  logs: Logs;
  bills: Bills;
  atMs: number;
  /** When the last period was closed. */
  closedMs: number;
}

const MILLION = 1_000_000n;
const PERMILLE = 1000n;

// ---- which leases are charged at all

const asksFor = (court: Court, lease: Lease) =>
  court.archive
    .requestsOf(lease.request)
    .filter(({ value }) => value.state !== 'destroyed' && asksForLease(value, hex(lease.release)) && lease.index < value.replicas);

/** Everything that a lease stands on is in the logs that the last close counts, or its board had the time to bring it. (metering-11, metering-12) */
const stands = (settlement: Settlement, { document, id, board, firstSeq }: LeaseCase): boolean => {
  const { court, logs, bills } = settlement;
  const vector = bills.last?.vector ?? {};
  if (document === null || !logs.counts(`pair/${document.board}`, vector)) return false;
  if (!logs.counts(`binding/${document.board}/${document.binding}`, vector)) return false;
  // What its guardian told nobody of is its board's to bring, with what it was given upon.
  if (!logs.countsOf(document.guardian, `lease/${id}`, vector))
    return board !== null && firstSeq > 0 && couldDeliver(settlement, board) && asksFor(court, document).length > 0;
  return asksFor(court, document).some(
    ({ hash, value }) => logs.counts(`request/${hash}`, vector) && logs.counts(`voucher/${hex(value.voucher)}`, vector),
  );
};

/** A key that was revoked is no error of anybody's, and what it signed is charged or not by when it came. (metering-10) */
export const hasRevoked = ({ archive }: Court, board: BoardCase): boolean => board.chain.keys.some((key) => archive.isRevoked(hex(key)));

// ---- records

/** Some of the chain stands in the log of a liar who told this gateway another history: it never has it, nor takes what follows. */
export const isBarred = ({ scene }: Court, board: BoardCase, home: GatewayCase): boolean => {
  if (!home.isDeceived) return false;
  const liars = [...scene.gateways.values()].filter(({ lies }) => lies);
  for (let seq = 1; seq <= board.chain.heardSeq; seq++)
    if (home.kept.get(board)?.has(seq) !== true && liars.some(({ kept }) => kept.get(board)?.has(seq))) return true;
  return false;
};

/** The board had the time to bring its records, to a home that passes them on. */
const couldDeliver = ({ court, closedMs }: Settlement, board: BoardCase): boolean => {
  const sinceMs = closedMs - court.limits.settleMs;
  const { home, homeMs } = board;
  if (home === null || homeMs > sinceMs || isBarred(court, board, home)) return false;
  // Peers that hold more of its log than its disk does take nothing from it any more, nor does it hear what the board has let go of.
  return wasWell(board, sinceMs, closedMs) && isThere(home) && isGood(home) && home.forgotMs === null;
};

/** Of a gateway whose peers take what it has. */
export const isOnDisk = (court: Court, board: BoardCase, seq: number, state: 'up' | 'dead'): boolean => {
  for (const gateway of court.scene.gateways.values())
    if (gateway.state === state && !gateway.lies && !gateway.isOutcast && gateway.kept.get(board)?.has(seq)) return true;
  return false;
};

/** A zero record by itself says that nothing was used yet. */
const isCovered = (lease: LeaseCase | undefined, bill: Bill | undefined, seq: number): boolean =>
  bill === undefined ? lease !== undefined && lease.firstSeq === seq && lease.firstIsZero : seq <= bill.toSeq;

/** Who forgot that it closed a lease closes it again, and that means nothing. (metering-2) */
const isAfterClose = (board: BoardCase, lease: LeaseCase | undefined, seq: number): boolean =>
  lease?.isClosed === true && seq > lease.closeSeq && board.card.lostMs !== null;

const isExcused = (settlement: Settlement, board: BoardCase, lease: LeaseCase | undefined, seq: number): boolean => {
  const { court, closedMs } = settlement;
  const { chain } = board;
  if ((chain.firstMs[seq] ?? 0) > closedMs - court.limits.settleMs) return true;
  if (chain.forkSeq !== null && seq >= chain.forkSeq) return true;
  if (lease !== undefined && !stands(settlement, lease)) return true;
  return !isOnDisk(court, board, seq, 'up') && !couldDeliver(settlement, board);
};

const examineChain = (settlement: Settlement, board: BoardCase): void => {
  const { court, bills, atMs } = settlement;
  const { chain, card } = board;
  if (card.isCloned || hasRevoked(court, board)) return;
  let [lost, first, withGateway] = [0, 0, 0];
  for (let seq = 1; seq <= chain.lastSeq; seq++) {
    const leap = chain.leftOut.get(seq);
    if (leap !== undefined) {
      seq = leap;
      continue;
    }
    const lease = chain.leases[seq];
    if (isCovered(lease, lease === undefined ? undefined : bills.byLease.get(lease.id), seq) || isAfterClose(board, lease, seq)) continue;
    // Whatever comes after what could not be brought waits behind it. (metering-5)
    if (isExcused(settlement, board, lease, seq)) {
      if (lease === undefined || stands(settlement, lease)) break;
      continue;
    }
    lost++;
    first ||= seq;
    if (isOnDisk(court, board, seq, 'dead') && !isOnDisk(court, board, seq, 'up')) withGateway++;
  }
  if (lost === 0) return;
  court.docket.tally.recordsLost += lost;
  const code = withGateway > 0 ? 'lost-with-gateway' : 'usage-lost';
  court.docket.accuse(code, atMs, board.id, `${lost} of its records are in no statement, the first is ${first} of ${chain.lastSeq}`);
};

// ---- use

interface Bounds {
  least: Use | null;
  most: Use | null;
}

const drifted = (use: bigint, ppm: number): bigint => (use * BigInt(ppm)) / MILLION;

/** What a run's beginning and end may add or take, for each of its runs. */
const slackOf = ({ limits }: Court, lease: LeaseCase, counted: Use): Use => {
  const slack = noUse();
  const runs = BigInt(lease.runs);
  slack.wallMs = runs * BigInt(limits.stepMs) + drifted(counted.wallMs, limits.driftPpm);
  const memoryMib = BigInt(lease.document?.limits.memoryMib ?? 0);
  // A sample stands for the time since the one before it, or after a restart of the runtime since the last record.
  const sampledMs = lease.runs * (limits.meterMs + limits.stepMs) + lease.adoptions * limits.recordMs;
  slack.memoryMibS = runs + (memoryMib * BigInt(sampledMs)) / PERMILLE + (counted.memoryMibS * BigInt(limits.memoryPermille)) / PERMILLE;
  return slack;
};

const boundsOf = ({ court, atMs, closedMs }: Settlement, lease: LeaseCase): Bounds => {
  const { limits } = court;
  const { board, counted, present } = lease;
  if (board === null) return { least: null, most: counted };
  if (board.card.isCloned) return { least: null, most: null };
  const run = board.running.get(lease.id);
  const total = { ...counted };
  if (run !== undefined && present !== null) {
    const more = useOf(present, atMs - run.sinceMs);
    for (const name of METERED) total[name] += more[name];
  }
  const slack = slackOf(court, lease, total);
  const most = { ...total };
  const least = { ...counted };
  for (const name of METERED) {
    most[name] += slack[name];
    least[name] -= slack[name] + lease.lost[name];
  }
  // What still runs was last recorded some time ago; its wall time is all that is known of that time.
  if (run !== undefined) {
    const window = limits.recordMs + 2 * limits.meterMs + limits.settleMs;
    const ranMs = Math.max(0, closedMs - run.sinceMs - window);
    for (const name of METERED) if (name !== 'wallMs') least[name] = 0n;
    least.wallMs += BigInt(ranMs) - drifted(BigInt(ranMs), limits.driftPpm);
  }
  return { least, most: run !== undefined && present === null ? null : most };
};

/** All that ran was over, recorded and brought in time, so that nothing is missing for a reason. */
const isComplete = (settlement: Settlement, lease: LeaseCase): boolean => {
  const { court, closedMs } = settlement;
  const { board } = lease;
  if (board === null || isContradictory(board) || board.card.isDead || hasRevoked(court, board)) return false;
  return lease.overMs <= closedMs - court.limits.settleMs && couldDeliver(settlement, board) && stands(settlement, lease);
};

const examineUse = (settlement: Settlement, lease: LeaseCase, bill: Bill): void => {
  const { court, atMs } = settlement;
  const { least, most } = boundsOf(settlement, lease);
  for (const name of METERED) {
    if (most !== null && bill.charged[name] > most[name])
      court.docket.accuse(
        'billed-more',
        atMs,
        lease.id,
        `${bill.charged[name]} of ${name} are charged, its kernel counted ${most[name]} at most`,
      );
    if (least !== null && bill.used[name] < least[name] && isComplete(settlement, lease))
      court.docket.accuse(
        'usage-lost',
        atMs,
        lease.id,
        `${bill.used[name]} of ${name} are posted, its kernel counted ${least[name]} at least`,
      );
  }
};

const isWhole = ({ chain }: BoardCase): boolean => {
  for (let seq = 1; seq <= chain.lastSeq; seq++) {
    const leap = chain.leftOut.get(seq);
    if (leap !== undefined) seq = leap;
    else if (chain.marks[seq] === undefined) return false;
  }
  return true;
};

const examineFirst = (settlement: Settlement, lease: LeaseCase): void => {
  const { court, atMs } = settlement;
  const { board } = lease;
  const isWell = lease.firstSeq > 0 && lease.firstIsZero;
  // Before a gap there may be the one that is missed.
  if (board === null || lease.runs === 0 || isContradictory(board) || isWell || !isWhole(board)) return;
  if (lease.firstSeq > 0)
    court.docket.accuse('began-unrecorded', atMs, lease.id, `its first record ${lease.firstSeq} is not a zero record`);
  else if (isComplete(settlement, lease)) court.docket.accuse('began-unrecorded', atMs, lease.id, 'it ran and there is no record of it');
};

// ---- overlap

/** No record counts as later than its close: by how much one may have been. */
const behindMs = ({ court, bills, logs }: Settlement): number => {
  const { startsMs } = court.limits;
  if (startsMs === null) return 0;
  return Math.max(0, ...bills.closes.map(({ period, closedMs }) => startsMs + (logs.closedMs(period) ?? 0) - closedMs));
};

const examineCharges = (settlement: Settlement, instance: InstanceCase): void => {
  const { court, bills, atMs } = settlement;
  const { limits } = court;
  let [chargedMs, runs, errorMs, guardiansMs] = [0n, 0, behindMs(settlement), 0];
  for (const lease of instance.leases) {
    if (lease.board?.card.isCloned === true) return;
    chargedMs += bills.byLease.get(lease.id)?.charged.wallMs ?? 0n;
    runs += lease.runs;
    // Where a clock was wrong, what overlapped cannot be known; it can, within a slice, where all were right.
    errorMs = Math.max(errorMs, lease.clockErrorMs);
    guardiansMs += lease.aheadMs ?? 0;
  }
  if (instance.leases.size < 2) return;
  const ranMs = instance.unionMs + (instance.active > 0 ? atMs - instance.activeMs : 0);
  const most =
    BigInt(Math.round(ranMs + runs * limits.stepMs + limits.recordMs + limits.meterMs + errorMs + guardiansMs)) +
    drifted(BigInt(Math.round(ranMs)), limits.driftPpm);
  if (chargedMs > most)
    court.docket.accuse(
      'overlap-charged',
      atMs,
      instance.id,
      `${chargedMs} ms are charged, it ran in one place or another for ${ranMs} ms`,
    );
};

/** A guardian knows its own leases, unless it lost its disk. */
const examineTerms = ({ scene, archive, docket }: Court, atMs: number, instance: InstanceCase): void => {
  const given = new Map<string, LeaseCase>();
  for (const lease of instance.leases) {
    if (lease.document === null) continue;
    const { guardian, term } = lease.document;
    const { lies, forgotMs } = scene.gateway(guardian);
    const other = given.get(`${guardian} ${term}`);
    given.set(`${guardian} ${term}`, lease);
    if (other === undefined || lies || forgotMs !== null || !archive.isProven(lease) || !archive.isProven(other)) continue;
    docket.accuse('term-twice', atMs, instance.id, `guardian ${guardian} gave it leases ${other.id} and ${lease.id}, both of term ${term}`);
  }
};

/** What was asked for and said on the way. */
export interface Heard {
  closings: Closing[];
  said: Said[];
}

export const settle = (court: Court, logs: Logs, atMs: number, statements: Map<string, Bytes[]>, { closings, said }: Heard): void => {
  for (const instance of court.scene.instances.values()) examineTerms(court, atMs, instance);
  const last = closings.at(-1);
  if (last !== undefined) examineClosing(court, logs, atMs, last, statements);
  const reference = examineAgreement(court, atMs, statements);
  examineChanges(court, logs, atMs, reference, said);
  const bills = examineStatements(court, atMs, reference);
  // Nothing is in a period that nobody closed; whether it should have been is asked above.
  if (bills.last === null) return;
  const settlement: Settlement = { court, logs, bills, atMs, closedMs: logs.closedMs(bills.last.period) ?? atMs };
  const none = (): Bill => ({ fromSeq: 0, toSeq: 0, used: noUse(), charged: noUse(), debitMicro: 0n, isCut: false });
  for (const lease of court.scene.leases.values()) {
    if (lease.runs === 0 && !bills.byLease.has(lease.id)) continue;
    examineFirst(settlement, lease);
    examineUse(settlement, lease, bills.byLease.get(lease.id) ?? none());
  }
  for (const board of court.scene.boards.values()) examineChain(settlement, board);
  for (const instance of court.scene.instances.values()) examineCharges(settlement, instance);
};
