/**
 * Keeps the books of an engine: which partitions there are, who runs, how they ended. The books are on the card
 * (`state.json`, whole or not at all), so a runtime that was killed finds everything again.
 */
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import type {
  Counters,
  Exit,
  Found,
  LogSpan,
  NetworkPolicy,
  PartitionSpec,
  Probe,
  ReloadSignal,
  StopSignal,
} from '../../ports/partitions.ts';
import { LichenError, refuse } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { SAID_BYTES } from '../../protocol/shares.ts';
import type { Backend, Running } from './backend.ts';
import { isData, keepData, orderData } from './data-kept.ts';
import { armDeadman, bootMs, disarm, readDeadline, writeDeadline } from './deadman.ts';
import { ExitWatch, UNKNOWN_EXIT } from './exits.ts';
import { give } from './given.ts';
import { readInside } from './inside.ts';
import { LogBook } from './log-book.ts';
import { isId, isPartitionUid, uidOf } from './names.ts';
import { probeFile } from './probe.ts';
import type { Probed } from './probed.ts';
import { checkProgramFile } from './program.ts';
import { until } from './run.ts';
import { bootId, isAlive, list, type ProcessId, readState, type State, signal, writeState } from './state.ts';

/** Between the first process's end and its exit file lies one turn of the reaper. */
const REAPER_LIMIT_MS = 5_000;
/** What failed is not begun again sooner in any case. */
const LAST_LINE_LIMIT_MS = 300;
/** Where an instance says something to the runtime. */
const OUT = '/run/lichen/out';

const NO_COUNTERS: Counters = {
  cpuMicros: 0n,
  memoryBytes: 0n,
  netInBytes: 0n,
  netOutBytes: 0n,
  diskWrittenBytes: 0n,
  dataBytes: 0n,
  pids: 0,
};

export interface SupervisorOptions {
  board: string;
  dataPath: string;
  backend: Backend;
  /** Whether `/data` can be given to a uid of its own (root only). */
  ownUids: boolean;
  exited: (partition: string, exit: Exit) => void;
  log: (line: string) => void;
}

const byPlaceLast = (a: string, b: string): number => Number(a === 'data') - Number(b === 'data');

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #backend: Backend;
  readonly #partitionsPath: string;
  readonly #bootId = bootId();
  readonly #running = new Map<string, State>();
  /** Running, but nobody was told yet: an exit may not be heard of before the start. */
  readonly #untold = new Map<string, State>();
  readonly #stopping = new Set<string>();
  readonly #watch: ExitWatch;
  readonly #logs: LogBook;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#backend = options.backend;
    this.#partitionsPath = `${options.dataPath}/partitions`;
    mkdirSync(this.#partitionsPath, { recursive: true, mode: 0o755 });
    this.#logs = new LogBook({ directory: options.backend.logsPath, keptPath: (partition) => `${this.directory(partition)}/log.gz` });
    this.#watch = new ExitWatch(options.backend.exitsPath, (name) => this.#look(name));
  }

  directory(partition: string): string {
    return `${this.#partitionsPath}/${partition}`;
  }

  async survey(): Promise<Found[]> {
    const found: Found[] = [];
    const known = new Set<string>();
    for (const partition of list(this.#partitionsPath).filter(isId)) {
      // Whose data are just being given back has them again, and with them its uid.
      await keepData(this.directory(partition), undefined);
      const state = readState(this.directory(partition));
      if (state === null) continue; // only data: a removed partition whose data was kept
      known.add(partition);
      found.push(await this.#find(partition, state));
    }
    for (const partition of this.#backend.left().filter((name) => !known.has(name))) {
      this.#options.log(`partition ${partition} is in the kernel but not in the books: ended and removed`);
      await this.#forget(partition);
    }
    return found;
  }

  async start(spec: PartitionSpec, deadlineMonoMs: number | null): Promise<string | null> {
    const { partition } = spec;
    this.#checkDeadline(deadlineMonoMs);
    checkProgramFile(spec, process.arch);
    const directory = this.directory(partition);
    const before = readState(directory);
    if (before !== null && before.bootId !== this.#bootId) await this.#forget(partition);
    else if (before !== null && !before.ended) {
      if (isAlive(before.first)) throw new LichenError('conflict', `partition ${partition} is running; stop it first`);
      await this.#backend.kill({ ...before, partition });
    }
    this.#logs.end(partition);
    await this.#backend.clear(partition);
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    await orderData(directory, spec);
    const uid = this.#giveData(partition);
    give(directory, spec);
    const state: State = {
      v: 1,
      partition,
      bootId: this.#bootId,
      first: null,
      reaper: null,
      address: null,
      deadman: null,
      logKib: spec.limits.logKib ?? LIMITS.logKib,
      isHook: spec.hook !== undefined,
      exit: null,
      ended: false,
    };
    writeState(directory, state);
    try {
      const launched = await this.#backend.launch(spec, uid, async (first) => {
        if (deadlineMonoMs !== null) state.deadman = await armDeadman(this.#runPath(), partition, first, deadlineMonoMs);
      });
      Object.assign(state, launched);
    } catch (error) {
      await this.#backend.kill({ ...state, partition });
      await this.#backend.clear(partition);
      this.#disarm(partition, state);
      writeState(directory, { ...state, ended: true });
      throw error;
    }
    writeState(directory, state);
    this.#followLog(state);
    this.#untold.set(partition, state);
    return state.address;
  }

  /** Later than before, or not at all. */
  async extend(partition: string, deadlineMonoMs: number): Promise<void> {
    const state = this.#runningState(partition);
    if (state === undefined || state.first === null) throw new LichenError('not-found', `partition ${partition} does not run`);
    this.#checkDeadline(deadlineMonoMs);
    const runPath = this.#runPath();
    if (deadlineMonoMs <= (readDeadline(runPath, partition) ?? 0)) return;
    if (isAlive(state.deadman)) return writeDeadline(runPath, partition, deadlineMonoMs);
    state.deadman = await armDeadman(runPath, partition, state.first, deadlineMonoMs);
    writeState(this.directory(partition), state);
  }

  async connect(partition: string, network: NetworkPolicy): Promise<void> {
    if (this.#runningState(partition) === undefined) throw new LichenError('not-found', `partition ${partition} does not run`);
    await this.#backend.connect(partition, network);
  }

  /** Called once the start or the survey was answered: from now on its exit is told, also one that has come already. */
  follow(partition: string): void {
    const state = this.#untold.get(partition);
    if (state === undefined) return;
    this.#untold.delete(partition);
    this.#running.set(partition, state);
    this.#look(partition);
  }

  async stop(partition: string, graceMs: number, by: StopSignal): Promise<{ exit: Exit; counters: Counters; said: string }> {
    const state = this.#runningState(partition) ?? readState(this.directory(partition));
    if (state === null) throw new LichenError('not-found', `partition ${partition} was never started or is removed`);
    this.#stopping.add(partition);
    try {
      if (!state.ended && state.bootId === this.#bootId) {
        signal(state.first, by);
        await until(() => !isAlive(state.first), graceMs);
        if (!(await this.#backend.kill({ ...state, partition }))) {
          throw new LichenError(
            'engine-failed',
            `processes of partition ${partition} do not end; they wait in the kernel, likely for a disk`,
          );
        }
        await this.#reaperGone(state.reaper);
        this.#settle(partition, state, this.#backend.readExit(partition));
      }
      await this.#backend.settle(partition);
      const exit = state.exit ?? UNKNOWN_EXIT;
      const said = state.isHook ? await this.#logs.lastLine(partition, (exit.code ?? 0) === 0 ? 0 : LAST_LINE_LIMIT_MS) : '';
      return { exit, counters: this.#backend.counters(partition) ?? NO_COUNTERS, said };
    } finally {
      this.#stopping.delete(partition);
    }
  }

  /** What it reads is another from one moment to the next, and then it is told. */
  reload(partition: string, given: Pick<PartitionSpec, 'parameters' | 'shares'>, by: ReloadSignal): void {
    const state = this.#runningState(partition);
    if (state === undefined || !isAlive(state.first)) throw new LichenError('not-found', `partition ${partition} does not run`);
    give(this.directory(partition), given);
    signal(state.first, by);
  }

  look(partition: string): { connection: string | null; shares: string | null; holds: boolean } {
    const first = this.#runningState(partition)?.first ?? null;
    // One byte more than is taken, so that what is too long is told to be.
    const connection = readInside(first, `${OUT}/connection.json`, LIMITS.connectionBytes + 1);
    const shares = readInside(first, `${OUT}/shares.json`, SAID_BYTES + 1);
    return { connection: connection?.text ?? null, shares: shares?.text ?? null, holds: readInside(first, `${OUT}/hold`, 1) !== null };
  }

  async remove(partition: string, data: boolean, heir?: string): Promise<void> {
    const directory = this.directory(partition);
    const state = readState(directory);
    const running: Running = { partition, first: null, reaper: null, address: null };
    const alive = state !== null && state.bootId === this.#bootId ? { ...state, partition } : running;
    this.#drop(partition);
    if (!(await this.#backend.kill(alive))) throw new LichenError('engine-failed', `processes of partition ${partition} do not end`);
    await this.#reaperGone(alive.reaper);
    if (state !== null) this.#disarm(partition, state);
    this.#logs.remove(partition);
    await this.#backend.discard(partition);
    for (const name of list(directory)) if (!isData(name)) rmSync(`${directory}/${name}`, { recursive: true, force: true });
    if (data && heir !== undefined) this.#bequeath(partition, heir);
    if (!data) return;
    await this.#backend.releaseData(partition);
    rmSync(directory, { recursive: true, force: true });
  }

  counters(partition: string): Counters | null {
    return this.#backend.counters(partition);
  }

  async probe(partition: string, probe: Probe, timeoutMs: number): Promise<Probed> {
    const state = this.#runningState(partition);
    if (state === undefined) return { ok: false, detail: 'the instance is not running' };
    if (probe.kind === 'file' || probe.kind === 'value') return probeFile(state.first, probe, Date.now());
    return this.#backend.probe({ ...state, partition }, probe, timeoutMs);
  }

  log(partition: string, from: number | null, tailBytes: number, waitMs: number): Promise<LogSpan> {
    return this.#logs.read(partition, from, tailBytes, waitMs);
  }

  close(): void {
    this.#watch.close();
    this.#logs.close();
    this.#backend.close();
  }

  async #find(partition: string, state: State): Promise<Found> {
    if (state.bootId !== this.#bootId) await this.#forget(partition);
    else if (!state.ended) {
      if (isAlive(state.first)) {
        if (!this.#running.has(partition) && !this.#untold.has(partition)) {
          this.#followLog(state);
          this.#untold.set(partition, state);
        }
        return { partition, running: true, exit: null, address: state.address, deadlineMonoMs: this.#deadlineOf(partition, state) };
      }
      // Its reaper may be about to write; a half-made start has no first process and never will have one.
      await until(() => this.#backend.readExit(partition) !== null || !isAlive(state.reaper), REAPER_LIMIT_MS);
      await this.#backend.kill({ ...state, partition });
    }
    if (!state.ended && state.bootId === this.#bootId) this.#followLog(state);
    if (!state.ended) this.#settle(partition, state, state.bootId === this.#bootId ? this.#backend.readExit(partition) : null);
    return { partition, running: false, exit: state.exit, address: null, deadlineMonoMs: null };
  }

  /** The reaper's own last microseconds are in the counters, and it may yet write: nothing is final before it is gone. */
  async #reaperGone(reaper: ProcessId | null): Promise<void> {
    if (await until(() => !isAlive(reaper), REAPER_LIMIT_MS)) return;
    signal(reaper, 'SIGKILL');
    await until(() => !isAlive(reaper), REAPER_LIMIT_MS);
  }

  /** Of another boot or of nobody: no process is known by number, only what carries the partition's name. */
  async #forget(partition: string): Promise<void> {
    await this.#backend.kill({ partition, first: null, reaper: null, address: null });
    await this.#backend.discard(partition);
  }

  #runPath(): string {
    return this.#backend.runPath ?? refuse('not-offered', 'nothing here ends an instance when the runtime hangs');
  }

  #checkDeadline(deadlineMonoMs: number | null): void {
    if (deadlineMonoMs === null) return;
    this.#runPath();
    if (bootMs() >= deadlineMonoMs) throw new LichenError('conflict', 'it would have to be over already');
  }

  /** Null also when nobody keeps it: then nothing says how long it may run. */
  #deadlineOf(partition: string, { deadman }: State): number | null {
    const { runPath } = this.#backend;
    return runPath !== null && isAlive(deadman) ? readDeadline(runPath, partition) : null;
  }

  #disarm(partition: string, { deadman }: State): void {
    const { runPath } = this.#backend;
    if (runPath !== null) disarm(runPath, partition, deadman);
  }

  #runningState(partition: string): State | undefined {
    return this.#running.get(partition) ?? this.#untold.get(partition);
  }

  #drop(partition: string): void {
    this.#running.delete(partition);
    this.#untold.delete(partition);
  }

  #settle(partition: string, state: State, exit: Exit | null): void {
    state.exit = exit;
    state.ended = true;
    this.#drop(partition);
    this.#disarm(partition, state);
    this.#logs.end(partition);
    writeState(this.directory(partition), state);
  }

  #followLog({ partition, reaper, logKib }: State): void {
    if (reaper !== null) this.#logs.follow(partition, this.#backend.logSource(partition, reaper), reaper, logKib);
  }

  /** `null` looks at all: a reaper that was itself killed writes no file. */
  #look(name: string | null): void {
    if (name === null) {
      for (const partition of [...this.#running.keys()]) this.#look(partition);
      return;
    }
    const state = this.#running.get(name);
    if (state === undefined || this.#stopping.has(name)) return;
    // In this order: a reaper that is gone has written; one that was asked after the file may have written in between.
    const gone = !isAlive(state.first) && !isAlive(state.reaper);
    const exit = this.#backend.readExit(name);
    if (exit === null && !gone) return;
    this.#settle(name, state, exit);
    this.#options.exited(name, exit ?? UNKNOWN_EXIT);
  }

  /** What is kept for the way back is not needed any more. */
  async drop(partition: string): Promise<void> {
    if (existsSync(this.directory(partition))) await keepData(this.directory(partition), 'drop');
  }

  /** Only to who has none: what it has written is not written over. */
  #bequeath(partition: string, heir: string): void {
    const [from, to] = [this.directory(partition), this.directory(heir)];
    if (!isId(heir) || !existsSync(`${from}/data`) || existsSync(`${to}/data`)) return;
    mkdirSync(to, { recursive: true, mode: 0o755 });
    // The place last: with it the data have moved.
    for (const name of list(from).filter(isData).sort(byPlaceLast)) renameSync(`${from}/${name}`, `${to}/${name}`);
  }

  /** `/data` keeps its uid for as long as it exists: what is in it belongs to that uid. */
  #giveData(partition: string): number {
    const data = `${this.directory(partition)}/data`;
    const owner = existsSync(data) ? statSync(data).uid : null;
    mkdirSync(data, { recursive: true, mode: 0o700 });
    if (!this.#options.ownUids) return process.getuid?.() ?? 0;
    if (owner !== null && isPartitionUid(owner)) return owner;
    const others = list(this.#partitionsPath).filter((name) => name !== partition);
    const taken = new Set(others.flatMap((name) => statSync(`${this.directory(name)}/data`, { throwIfNoEntry: false })?.uid ?? []));
    const uid = uidOf(this.#options.board, partition, taken);
    chownSync(data, uid, uid);
    return uid;
  }
}
