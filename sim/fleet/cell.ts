/** One partition of the virtual kernel: what runs in it, and what it uses. */
import type { Exit, PartitionSpec } from '../../runtime/ports/partitions.ts';
import type { Resident } from '../hardware/memory.ts';
import type { Counted } from '../oracle/physics.ts';
import type { Behaviour } from '../scenario/scenario.ts';

const MIB = 1_048_576;
/** Of a program that leaks. */
const LEAK_MIB_PER_S = 1;

export interface Cell {
  spec: PartitionSpec;
  behaviour: Behaviour;
  running: boolean;
  exit: Exit | null;
  beganMs: number;
  /** How long it ran, once it is over. */
  saidMs: number;
  /** By the board's monotonic clock; null: none. */
  deadlineMonoMs: number | null;
  /** Takes back what kills it then. */
  disarm: () => void;
  /** Up to when it is summed up. */
  atMs: number;
  used: { cpuMicros: number; memoryByteMs: number; netInBytes: number; netOutBytes: number; diskBytes: number };
  leaksFromMs: number | null;
  undo: (() => void)[];
}

/** Thousandths of a core are micros of CPU for each ms. */
export const cpuOf = ({ behaviour, spec }: Cell): number => Math.min(behaviour.uses.cpuMillis, spec.limits.cpuMillis);

/** It may want more than its limit; then it is killed. */
const wantedMibOf = ({ behaviour, leaksFromMs }: Cell, atMs: number): number =>
  behaviour.uses.memoryMib + (leaksFromMs === null ? 0 : ((atMs - leaksFromMs) * LEAK_MIB_PER_S) / 1000);

/** What it has is never more. */
export const memoryBytesOf = (cell: Cell, atMs: number): number =>
  Math.round(Math.min(cell.spec.limits.memoryMib, wantedMibOf(cell, atMs)) * MIB);

export const residentsOf = (cells: ReadonlyMap<string, Cell>, atMs: number): Resident[] =>
  [...cells].flatMap(([id, cell]) => {
    if (!cell.running) return [];
    const growsMibPerS = cell.leaksFromMs === null ? 0 : LEAK_MIB_PER_S;
    return { id, usedMib: wantedMibOf(cell, atMs), limitMib: cell.spec.limits.memoryMib, growsMibPerS };
  });

export const whole = (value: number): bigint => BigInt(Math.floor(value));

export const countedOf = ({ used }: Cell): Counted => ({
  cpuMicros: whole(used.cpuMicros),
  memoryByteMs: whole(used.memoryByteMs),
  netInBytes: whole(used.netInBytes),
  netOutBytes: whole(used.netOutBytes),
  diskBytes: whole(used.diskBytes),
});
