/**
 * What kernels counted, and how much of it was forgotten for a reason: what a program used after the last record that was
 * durable goes with the power, and nothing else does.
 */
import type { Court } from './court.ts';
import { METERED, type Metered, type Use } from './glance.ts';
import type { Counted, EndReason } from './physics.ts';
import { type BoardCase, isStuck, type LeaseCase, type Run } from './scene.ts';

export interface Runs {
  began(atMs: number, board: BoardCase, lease: LeaseCase, content: string): void;
  /** Null: it did not run as far as anybody knows. */
  ended(atMs: number, board: BoardCase, lease: LeaseCase, why: EndReason, used: Counted): Run | null;
  /** The power of a board went, or only its runtime. */
  forgets(board: BoardCase, what: 'power' | 'runtime'): void;
}

const BYTE_MS_PER_MIB_S = 1_048_576n * 1000n;

/** In the units of the registers; parts of a MiB·s are left out. */
export const useOf = (counted: Counted, ranMs: number): Use => ({
  wallMs: BigInt(Math.round(ranMs)),
  cpuMicros: counted.cpuMicros,
  memoryMibS: counted.memoryByteMs / BYTE_MS_PER_MIB_S,
  netInBytes: counted.netInBytes,
  netOutBytes: counted.netOutBytes,
  diskBytes: counted.diskBytes,
  // No virtual card holds /data to a size, so none is counted.
  diskMibS: 0n,
});

const add = (to: Use, more: Use): void => {
  for (const name of METERED) to[name] += more[name];
};

/** They have no counter in the kernel: what passed while no runtime looked is known to nobody. */
const SUMMED: readonly Metered[] = ['wallMs', 'memoryMibS'];

const forget = ({ counted, last, lost }: LeaseCase, names: readonly Metered[]): void => {
  for (const name of names) {
    const gone = counted[name] - last[name];
    if (gone > lost[name]) lost[name] = gone;
  }
};

/** A program whose board could have written a record and did not for too long loses more than it may. */
const examineRecency = (court: Court, atMs: number, board: BoardCase, lease: LeaseCase, sinceMs: number): void => {
  const { limits, scene, docket } = court;
  // The runtime goes with the power, and may be told to have gone first.
  const wasUp = board.isUp || board.downMs === atMs;
  if (!scene.hearsWrites || !wasUp || board.isHung || isStuck(board) || board.card.isCloned || board.card.lostMs !== null) return;
  const quietMs = atMs - Math.max(sinceMs, lease.lastMs, board.upMs, board.wokeMs, board.roomMs);
  if (quietMs > limits.recordMs + 2 * limits.meterMs + limits.stepMs)
    docket.accuse(
      'usage-lost',
      atMs,
      lease.id,
      `the power went ${quietMs} ms after the last record, one is due each ${limits.recordMs} ms`,
    );
};

export const openRuns = (court: Court): Runs => ({
  began: (atMs, board, lease, content) => {
    board.running.set(lease.id, { lease, content, sinceMs: atMs });
    board.leases.add(lease);
    lease.board ??= board;
    lease.runs++;
    lease.present = null;
  },
  ended: (atMs, board, lease, why, used) => {
    const run = board.running.get(lease.id);
    if (run === undefined) return null;
    board.running.delete(lease.id);
    lease.ranMs += atMs - run.sinceMs;
    lease.overMs = atMs;
    lease.present = null;
    add(lease.counted, useOf(used, atMs - run.sinceMs));
    if (why === 'power') {
      examineRecency(court, atMs, board, lease, run.sinceMs);
      forget(lease, METERED);
    } else if (!board.isUp || board.isHung) forget(lease, SUMMED);
    return run;
  },
  forgets: (board, what) => {
    for (const lease of board.leases) {
      if (lease.isClosed || board.running.has(lease.id)) continue;
      forget(lease, what === 'power' ? METERED : SUMMED);
    }
  },
});
