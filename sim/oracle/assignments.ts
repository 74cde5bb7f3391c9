/**
 * What each board was told to run. What it heard may have reached it at the wrong moment and been passed over, so there
 * are two degrees: what it may know excuses what it does, and only what it certainly knows is held against it.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { type Desired, desiredNoun } from '../../runtime/protocol/nouns/lease.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import { believing, orNull } from './archive.ts';
import { asksForLease } from './asked.ts';
import type { Court } from './court.ts';
import { METERED, markOf, type Use } from './glance.ts';
import { priceMicro } from './price.ts';
import { type BoardCase, isStuck, type LeaseCase, type Told } from './scene.ts';

export interface Assignments {
  /** False: not what an assignment is. */
  heardDesired(atMs: number, gateway: string, board: BoardCase, payload: Bytes): boolean;
  heardNow(gateway: string, board: BoardCase): void;
  heardHello(board: BoardCase): void;
  /** A board said something at a gateway that it says in a session only. */
  heardInSession(atMs: number, board: BoardCase, gateway: string): void;
  /** Why a program that ran since then may be stopped; null: for no reason that the board can know. */
  reasonToStop(board: BoardCase, lease: LeaseCase, sinceMs: number): string | null;
  /** It may have been stopped, after so long, for the release that its request names in its place. */
  mayFallBack(board: BoardCase, lease: LeaseCase, ranMs: number): boolean;
  /** What ran in the place of its release may make way for that again, as its tenant has asked once more. */
  mayBeTriedAgain(board: BoardCase, lease: LeaseCase, content: string): boolean;
}

/** The session is over, and what was last said in it may not have been taken. */
export const endSession = (board: BoardCase): void => {
  board.session = null;
  board.unsureMs = null;
};

/** It may have forgotten what it was told last. */
export const forgetAssignments = (board: BoardCase): void => {
  board.tenure = 0;
  board.seq = 0;
  for (const told of board.told.values()) told.unwanted = null;
};

const asksToStop = (request: Request, lease: LeaseCase): boolean => {
  const { document } = lease;
  const { state, replicas } = request;
  return state !== 'started' || (document !== null && (document.index >= replicas || !asksForLease(request, hex(document.release))));
};

const newTold = (): Told => ({
  ...{ requests: new Map(), request: '', isListed: false, droppedMs: Number.NEGATIVE_INFINITY, unwanted: null },
  ...{ desired: [], isAssigned: false },
});

const list = (court: Court, atMs: number, board: BoardCase, desired: Desired, payload: Bytes): void => {
  const isStale = desired.tenure < board.tenure || (desired.tenure === board.tenure && desired.seq < board.seq);
  const listed = new Set<string>();
  for (const { lease: document, request } of desired.leases) {
    const lease = court.archive.lease(document);
    if (lease === null) continue;
    listed.add(lease.id);
    const told = board.told.get(lease.id) ?? newTold();
    board.told.set(lease.id, told);
    const hash = hex(request);
    if (!told.requests.has(hash)) told.requests.set(hash, atMs);
    if (!told.isAssigned) told.desired.splice(1, 1, payload.slice());
    if (isStale) continue;
    told.request = hash;
    told.isListed = true;
    told.unwanted = null;
  }
  if (isStale) return;
  for (const [id, told] of board.told) {
    if (listed.has(id) || !told.isListed) continue;
    told.isListed = false;
    told.droppedMs = atMs;
  }
  board.tenure = desired.tenure;
  board.seq = desired.seq;
};

/** The session went on long enough: what was assigned in it was taken, and what it names was fetched. */
const confirm = (court: Court, board: BoardCase): void => {
  for (const [id, told] of board.told) {
    const request = court.archive.request(told.request);
    const isStopped = request !== undefined && asksToStop(request.value, court.scene.lease(id));
    told.unwanted = !told.isListed ? 'dropped' : isStopped ? 'stopped' : null;
  }
};

/** What the lease may have come to, as far as the physics and its records go: a cap is reached by what is metered. */
const reachedCap = ({ limits }: Court, lease: LeaseCase): boolean => {
  const { document, counted, last, runs } = lease;
  if (document === null) return false;
  const slackMs = BigInt(runs * limits.stepMs);
  const slackMibS = (BigInt(document.limits.memoryMib) * (slackMs + BigInt(runs * limits.meterMs))) / 1000n;
  const most: Use = { ...counted, wallMs: counted.wallMs + slackMs, memoryMibS: counted.memoryMibS + slackMibS };
  for (const name of METERED) if (last[name] > most[name]) most[name] = last[name];
  return priceMicro(most, document.rates) >= document.capMicro;
};

/** The newest of a lease's requests that the board was told of, by the number that its tenant gave it. */
const newestOf = (court: Court, told: Told): Request | null => {
  let newest: Request | null = null;
  for (const hash of told.requests.keys()) {
    const request = court.archive.request(hash)?.value ?? null;
    if (request !== null && (newest === null || request.sequence > newest.sequence)) newest = request;
  }
  return newest;
};

/** Of the requests that it was told of one lets it begin anew that another did not. */
const asksAnew = (court: Court, told: Told): boolean => {
  const bangs = new Set([...told.requests.keys()].flatMap((hash) => court.archive.request(hash)?.value.bang ?? 0));
  return bangs.size > 1;
};

const reasonOf = (court: Court, board: BoardCase, lease: LeaseCase, sinceMs: number): string | null => {
  const told = board.told.get(lease.id);
  if (board.card.isCloned || board.card.isDead) return 'its card';
  if (told === undefined) return 'never assigned';
  // It may have begun when the word to stop was on its way through the board.
  const lateMs = sinceMs - court.limits.stepMs;
  if (!told.isListed || told.droppedMs >= lateMs) return 'not assigned any more';
  const newest = newestOf(court, told);
  if (newest !== null && asksToStop(newest, lease)) return 'not requested any more';
  for (const [hash, heardMs] of told.requests) {
    const request = court.archive.request(hash);
    if (heardMs >= lateMs && request !== undefined && asksToStop(request.value, lease)) return 'not requested for a while';
  }
  if (lease.isClosed) return 'closed';
  if (asksAnew(court, told)) return 'to begin anew';
  return reachedCap(court, lease) ? 'cap' : null;
};

/** Whether promises held only the board knows; how long it may wait for them, and watch them, all know. */
const fallsBack = (court: Court, board: BoardCase, { id, document }: LeaseCase, ranMs: number): boolean => {
  const told = board.told.get(id);
  // Whichever of those that it was told of it goes by.
  const bakes = [...(told?.requests.keys() ?? [])].flatMap((hash) => court.archive.request(hash)?.value.fallback?.bakeMs ?? []);
  const manifest = document === null ? undefined : court.archive.manifest(hex(document.release));
  if (bakes.length === 0 || manifest === undefined) return false;
  const waits = manifest.value.promises.map(({ graceMs, timeoutMs, intervalMs }) => graceMs + timeoutMs + intervalMs);
  return ranMs <= Math.max(...bakes) + 2 * Math.max(0, ...waits) + court.limits.stepMs;
};

export const openAssignments = (court: Court): Assignments => {
  const trusting = believing(court.crypto);
  return {
    heardDesired: (atMs, gateway, board, payload) => {
      const mark = markOf(payload);
      // Said again: nothing in it is new, and in a new session it is certain anew.
      // What cannot be written cannot be taken either.
      const isTaken = board.session === gateway && !isStuck(board);
      if (mark === board.desiredMark) {
        if (isTaken) board.unsureMs ??= atMs;
        return true;
      }
      const desired = orNull(() => unseal(trusting, desiredNoun, payload).value);
      if (desired === null) return false;
      if (desired.board !== board.id || desired.gateway !== gateway) return true;
      list(court, atMs, board, desired, payload);
      board.desiredMark = mark;
      board.unsureMs = isTaken ? atMs : null;
      return true;
    },
    heardNow: (gateway, board) => {
      // The operators' documents may be told again within a session.
      if (board.session !== gateway) board.unsureMs = null;
      board.session = gateway;
    },
    heardHello: endSession,
    heardInSession: (atMs, board, gateway) => {
      if (board.unsureMs === null || board.session !== gateway || atMs - board.unsureMs < court.limits.confirmMs) return;
      board.unsureMs = null;
      confirm(court, board);
    },
    reasonToStop: (board, lease, sinceMs) => reasonOf(court, board, lease, sinceMs),
    mayBeTriedAgain: (board, { id, document }, content) =>
      document !== null && content !== hex(document.release) && (board.told.get(id)?.requests.size ?? 0) > 1,
    mayFallBack: (board, lease, ranMs) => fallsBack(court, board, lease, ranMs),
  };
};
