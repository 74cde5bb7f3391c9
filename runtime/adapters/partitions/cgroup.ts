/**
 * One partition's cgroups. The board owns `lichen-<board>/<partition>`, which outlives the workload so that its
 * counters do; below it `c` is made by the OCI runtime for the workload and `m` holds the reaper, so that what a
 * workload makes its reaper do (a flood of log lines) is metered and throttled with it.
 *
 * Memory and pids are limited on `c` and not on the parent: an out-of-memory kill must never choose the reaper.
 */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import type { Layout } from './cgroup-layout.ts';
import { boardName } from './names.ts';
import { until } from './run.ts';
import { list, readText } from './state.ts';

export const WORKLOAD = 'c';
export const REAPER = 'm';
/** How long processes may take to vanish after SIGKILL; only one stuck in the kernel takes longer. */
const KILL_LIMIT_MS = 10_000;
const REAPER_LIMIT_MS = 2_000;
const PERIOD_MICROS = 100_000;

const numbersIn = (text: string | null): number[] => (text ?? '').split('\n').filter(Boolean).map(Number);

const removeGroup = (path: string): boolean => {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
};

export class PartitionCgroup {
  /** Below every tree's root, without a leading slash. */
  readonly path: string;
  readonly #layout: Layout;

  constructor(layout: Layout, board: string, partition: string) {
    this.#layout = layout;
    this.path = `${boardName(board)}/${partition}`;
  }

  /** Directory of the parent group in a controller's tree; `null` where the kernel lacks the controller. */
  directory(controller: 'cpu' | 'cpuacct' | 'memory' | 'pids'): string | null {
    const tree = this.#layout.controllers.get(controller);
    return tree === undefined ? null : `${tree}/${this.path}`;
  }

  exists(): boolean {
    const directory = this.directory('cpuacct');
    return directory !== null && readText(`${directory}/cgroup.procs`) !== null;
  }

  create(): void {
    const [tree] = this.#layout.trees;
    if (this.#layout.version === 2 && tree !== undefined) {
      const wanted = [...this.#layout.controllers.keys()].filter((name) => name !== 'cpuacct').map((name) => `+${name}`);
      if (this.#layout.io) wanted.push('+io');
      const levels = [tree, `${tree}/${this.path.split('/')[0]}`, `${tree}/${this.path}`];
      for (const level of levels) {
        mkdirSync(level, { recursive: true });
        writeFileSync(`${level}/cgroup.subtree_control`, wanted.join(' '));
      }
    }
    for (const directory of this.#reaperGroups()) mkdirSync(directory, { recursive: true });
    for (const controller of this.#layout.controllers.keys()) mkdirSync(this.directory(controller) ?? '', { recursive: true });
  }

  /** On the parent: the reaper shares the quota. Where all want more than there is, each gets by what it was promised. */
  limitCpu(cpuMillis: number): void {
    const directory = this.directory('cpu');
    if (directory === null) return;
    const quota = Math.max(1_000, Math.round((cpuMillis * PERIOD_MICROS) / 1_000));
    // A whole core weighs what the kernel gives to a group of which nobody says anything.
    const weight = (whole: number, least: number, most: number): string =>
      String(Math.min(most, Math.max(least, Math.round((cpuMillis * whole) / 1_000))));
    if (this.#layout.version === 2) {
      writeFileSync(`${directory}/cpu.max`, `${quota} ${PERIOD_MICROS}`);
      writeFileSync(`${directory}/cpu.weight`, weight(100, 1, 10_000));
    } else {
      writeFileSync(`${directory}/cpu.shares`, weight(1_024, 2, 262_144));
      writeFileSync(`${directory}/cpu.cfs_period_us`, String(PERIOD_MICROS));
      writeFileSync(`${directory}/cpu.cfs_quota_us`, String(quota));
    }
  }

  /** On the parent: what is written back after the workload has ended was its own. `line` is of card.ts. */
  limitIo(line: string): void {
    const directory = this.directory('cpuacct');
    if (directory !== null && this.#layout.io) writeFileSync(`${directory}/io.max`, line);
  }

  adoptReaper(pid: number): void {
    for (const directory of this.#reaperGroups()) writeFileSync(`${directory}/cgroup.procs`, String(pid));
  }

  processes(): number[] {
    const directory = this.directory('pids') ?? this.directory('cpuacct');
    return numbersIn(readText(`${directory}/${WORKLOAD}/cgroup.procs`));
  }

  /** Processes that the kernel killed in the workload's group for want of memory. */
  memoryKills(): number {
    const directory = this.directory('memory');
    if (directory === null) return 0;
    const file = this.#layout.version === 2 ? 'memory.events' : 'memory.oom_control';
    const count = /^oom_kill (\d+)/m.exec(readText(`${directory}/${WORKLOAD}/${file}`) ?? '')?.[1];
    return count === undefined ? 0 : Number(count);
  }

  /** What the workload wrote and the kernel has not yet: it will be counted when it is. v2 only. */
  unwrittenBytes(): number {
    const stat = readText(`${this.directory('memory')}/${WORKLOAD}/memory.stat`) ?? '';
    return [...stat.matchAll(/^file_(?:dirty|writeback) (\d+)/gm)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
  }

  /** The first process is the init of a pid namespace: its death is everyone's. The loop is for whatever is not in there. */
  async kill(): Promise<boolean> {
    return until(() => {
      const pids = this.processes();
      for (const pid of pids) this.#end(pid);
      return pids.length === 0;
    }, KILL_LIMIT_MS);
  }

  /** For a reaper that nobody can name any more. Once its workload is gone it ends by itself, with its exit file whole. */
  async endReaper(): Promise<void> {
    const left = (): number[] => this.#reaperGroups().flatMap((directory) => numbersIn(readText(`${directory}/cgroup.procs`)));
    if (await until(() => left().length === 0, REAPER_LIMIT_MS)) return;
    for (const pid of left()) this.#end(pid);
  }

  /** Takes `c` away in every tree, so that the next workload begins with fresh limits; the parent's counters stay. */
  removeWorkload(): Promise<boolean> {
    return until(() => this.#layout.trees.every((tree) => removeGroup(`${tree}/${this.path}/${WORKLOAD}`)), 2_000);
  }

  async remove(): Promise<boolean> {
    const gone = await until(
      () =>
        this.#layout.trees.every((tree) =>
          [WORKLOAD, REAPER, '.'].every((name) => removeGroup(`${tree}/${this.path}/${name}`.replace(/\/\.$/, ''))),
        ),
      2_000,
    );
    // The board's own group goes with its last partition; while others are in it, this does nothing.
    for (const tree of this.#layout.trees) removeGroup(`${tree}/${this.path.split('/')[0]}`);
    return gone;
  }

  /** v1 needs the reaper only where time is counted and throttled; its memory is the runtime's own. */
  #reaperGroups(): string[] {
    const controllers = this.#layout.version === 2 ? (['cpuacct'] as const) : (['cpu', 'cpuacct'] as const);
    return [...new Set(controllers.flatMap((name) => this.directory(name) ?? []))].map((directory) => `${directory}/${REAPER}`);
  }

  #end(pid: number): void {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended between the listing and now.
    }
  }
}

/** Partitions of this board of which the kernel still has a cgroup. */
export const partitionsWithCgroups = (layout: Layout, board: string): string[] => [
  ...new Set(layout.trees.flatMap((tree) => list(`${tree}/${boardName(board)}`))),
];
