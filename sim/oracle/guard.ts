/**
 * Promise 4, of guarded leases: what runs under one is over once no majority of its guardians has renewed it for as long as
 * the lease says, it is not ended while one does, and where one could it runs.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { grantNoun, renewalNoun } from '../../runtime/protocol/nouns/grant.ts';
import type { Guarded } from '../../runtime/protocol/nouns/lease.ts';
import { believing, orNull } from './archive.ts';
import type { Assignments } from './assignments.ts';
import type { Court } from './court.ts';
import { type BoardCase, canSettle, type GatewayCase, isGood, isThere, type LeaseCase, newestOf } from './scene.ts';

export interface Guard {
  /** False: not what a renewal is. */
  heardRenewal(atMs: number, board: BoardCase, payload: Bytes): boolean;
  heardGrant(atMs: number, board: BoardCase, payload: Bytes): boolean;
  began(atMs: number, board: BoardCase, lease: LeaseCase): void;
  ended(atMs: number, board: BoardCase, lease: LeaseCase): void;
  /** Whether the board has reason to end what runs under it: it was not renewed of late. */
  isLapsing(atMs: number, lease: LeaseCase): boolean;
  /** A board has said something in a session: what it was given to run is looked at. */
  look(atMs: number, board: BoardCase): void;
  /** What may keep guardians from renewing has changed. */
  changed(): void;
  finish(atMs: number): void;
}

const MILLION = 1_000_000;
/** Two renewals may be lost, and not more is asked for than a third of the lease. */
const RENEWALS = 3;

const guardedOf = ({ document }: LeaseCase): Guarded | undefined => document?.guarded;

/** Of the renewals that guardians granted: when that of the last one that makes a majority was heard; null: there is none. */
const renewedMs = ({ guardians }: Guarded, { grantedMs }: LeaseCase): number | null => {
  const heard = guardians.flatMap((guardian) => grantedMs.get(guardian) ?? []).sort((a, b) => b - a);
  return heard[Math.floor(guardians.length / 2)] ?? null;
};

/** By then nothing of it may run: the board asked before it was heard, and its clock may go slow. */
const endMs = (guarded: Guarded, lease: LeaseCase, driftPpm: number): number => {
  const sinceMs = renewedMs(guarded, lease);
  return sinceMs === null ? Number.NEGATIVE_INFINITY : sinceMs + guarded.leaseMs * (1 + (2 * driftPpm) / MILLION) + LIMITS.killMs;
};

const hear = (a: GatewayCase, b: GatewayCase): boolean => a === b || !a.apart.has(b.id);

/** A majority of them is there and hears the board's home; one that lost its store may not know any more what it granted. */
const isHeld = ({ scene }: Court, { guardians }: Guarded, home: GatewayCase): boolean => {
  const well = guardians
    .map((id) => scene.gateway(id))
    .filter((gateway) => isThere(gateway) && isGood(gateway) && gateway.forgotMs === null && hear(gateway, home));
  return well.length > guardians.length / 2 && well.every((one) => well.every((other) => hear(one, other)));
};

export const openGuard = (court: Court, assignments: Assignments): Guard => {
  const { limits, docket, scene } = court;
  const trusting = believing(court.crypto);
  /** Nonce → when the renewal was first heard. */
  const renewals = new Map<string, number>();
  /** Leases that could run and do not, and since when. */
  const idle = new Map<LeaseCase, number>();

  const examine = (atMs: number, board: BoardCase, lease: LeaseCase): void => {
    const guarded = guardedOf(lease);
    if (guarded === undefined || board.card.isCloned) return;
    const overMs = atMs - endMs(guarded, lease, limits.driftPpm);
    if (overMs > 0) docket.accuse('ran-unguarded', atMs, lease.id, `it ran on ${board.id} and no majority of its guardians renewed it`);
  };

  /** It is given to the board, nothing speaks against it, and everybody who is needed is well. */
  const couldRun = (board: BoardCase, lease: LeaseCase, guarded: Guarded): boolean => {
    const { home, card } = board;
    if (!canSettle(board) || home === null || !board.isHomeSure || !isThere(home) || !isGood(home)) return false;
    if (card.isCloned || card.isRotten || card.lostMs !== null || newestOf(scene, lease) !== lease) return false;
    return isHeld(court, guarded, home) && assignments.reasonToStop(board, lease, Number.POSITIVE_INFINITY) === null;
  };

  const lookAt = (atMs: number, board: BoardCase, lease: LeaseCase, guarded: Guarded): void => {
    if (board.running.has(lease.id) || !couldRun(board, lease, guarded)) {
      idle.delete(lease);
      return;
    }
    const sinceMs = Math.max(idle.get(lease) ?? atMs, board.wellMs ?? atMs, board.homeMs);
    idle.set(lease, sinceMs);
    if (atMs - sinceMs > limits.resumeMs)
      docket.accuse('guarded-not-run', atMs, lease.id, `it did not run on ${board.id} for ${atMs - sinceMs} ms, though it could have`);
  };

  return {
    heardRenewal: (atMs, board, payload) => {
      const renewal = orNull(() => unseal(trusting, renewalNoun, payload).value);
      if (renewal === null) return false;
      const nonce = `${board.id} ${hex(renewal.nonce)}`;
      if (!renewals.has(nonce)) renewals.set(nonce, atMs);
      return true;
    },
    heardGrant: (atMs, board, payload) => {
      const grant = orNull(() => unseal(trusting, grantNoun, payload).value);
      if (grant === null) return false;
      const heardMs = renewals.get(`${board.id} ${hex(grant.nonce)}`);
      for (const id of heardMs === undefined ? [] : grant.leases) {
        const lease = scene.lease(id);
        if (board.running.has(id)) examine(atMs, board, lease);
        lease.grantedMs.set(grant.guardian, Math.max(heardMs ?? 0, lease.grantedMs.get(grant.guardian) ?? 0));
      }
      return true;
    },
    began: (atMs, board, lease) => {
      idle.delete(lease);
      examine(atMs, board, lease);
    },
    ended: examine,
    isLapsing: (atMs, lease) => {
      const guarded = guardedOf(lease);
      if (guarded === undefined) return false;
      const sinceMs = renewedMs(guarded, lease);
      return sinceMs === null || atMs - sinceMs > guarded.leaseMs / RENEWALS;
    },
    look: (atMs, board) => {
      for (const id of board.told.keys()) {
        const lease = scene.lease(id);
        const guarded = guardedOf(lease);
        if (guarded !== undefined) lookAt(atMs, board, lease, guarded);
      }
    },
    changed: () => idle.clear(),
    finish: (atMs) => {
      for (const board of scene.boards.values()) for (const { lease } of board.running.values()) examine(atMs, board, lease);
    },
  };
};
