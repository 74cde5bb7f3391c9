/** The board's runtime as a process of its own, seen through its log, its `--status` and its directory. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type ErrorCode, LichenError } from '../../runtime/protocol/errors.ts';
import type { BoardId } from '../../runtime/protocol/ids.ts';
import { type BoardSetup, startBoard, statusOfBoard } from '../../sim/harness/board.ts';
import type { Process } from '../../sim/harness/processes.ts';
import { removeInstances } from '../../sim/harness/sweep.ts';
import { until } from '../../sim/harness/wait.ts';
import { PATIENCE_MS } from './gateway.ts';
import { type Person, person } from './person.ts';

const RUNTIME = fileURLToPath(new URL('../../runtime/main.ts', import.meta.url));
// Half of what such a short run takes is reading its own source.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('../../node_modules/.cache/outside', import.meta.url));
const PACES = { 'tick-ms': 50, 'meter-ms': 200, 'record-ms': 60_000, 'report-ms': 500, 'patience-ms': 1500, 'keepalive-s': 10 };

export interface Status {
  recordsSigned: number;
  instances: { lease: string; name: string; wanted: string; opened: boolean }[];
  [part: string]: unknown;
}

/** The runtime with these words; rejects with its status and what it said. */
export const runtime = (data: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, [RUNTIME, '--data', data, ...args]);

/** A board that has its key and was never started. */
export const boardDirectory = (name: string): { key: Person<BoardId>; dir: string; data: string; end(): Promise<void> } => {
  const key = person<BoardId>(name);
  const dir = mkdtempSync(join(tmpdir(), 'lichen-outside-'));
  const data = join(dir, 'board');
  mkdirSync(data, { mode: 0o711 });
  writeFileSync(join(data, 'board.key'), key.seed, { mode: 0o600 });
  return { key, dir, data, end: async () => rmSync(dir, { recursive: true, force: true }) };
};

export class RealBoard {
  readonly setup: BoardSetup;
  readonly key: Person<BoardId>;
  readonly dir: string;
  #process: Process;

  private constructor(setup: BoardSetup, key: Person<BoardId>, dir: string) {
    this.setup = setup;
    this.key = key;
    this.dir = dir;
    this.#process = startBoard(RUNTIME, setup);
  }

  static start(
    name: string,
    claim: string,
    paces: Record<string, number> = {},
    tier: BoardSetup['tier'] = 'dev',
    more: Partial<BoardSetup> = {},
  ): RealBoard {
    const { key, dir, data } = boardDirectory(name);
    const capacity = 'memory=256,cpu=1000,partitions=8';
    return new RealBoard(
      { name, board: key.id, data, capacity, claim, proxyPort: null, tier, paces: { ...PACES, ...paces }, ...more },
      key,
      dir,
    );
  }

  get process(): Process {
    return this.#process;
  }

  restart(): void {
    this.#process = startBoard(RUNTIME, this.setup);
  }

  log(): string[] {
    return existsSync(this.process.logPath) ? readFileSync(this.process.logPath, 'utf8').split('\n') : [];
  }

  /** Where its log stands now. */
  mark(): number {
    return this.log().length - 1;
  }

  /** Waits for a line of its journal. */
  said(what: RegExp, from = 0): Promise<string> {
    return until(`board ${this.setup.name} to say ${what}`, PATIENCE_MS, () => {
      const line = this.log()
        .slice(from)
        .find((text) => what.test(text));
      if (line === undefined && this.process.exitCode() !== null)
        throw new LichenError('unavailable', `it ended: ${this.log().slice(-4).join('\n')}`);
      return line;
    });
  }

  refused(what: string, code: ErrorCode, why: RegExp, from = 0): Promise<string> {
    return this.said(new RegExp(`${what}.*${code}: .*${why.source}`), from);
  }

  /** Without the health of its card: that is this machine's, to which others write meanwhile. */
  async status(): Promise<Status> {
    const { health: _, ...status } = (await statusOfBoard(RUNTIME, this.setup)) as Status & { health: unknown };
    return status;
  }

  /** From now on the most is counted anew (proc(5), clear_refs). */
  forgetPeak(): void {
    writeFileSync(`/proc/${this.process.pid}/clear_refs`, '5');
  }

  /** The most memory that its process has had, in bytes. */
  get peakBytes(): number {
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.process.pid}/status`, 'utf8'))?.[1]);
  }

  /** Releases of which a root is planted. */
  planted(): string[] {
    const path = join(this.setup.data, 'roots');
    return existsSync(path) ? readdirSync(path).filter((name) => /^[0-9a-f]{64}$/.test(name)) : [];
  }

  /** Leases for which anything of a partition was ever made. */
  partitions(): string[] {
    const path = join(this.setup.data, 'partitions');
    return existsSync(path) ? readdirSync(path) : [];
  }

  run(...args: string[]): Promise<{ stdout: string; stderr: string }> {
    return runtime(this.setup.data, ...args);
  }

  async end(): Promise<void> {
    await this.process.kill('SIGTERM');
    await removeInstances(RUNTIME, this.setup);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
