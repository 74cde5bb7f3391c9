/**
 * Promise 6, seen from the boards: one that can reach a gateway finds a home in time. When a session ends is seen by
 * nobody, so the time runs only from moments at which it is certain that there is none: a new life, a way that was gone
 * for longer than any session lasts, a gateway that ended.
 */
import { rendezvous } from '../../runtime/protocol/rendezvous.ts';
import type { Court } from './court.ts';
import { type BoardCase, canSettle, type GatewayCase, isGood, isThere } from './scene.ts';

export interface Homing {
  /** Power, runtime, card or way of a board have changed. */
  changed(atMs: number, board: BoardCase): void;
  /** Its session is certainly over. */
  lost(atMs: number, board: BoardCase): void;
  /** A gateway ended, or cannot be a home any more. */
  gatewayLost(atMs: number, gateway: GatewayCase): void;
  heardNow(atMs: number, board: BoardCase, gateway: GatewayCase): void;
  finish(atMs: number): void;
}

/** A board tries the first three by rendezvous on its id (the protocol's homing). */
const HOMES = 3;

/** Since when one of the homes that it tries could have taken it in; null: never for certain. */
const possibleSince = ({ scene, archive, crypto }: Court, board: BoardCase): number | null => {
  let sinceMs = 0;
  for (const serving of archive.serving()) {
    let firstMs = Number.POSITIVE_INFINITY;
    for (const id of rendezvous(crypto, board.id, serving).slice(0, HOMES)) {
      const gateway = scene.gateways.get(id);
      const pairedMs = gateway?.pairs.get(board.id);
      if (gateway === undefined || pairedMs === undefined || !isThere(gateway) || !isGood(gateway)) continue;
      firstMs = Math.min(firstMs, Math.max(gateway.upMs, pairedMs));
    }
    // It may go by an older document of its operator's.
    sinceMs = Math.max(sinceMs, firstMs);
  }
  return Number.isFinite(sinceMs) ? sinceMs : null;
};

export const openHoming = (court: Court): Homing => {
  const { scene, limits, docket } = court;
  const { tally } = docket;
  const conclude = (atMs: number, board: BoardCase, isHomed: boolean): void => {
    const { seeksMs } = board;
    board.seeksMs = null;
    if (seeksMs === null || board.card.isCloned || atMs - seeksMs <= Math.min(limits.rehomeMs, tally.worstRehomeMs)) return;
    const possibleMs = possibleSince(court, board);
    if (possibleMs === null) return;
    const tookMs = atMs - Math.max(seeksMs, possibleMs);
    if (isHomed) tally.worstRehomeMs = Math.max(tally.worstRehomeMs, tookMs);
    if (tookMs <= limits.rehomeMs) return;
    tally.worstRehomeMs = Math.max(tally.worstRehomeMs, tookMs);
    docket.accuse(
      'not-rehomed',
      atMs,
      board.id,
      `it could reach a gateway for ${tookMs} ms and heard no welcome, the bound is ${limits.rehomeMs}`,
    );
  };
  const seek = (atMs: number, board: BoardCase): void => {
    if (!canSettle(board)) conclude(atMs, board, false);
    else if (board.home === null) board.seeksMs ??= atMs;
  };
  const lost = (atMs: number, board: BoardCase): void => {
    board.home = null;
    board.isHomeSure = false;
    seek(atMs, board);
  };
  return {
    changed: seek,
    lost,
    gatewayLost: (atMs, gateway) => {
      for (const board of scene.boards.values()) if (board.home === gateway) lost(atMs, board);
    },
    heardNow: (atMs, board, gateway) => {
      conclude(atMs, board, true);
      board.welcomeMs = atMs;
      // Of a gateway that ended while its word was on the way nothing more will come.
      // The documents of operators may be told anew within a session.
      if (board.home !== gateway) board.homeMs = atMs;
      board.home = gateway.state === 'up' ? gateway : null;
      board.isHomeSure = board.home !== null;
      seek(atMs, board);
    },
    finish: (atMs) => {
      for (const board of scene.boards.values()) conclude(atMs, board, false);
    },
  };
};
