/**
 * Promise 5: a board keeps its programs running through any outage, stops them only for what it heard, and starts them
 * again by itself after a power cut or a crash.
 */
import type { Assignments } from './assignments.ts';
import type { Court } from './court.ts';
import type { Guard } from './guard.ts';
import type { EndReason } from './physics.ts';
import { type Awaited, type BoardCase, isStuck, type LeaseCase, type Run } from './scene.ts';

export interface Steady {
  began(atMs: number, board: BoardCase, lease: LeaseCase): void;
  ended(atMs: number, board: BoardCase, run: Run, why: EndReason): void;
  /** Called before power, card or way change, and at the end. */
  before(atMs: number, board: BoardCase): void;
  /** What the board was told has changed. */
  told(board: BoardCase): void;
  /** What the board remembers of what ran is not known any more. */
  excuse(board: BoardCase): void;
}

/** Before its runtime is there it boots: that is part of the time it takes. */
const canStart = (board: BoardCase, { mayLack }: Awaited): boolean =>
  board.isPowered && !board.isHung && !isStuck(board) && (board.canReach || !mayLack);

const spend = (board: BoardCase, awaited: Awaited, atMs: number): void => {
  if (canStart(board, awaited)) awaited.spentMs += atMs - awaited.sinceMs;
  awaited.sinceMs = atMs;
};

export const openSteady = (court: Court, assignments: Assignments, guard: Guard): Steady => {
  const { limits, docket } = court;
  const isLate = (atMs: number, board: BoardCase, { lease, spentMs }: Awaited): void => {
    if (spentMs > limits.restartMs)
      docket.accuse(
        'not-restarted',
        atMs,
        `${board.id} ${lease.id}`,
        `it did not begin again in ${spentMs} ms, the bound is ${limits.restartMs}`,
      );
  };
  return {
    began: (atMs, board, lease) => {
      const awaited = board.awaited.get(lease.id);
      if (awaited === undefined) return;
      spend(board, awaited, atMs);
      isLate(atMs, board, awaited);
      board.awaited.delete(lease.id);
    },
    ended: (atMs, board, { lease, content, sinceMs }, why) => {
      if (why === 'deadline' || (why === 'stopped' && !board.isParting)) {
        const isAsked =
          assignments.reasonToStop(board, lease, sinceMs) !== null ||
          assignments.mayFallBack(board, lease, atMs - sinceMs) ||
          assignments.mayBeTriedAgain(board, lease, content);
        if (!isAsked && !guard.isLapsing(atMs, lease))
          docket.accuse(
            'stopped-without-reason',
            atMs,
            `${board.id} ${lease.id}`,
            'it was stopped and nothing that the board heard asked for it',
          );
        return;
      }
      const { card } = board;
      // What was written last is gone with the power, and with it perhaps that it ran. A guarded one asks its guardians first.
      const isGuarded = lease.document?.guarded !== undefined;
      const isExcused =
        isGuarded || card.isRotten || card.isCloned || card.lostMs === atMs || assignments.reasonToStop(board, lease, sinceMs) !== null;
      const mayLack = (why === 'crashed' || why === 'oom') && assignments.mayFallBack(board, lease, 0);
      if (!isExcused) board.awaited.set(lease.id, { lease, mayLack, spentMs: 0, sinceMs: atMs });
    },
    before: (atMs, board) => {
      for (const awaited of board.awaited.values()) {
        spend(board, awaited, atMs);
        isLate(atMs, board, awaited);
      }
    },
    told: (board) => {
      for (const { lease } of board.awaited.values())
        if (assignments.reasonToStop(board, lease, Number.POSITIVE_INFINITY) !== null) board.awaited.delete(lease.id);
    },
    excuse: (board) => board.awaited.clear(),
  };
};
