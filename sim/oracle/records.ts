/**
 * Promise 2, as it happens: each board's records make one chain that nothing contradicts, a lease's first is a zero
 * record, and what a gateway acknowledges lies on the disks that it speaks of. (docs/spec/metering.md, "Chains")
 */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import type { Court } from './court.ts';
import { glanceAck, glanceBatch, glanceName, glanceRecord, type RecordGlance, type RecordName, unwrapped } from './glance.ts';
import { type BoardCase, type Chain, type GatewayCase, isContradictory, type LeaseCase } from './scene.ts';
import { SeqSet } from './seqs.ts';

export interface Records {
  wrote(atMs: number, board: BoardCase, record: Bytes): void;
  /** A board has let go of it. */
  pruned(atMs: number, board: BoardCase, seq: number): void;
  /** False: not what a usage message is. */
  heardBatch(atMs: number, board: BoardCase, payload: Bytes): boolean;
  /** False: not what an acknowledgement is. */
  heardAck(atMs: number, gateway: GatewayCase, board: BoardCase, payload: Bytes): boolean;
  /** A log entry's body, on a gateway's disk. Returns its mark; null when it is no record. */
  kept(atMs: number, gateway: GatewayCase, body: Bytes): number | null;
  forgot(atMs: number, gateway: GatewayCase, isUncertain: boolean): void;
  /** What was only written, and heard by nobody, may be gone. */
  lostWrites(board: BoardCase): void;
}

/** A number so far beyond is a broken document and no gap. */
const LEAP = 1_000_000;
const PLACES = 2;

/** The chain cannot be at two places at once; from here on a card that is not well is to blame, or somebody is. */
const contradict = (court: Court, atMs: number, board: BoardCase, seq: number, what: string): void => {
  const { chain } = board;
  chain.forkSeq = Math.min(chain.forkSeq ?? seq, seq);
  if (!isContradictory(board)) court.docket.accuse('chain-broken', atMs, board.id, what);
};

const noteLease = (lease: LeaseCase, glance: RecordGlance, atMs: number): void => {
  const { seq, kind, isZero, use } = glance;
  lease.records++;
  if (lease.firstSeq === 0 || seq < lease.firstSeq) {
    lease.firstSeq = seq;
    lease.firstIsZero = kind === 'open' && isZero;
  }
  if (kind === 'close' && !lease.isClosed) lease.closeSeq = seq;
  if (kind === 'close') lease.isClosed = true;
  if (seq <= lease.lastSeq) return;
  lease.lastSeq = seq;
  lease.last = use;
  lease.lastMs = atMs;
};

const noteKey = (board: BoardCase, signer: Bytes): void => {
  const { keys } = board.chain;
  if (!keys.some((key) => equal(key, signer))) keys.push(signer.slice());
};

/** What it was written at tells how wrong its wall time was, and how far ahead that of its guardian, before which it does not begin. */
const noteClock = ({ limits }: Court, atMs: number, lease: LeaseCase, wallMs: number): void => {
  if (limits.startsMs === null) return;
  const nowMs = limits.startsMs + atMs;
  lease.clockErrorMs = Math.max(lease.clockErrorMs, Math.abs(wallMs - nowMs));
  // Of the first record, as time goes on.
  lease.aheadMs ??= Math.max(0, (lease.document?.openedMs ?? nowMs) - nowMs);
};

type How = 'wrote' | 'heard';

/** It names none before it. */
const isFirst = (prev: Bytes): boolean => prev.every((byte) => byte === 0);

const isNext = (chain: Chain, seq: number, prev: Bytes): boolean => {
  if (seq !== chain.lastSeq + 1) return true;
  if (seq === 1) return isFirst(prev);
  return chain.lastHash === null || equal(prev, chain.lastHash);
};

const beforeNext = ({ leftOut }: Chain, seq: number): number => leftOut.get(seq + 1) ?? seq;

/** A record beyond the next number that follows on the last one all the same, or on one from which its board knows no further. */
const noteLeap = (chain: Chain, seq: number, prev: Bytes): void => {
  const { lastSeq, lastHash } = chain;
  if (seq <= lastSeq) return;
  const follows = lastHash === null ? lastSeq > 0 || isFirst(prev) : equal(prev, lastHash);
  if (follows && seq > lastSeq + 1) chain.leftOut.set(lastSeq + 1, seq - 1);
  if (lastHash !== null) return;
  const known = [...chain.hashes].find(([, hash]) => equal(hash, prev));
  chain.forgotten.set(known === undefined ? chain.safeSeq : known[0], seq);
};

/** The number after one that is safe: what was left out or forgotten in between is on no disk of its board. */
const afterSafe = (chain: Chain, seq: number): number => chain.forgotten.get(seq) ?? beforeNext(chain, seq) + 1;

/** Takes in a record that nobody has seen before. */
const enter = (court: Court, atMs: number, board: BoardCase, { payload, signer, mark }: RecordName, how: How): boolean => {
  const { scene, docket, crypto } = court;
  const { chain } = board;
  const glance = glanceRecord(payload);
  if (glance === null) return false;
  const { seq, prev, amnesia, lease: id } = glance;
  const lease = scene.lease(id);
  docket.tally.recordsSigned++;
  if (amnesia) docket.tally.amnesia++;
  if (!isNext(chain, seq, prev)) contradict(court, atMs, board, seq, `record ${seq} does not follow from the one before it`);
  noteLeap(chain, seq, prev);
  if (seq > chain.lastSeq) {
    chain.lastSeq = seq;
    chain.lastHash = crypto.sha256(payload);
    chain.hashes.set(seq, chain.lastHash);
  }
  chain.marks[seq] = mark;
  chain.leases[seq] = lease;
  chain.firstMs[seq] = atMs;
  noteKey(board, signer);
  if (glance.kind === 'open' && lease.firstIsZero && !isContradictory(board))
    docket.accuse('opened-twice', atMs, lease.id, `record ${seq} opens it, record ${lease.firstSeq} did so before`);
  noteLease(lease, glance, atMs);
  if (how === 'wrote') noteClock(court, atMs, lease, glance.wallMs);
  return true;
};

/** False when it is no record at all. */
const see = (court: Court, atMs: number, board: BoardCase, name: RecordName, how: How): boolean => {
  const { chain } = board;
  const known = chain.marks[name.seq];
  if (known === name.mark) return true;
  if (name.seq === 0 || name.seq > chain.lastSeq + LEAP) return false;
  if (known === undefined) return enter(court, atMs, board, name, how);
  contradict(court, atMs, board, name.seq, `there are two records of number ${name.seq}`);
  // On its own disk the lease is open, whatever becomes of the number.
  const glance = how === 'wrote' ? glanceRecord(name.payload) : null;
  if (glance !== null && court.scene.lease(glance.lease).firstSeq === 0) noteLease(court.scene.lease(glance.lease), glance, atMs);
  return true;
};

const keep = (gateway: GatewayCase, board: BoardCase, seq: number): void => {
  const held = gateway.kept.get(board) ?? new SeqSet();
  gateway.kept.set(board, held);
  held.add(seq);
  const { chain } = board;
  if (seq <= chain.safeSeq) return;
  const keepers = chain.keepers.get(seq) ?? [];
  if (!keepers.includes(gateway)) keepers.push(gateway);
  chain.keepers.set(seq, keepers);
  for (let next = afterSafe(chain, chain.safeSeq); (chain.keepers.get(next)?.length ?? 0) >= PLACES; next = afterSafe(chain, next)) {
    chain.keepers.delete(next);
    chain.hashes.delete(chain.safeSeq);
    chain.safeSeq = next;
  }
};

/** An acknowledgement may be on its way when the disk that it speaks of is lost. */
const isStored = ({ limits }: Court, atMs: number, gateway: GatewayCase, board: BoardCase, seq: number): boolean => {
  if (gateway.kept.get(board)?.has(seq) === true) return true;
  const isForgiven = gateway.isUncertain || (gateway.forgotMs !== null && atMs - gateway.forgotMs <= limits.flightMs);
  return isForgiven && gateway.before.some((held) => held.get(board)?.has(seq) === true);
};

const examineAck = (court: Court, atMs: number, gateway: GatewayCase, board: BoardCase, payload: Bytes): boolean => {
  const ack = glanceAck(payload);
  if (ack === null) return false;
  if (ack.board !== board.id || ack.gateway !== gateway.id || gateway.lies) return true;
  const { docket, archive } = court;
  const who = `${gateway.id} ${board.id}`;
  if (ack.storedSeq > 0 && !isStored(court, atMs, gateway, board, ack.storedSeq))
    docket.accuse('acked-not-stored', atMs, who, `record ${ack.storedSeq} is called stored and is not on the disk`);
  const { safeSeq } = board.chain;
  // Of two lives under one name nobody can know what the other one has not brought.
  if (ack.replicated >= afterSafe(board.chain, safeSeq) && !archive.wasAlone() && !board.card.isCloned)
    docket.accuse(
      'acked-not-replicated',
      atMs,
      who,
      `records up to ${ack.replicated} are called replicated, up to ${safeSeq} are on two disks`,
    );
  return true;
};

export const openRecords = (court: Court): Records => ({
  wrote: (atMs, board, record) => {
    const name = glanceName(unwrapped(record));
    if (name === null || name.board !== board.id) return;
    court.scene.hearsWrites = true;
    see(court, atMs, board, name, 'wrote');
  },
  pruned: (atMs, board, seq) => {
    const { safeSeq } = board.chain;
    if (seq <= safeSeq || board.card.isCloned || court.archive.wasAlone()) return;
    court.docket.accuse('pruned-too-early', atMs, board.id, `it let go of record ${seq}, up to ${safeSeq} are on two disks`);
  },
  heardBatch: (atMs, board, payload) => {
    const records = glanceBatch(payload);
    if (records === null) return false;
    for (const record of records) {
      const name = glanceName(record);
      if (name === null) return false;
      if (name.board !== board.id) continue;
      if (!see(court, atMs, board, name, 'heard')) return false;
      board.chain.heardSeq = Math.max(board.chain.heardSeq, name.seq);
    }
    return true;
  },
  heardAck: (atMs, gateway, board, payload) => examineAck(court, atMs, gateway, board, payload),
  kept: (atMs, gateway, body) => {
    const name = glanceName(body);
    if (name === null) return null;
    const board = court.scene.board(name.board);
    if (!see(court, atMs, board, name, 'heard')) return null;
    board.chain.heardSeq = Math.max(board.chain.heardSeq, name.seq);
    keep(gateway, board, name.seq);
    return name.mark;
  },
  forgot: (atMs, gateway, isUncertain) => {
    gateway.before.push(gateway.kept);
    gateway.kept = new Map();
    gateway.pairs = new Map();
    gateway.forgotMs = atMs;
    gateway.isUncertain = isUncertain;
  },
  lostWrites: ({ chain }) => {
    // What comes next may follow on any that was safe from this, or that was heard.
    chain.lastHash = null;
    if (chain.lastSeq <= chain.heardSeq) return;
    for (let seq = chain.heardSeq + 1; seq <= chain.lastSeq; seq++) chain.hashes.delete(seq);
    chain.marks.length = chain.heardSeq + 1;
    chain.leases.length = chain.heardSeq + 1;
    chain.firstMs.length = chain.heardSeq + 1;
    chain.lastSeq = chain.heardSeq;
  },
});
