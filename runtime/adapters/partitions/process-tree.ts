/** Processes by ancestry, read in one pass over /proc: the dev engine has no cgroup to ask. */
import { readdirSync } from 'node:fs';
import { statFields } from './state.ts';

/** USER_HZ is 100 on every Linux that Node runs on (asm-generic/param.h). */
const MICROS_A_TICK = 10_000n;
const PAGE_BYTES = 4096n;

interface Row {
  pid: number;
  parent: number;
  /** Its own time, and that of its children that it has waited for. */
  ownTicks: bigint;
  waitedTicks: bigint;
  residentPages: bigint;
}

export interface Usage {
  cpuMicros: bigint;
  memoryBytes: bigint;
  pids: number;
}

const rowOf = (pid: number): Row | null => {
  const fields = statFields(pid);
  if (fields === null) return null;
  const at = (index: number): bigint => BigInt(fields[index] ?? 0);
  return { pid, parent: Number(fields[1]), ownTicks: at(11) + at(12), waitedTicks: at(13) + at(14), residentPages: at(21) };
};

export class ProcessTree {
  readonly #children = new Map<number, Row[]>();
  readonly #rows = new Map<number, Row>();

  constructor() {
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const row = rowOf(Number(name));
      if (row === null) continue;
      this.#rows.set(row.pid, row);
      const siblings = this.#children.get(row.parent);
      if (siblings === undefined) this.#children.set(row.parent, [row]);
      else siblings.push(row);
    }
  }

  /**
   * Everything below a reaper, itself not counted except for the time of children it has waited for. Its direct child
   * only holds the namespaces, so it is metered but not a process of the instance.
   */
  usageBelow(pid: number): Usage {
    let ticks = this.#rows.get(pid)?.waitedTicks ?? 0n;
    let [pages, pids] = [0n, 0];
    for (const row of this.#below(pid)) {
      ticks += row.ownTicks + row.waitedTicks;
      pages += row.residentPages;
      if (row.parent !== pid) pids += 1;
    }
    return { cpuMicros: ticks * MICROS_A_TICK, memoryBytes: pages * PAGE_BYTES, pids };
  }

  parentOf(pid: number): number | null {
    return this.#rows.get(pid)?.parent ?? null;
  }

  /** Every process below one, itself included. */
  family(pid: number): number[] {
    return [pid, ...[...this.#below(pid)].map((row) => row.pid)];
  }

  *#below(pid: number): Generator<Row> {
    for (const row of this.#children.get(pid) ?? []) {
      yield row;
      yield* this.#below(row.pid);
    }
  }
}
