/**
 * Promises 1 and 2 in the end, when every wish was withdrawn and the world had its time: nothing runs any more, and no board
 * holds a record that it could have brought.
 */
import type { Signed } from './archive.ts';
import type { Court } from './court.ts';
import type { Logs } from './logs.ts';
import { type BoardCase, type GatewayCase, isGood, isThere, type LeaseCase, wasWell } from './scene.ts';
import { hasRevoked, isBarred, isOnDisk } from './settlement.ts';

/** It runs, and its word counts, for long enough. */
const isSettled = ({ limits }: Court, atMs: number, gateway: GatewayCase): boolean =>
  isThere(gateway) && isGood(gateway) && gateway.upMs <= atMs - limits.restMs;

/** Where a board was at home for so long, while nothing was in its way; null: it was not. Of two lives under one name nobody knows. */
const steadyHome = (court: Court, atMs: number, board: BoardCase): GatewayCase | null => {
  const sinceMs = atMs - court.limits.restMs;
  const { home, homeMs, card } = board;
  if (home === null || homeMs > sinceMs || card.isCloned || !wasWell(board, sinceMs, atMs)) return null;
  return isSettled(court, atMs, home) ? home : null;
};

/** The last word of its tenant, if that is that it is to be no more. */
const withdrawal = ({ archive }: Court, { document }: LeaseCase): Signed<unknown> | null => {
  const asked = document === null ? [] : archive.requestsOf(document.request);
  const [last] = [...asked].sort((a, b) => b.value.sequence - a.value.sequence);
  return last?.value.state === 'destroyed' ? last : null;
};

const examineRuns = (court: Court, logs: Logs, atMs: number, board: BoardCase): void => {
  const { docket, limits } = court;
  const home = steadyHome(court, atMs, board);
  if (home === null) return;
  for (const { lease } of board.running.values()) {
    const last = withdrawal(court, lease);
    if (last === null) continue;
    const who = `${board.id} ${lease.id}`;
    const sinceMs = logs.heldSince(last.hash, home);
    // What one gateway took and no other had heard of yet may have died with it; what nobody took its board's home could have taken.
    if (sinceMs === null && !logs.wasHeld(last.hash))
      docket.accuse('runs-on', atMs, who, 'no gateway took the word that it is to be no more');
    if (sinceMs === null || sinceMs > atMs - limits.restMs) continue;
    docket.accuse('runs-on', atMs, who, `${atMs - sinceMs} ms after its board's home came to know that it is to be no more`);
  }
};

/** Records count as replicated when somebody else holds them, too: a federation of one has nobody else. */
const canReplicate = (court: Court, atMs: number, board: BoardCase, home: GatewayCase): boolean => {
  const isClear = (gateway: GatewayCase): boolean => gateway.forgotMs === null && !isBarred(court, board, gateway);
  if (!isClear(home)) return false;
  if (court.archive.wasAlone()) return true;
  return [...court.scene.gateways.values()].some(
    (peer) => peer !== home && isSettled(court, atMs, peer) && isClear(peer) && !home.apart.has(peer.id),
  );
};

/** What came before lies on the disk of somebody: else whatever follows on it is not taken by anybody. (metering-5) */
const isUnbroken = (court: Court, board: BoardCase, upTo: number): boolean => {
  const { leftOut } = board.chain;
  for (let seq = 1; seq < upTo; seq++) {
    const leap = leftOut.get(seq);
    if (leap !== undefined) seq = leap;
    else if (!isOnDisk(court, board, seq, 'up')) return false;
  }
  return true;
};

const examineOutbox = (court: Court, atMs: number, board: BoardCase): void => {
  const { chain } = board;
  const late = chain.left.filter((seq) => (chain.firstMs[seq] ?? atMs) <= atMs - court.limits.restMs);
  const first = Math.min(...late);
  const home = steadyHome(court, atMs, board);
  if (late.length === 0 || home === null || chain.forkSeq !== null || hasRevoked(court, board)) return;
  if (!canReplicate(court, atMs, board, home) || !isUnbroken(court, board, first)) return;
  court.docket.accuse(
    'never-delivered',
    atMs,
    board.id,
    `it holds ${late.length} of its records still, the first is ${first} of ${chain.lastSeq}`,
  );
};

export const examineLeftovers = (court: Court, logs: Logs, atMs: number): void => {
  for (const board of court.scene.boards.values()) {
    examineRuns(court, logs, atMs, board);
    examineOutbox(court, atMs, board);
  }
};
