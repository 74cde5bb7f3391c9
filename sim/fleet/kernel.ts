/**
 * The partitions door of a virtual board: programs that use what their workload says, counted as a kernel counts. Its
 * figures are the truth that the judge is told. Nothing is stepped: use is summed up whenever it changes or is asked.
 */
import type { Probed } from '../../runtime/adapters/partitions/probed.ts';
import type {
  Counters,
  Enforcement,
  Exit,
  LogSpan,
  PartitionEvent,
  PartitionSpec,
  PartitionStep,
  Partitions,
  Probe,
} from '../../runtime/ports/partitions.ts';
import { type ErrorCode, LichenError } from '../../runtime/protocol/errors.ts';
import { kindsOf } from '../hardware/bus.ts';
import { oomInMs, oomVictim, type Resident } from '../hardware/memory.ts';
import type { Hardware } from '../hardware/profiles.ts';
import type { Counted, EndReason } from '../oracle/physics.ts';
import type { Behaviour } from '../scenario/scenario.ts';
import type { VirtualClock } from '../world/clock.ts';
import { type Cell, countedOf, cpuOf, memoryBytesOf, residentsOf, whole } from './cell.ts';
import type { NumberProbe } from './senses.ts';
import { StepTurns } from './step-turns.ts';
import { type FoundData, VirtualData } from './virtual-data.ts';
import { saidBy } from './virtual-log.ts';

/** What a hook takes. */
const HOOK_MS = 2000;

/** Of every instance: nobody dials it. */
const ADDRESS = 'fd00::1';

/** What the board around it says and hears. */
export interface KernelSurroundings {
  clock: VirtualClock;
  hardware: Hardware;
  behaviourOf(rootPath: string): Behaviour | null;
  /** The board's monotonic clock, and how long it still takes it to come to a moment. */
  monoMs(): number;
  untilMs(monoMs: number): number;
  /** Programs reach the network. */
  online(): boolean;
  /** Whether everything that a program reads is there and what it takes for fair; it has been reading for so long. */
  fair(spec: PartitionSpec, ranMs: number): boolean;
  /** What a promise about a number finds; null: nobody knows what that program says. */
  number(spec: PartitionSpec, probe: NumberProbe): Probed | null;
  /** The speed of the processor, of a Pi 4's at full speed. */
  speedPermille(): number;
  /** What all programs want of all cores, permille. */
  loaded(permille: number): void;
  wrote(bytes: number, overMs: number): void;
  began(spec: PartitionSpec, data: FoundData): void;
  ended(partition: string, why: EndReason, used: Counted): void;
}

const refusedStart = (partition: string, code: ErrorCode, why: string): PartitionEvent => ({
  ...{ kind: 'refused', step: 'start', partition },
  error: new LichenError(code, why),
});

const NOT_THERE: Exit = { code: null, signal: null, oomKilled: false };

export class VirtualKernel implements Partitions {
  readonly enforcement: Enforcement;
  readonly #around: KernelSurroundings;
  readonly #cells = new Map<string, Cell>();
  readonly #data = new VirtualData();
  readonly #turns = new StepTurns();
  #share = 1;
  /** Takes back what the next want of memory ends. */
  #calm: () => void = () => {};
  /** Of the runtime's present life; null while there is none. */
  #life: { alive(): boolean; listener: (event: PartitionEvent) => void } | null = null;

  constructor(around: KernelSurroundings) {
    this.#around = around;
    const { tier, enforces } = around.hardware;
    const reached = enforces.network ? ['links', 'internet', 'lan'] : [];
    const grants = [...reached, ...kindsOf(around.hardware)];
    this.enforcement = {
      tier,
      engine: 'simulated',
      ...enforces,
      grants,
      io: enforces.disk,
      quota: enforces.disk,
      secrets: false,
      publishes: enforces.network,
      lacks: [],
    };
  }

  /** A runtime began; what it asks is answered while it lives. */
  attach(alive: () => boolean): this {
    this.#life = { alive, listener: () => {} };
    this.#turns.forget();
    return this;
  }

  watch(listener: (event: PartitionEvent) => void): void {
    if (this.#life !== null) this.#life.listener = listener;
  }

  close(): void {}

  /** Programs that run now. */
  get programs(): PartitionSpec[] {
    return [...this.#cells.values()].flatMap(({ running, spec }) => (running ? [spec] : []));
  }

  perform(step: PartitionStep, answer: (event: PartitionEvent) => void): void {
    const life = this.#life;
    const { clock } = this.#around;
    // A second later there is a word more, of what runs.
    if (step.kind === 'log' && step.waitMs > 0 && this.#said(step).text === '') {
      const later = { ...step, waitMs: Math.max(0, step.waitMs - 1000) };
      clock.at(clock.nowMs + Math.min(step.waitMs, 1000), () => life?.alive() === true && this.perform(later, answer));
      return;
    }
    const act = (): void => {
      if (life?.alive() === true) answer(this.#do(step));
    };
    // A sample waits for nothing; nobody is answered before `perform` returned.
    const endMs = this.#turns.endOf(step, clock.nowMs);
    if (endMs === clock.nowMs) clock.soon(act);
    else clock.at(endMs, act);
  }

  #do(step: PartitionStep): PartitionEvent {
    switch (step.kind) {
      case 'survey':
        return {
          kind: 'surveyed',
          found: [...this.#cells].map(([partition, { running, exit, deadlineMonoMs }]) => ({
            ...{ partition, running, exit, deadlineMonoMs },
            address: running ? ADDRESS : null,
          })),
        };
      case 'start':
        return this.#start(step.spec, step.deadlineMonoMs);
      case 'extend':
        this.#arm(step.partition, step.deadlineMonoMs);
        return { kind: 'extended', partition: step.partition };
      case 'connect':
        return { kind: 'connected', partition: step.partition };
      case 'stop':
        this.#halt(step.partition, 'stopped', { code: null, signal: step.signal ?? 'SIGTERM', oomKilled: false });
        return {
          kind: 'stopped',
          partition: step.partition,
          exit: this.#cells.get(step.partition)?.exit ?? NOT_THERE,
          counters: this.#counters(step.partition),
          atMonoMs: this.#around.monoMs(),
        };
      case 'remove':
        this.#halt(step.partition, 'stopped', NOT_THERE);
        this.#cells.delete(step.partition);
        if (step.data) this.#data.leave(step.partition, step.heir);
        return { kind: 'removed', partition: step.partition };
      case 'drop':
        this.#data.drop(step.partition);
        return { kind: 'dropped', partition: step.partition };
      case 'reload':
        return this.#reloadWith(step);
      case 'look':
        // Nobody's program says anything here.
        return { kind: 'looked', partition: step.partition, connection: null, shares: null, holds: false };
      case 'sample':
        this.#settle();
        return {
          kind: 'sampled',
          counters: new Map(step.partitions.filter((id) => this.#cells.has(id)).map((id) => [id, this.#counters(id)])),
          atMonoMs: this.#around.monoMs(),
        };
      case 'probe':
        return { kind: 'probed', partition: step.partition, ...this.#probe(step.partition, step.probe) };
      case 'log':
        return { kind: 'logged', partition: step.partition, tag: step.tag, ...this.#said(step) };
    }
  }

  #said(step: Extract<PartitionStep, { kind: 'log' }>): LogSpan {
    const cell = this.#cells.get(step.partition);
    const ranMs = cell === undefined ? 0 : cell.running ? this.#around.clock.nowMs - cell.beganMs : cell.saidMs;
    return saidBy(ranMs, cell?.spec.limits.logKib, step);
  }

  #start(spec: PartitionSpec, deadlineMonoMs: number | null): PartitionEvent {
    const { partition } = spec;
    if (deadlineMonoMs !== null && this.#around.monoMs() >= deadlineMonoMs) {
      return refusedStart(partition, 'conflict', 'it would have to be over already');
    }
    const missing = spec.devices.find((kind) => !this.enforcement.grants.includes(kind));
    if (missing !== undefined) {
      return refusedStart(partition, 'not-offered', `this board has no ${missing} now`);
    }
    const behaviour = this.#around.behaviourOf(spec.rootPath);
    if (behaviour === null) {
      return refusedStart(partition, 'engine-failed', 'the root is not readable');
    }
    const { nowMs } = this.#around.clock;
    const cell: Cell = {
      ...{ spec, behaviour, running: true, exit: null, beganMs: nowMs, saidMs: 0, atMs: nowMs, leaksFromMs: null, undo: [] },
      ...{ deadlineMonoMs: null, disarm: () => {} },
      used: { cpuMicros: 0, memoryByteMs: 0, netInBytes: 0, netOutBytes: 0, diskBytes: 0 },
    };
    this.#settle();
    this.#cells.set(partition, cell);
    this.#around.began(spec, this.#data.begin(spec, behaviour.hooks));
    this.#plan(partition, cell);
    if (deadlineMonoMs !== null) this.#arm(partition, deadlineMonoMs);
    this.#reload();
    return { kind: 'started', partition, address: ADDRESS };
  }

  #reloadWith({ partition, parameters, shares }: Extract<PartitionStep, { kind: 'reload' }>): PartitionEvent {
    const cell = this.#cells.get(partition);
    if (cell?.running !== true) {
      const error = new LichenError('not-found', `partition ${partition} does not run`);
      return { kind: 'refused', step: 'reload', partition, error };
    }
    cell.spec = { ...cell.spec, parameters, shares };
    return { kind: 'reloaded', partition };
  }

  /** When it will fail, if it is of the kind that does. */
  #plan(partition: string, cell: Cell): void {
    const { fails } = cell.behaviour;
    const { clock } = this.#around;
    const { hook } = cell.spec;
    if (hook !== undefined) {
      const code = hook === 'after' && fails?.how === 'hook' ? 1 : 0;
      cell.undo.push(clock.at(cell.beganMs + HOOK_MS, () => this.#hookEnds(partition, code)));
    }
    if (hook !== undefined || fails === null || fails.how === 'never-green' || fails.how === 'hook') return;
    const atMs = cell.beganMs + fails.afterMs;
    const leak = (): void => {
      this.#settle();
      cell.leaksFromMs = atMs;
      this.#squeeze();
    };
    cell.undo.push(clock.at(atMs, () => (fails.how === 'crash' ? this.crash(partition) : leak())));
  }

  /** Whatever becomes of the runtime: this is not in it. */
  #arm(partition: string, deadlineMonoMs: number): void {
    const cell = this.#cells.get(partition);
    if (cell?.running !== true || deadlineMonoMs <= (cell.deadlineMonoMs ?? Number.NEGATIVE_INFINITY)) return;
    const { clock, untilMs } = this.#around;
    cell.disarm();
    cell.deadlineMonoMs = deadlineMonoMs;
    const exit: Exit = { code: null, signal: 'SIGKILL', oomKilled: false };
    cell.disarm = clock.at(clock.nowMs + untilMs(deadlineMonoMs), () => this.#exit(partition, 'deadline', exit));
  }

  #hookEnds(partition: string, code: number): void {
    if (code === 0) this.#data.changed(partition);
    this.#exit(partition, 'done', { code, signal: null, oomKilled: false });
  }

  /** Its first process ends by itself. */
  crash(partition: string): void {
    this.#exit(partition, 'crashed', { code: 1, signal: null, oomKilled: false });
  }

  #exit(partition: string, why: EndReason, exit: Exit): void {
    if (!this.#halt(partition, why, exit)) return;
    if (this.#life?.alive() === true) this.#life.listener({ kind: 'exited', partition, exit, atMonoMs: this.#around.monoMs() });
  }

  #halt(partition: string, why: EndReason, exit: Exit): boolean {
    const cell = this.#cells.get(partition);
    if (cell?.running !== true) return false;
    this.#settle();
    cell.running = false;
    cell.saidMs = this.#around.clock.nowMs - cell.beganMs;
    cell.exit = exit;
    for (const undo of cell.undo) undo();
    cell.disarm();
    this.#around.ended(partition, why, countedOf(cell));
    this.#reload();
    return true;
  }

  /** The power goes: no program and no cgroup is left. */
  cut(): void {
    for (const partition of this.#cells.keys()) this.#halt(partition, 'power', NOT_THERE);
    this.#cells.clear();
    this.#life = null;
    this.#reload();
  }

  /** Network came or went, or the speed changed: what was used until now is summed up as things were. */
  changed(): void {
    this.#settle();
  }

  /** When one wants more memory than its limit, or all together more than there is, somebody goes. */
  #squeeze(): void {
    const { clock, hardware } = this.#around;
    this.#calm();
    const residents = (): Resident[] => residentsOf(this.#cells, clock.nowMs);
    const inMs = oomInMs(hardware, residents());
    if (inMs === null) return;
    this.#calm = clock.at(clock.nowMs + inMs, () => {
      const victim = oomVictim(hardware, residents());
      if (victim === null) this.#squeeze();
      else this.#exit(victim.id, 'oom', { code: null, signal: 'SIGKILL', oomKilled: true });
    });
  }

  #reload(): void {
    let wanted = 0;
    for (const cell of this.#cells.values()) if (cell.running) wanted += cpuOf(cell);
    const { cpuMillis } = this.#around.hardware;
    this.#squeeze();
    this.#share = wanted > cpuMillis ? cpuMillis / wanted : 1;
    this.#around.loaded(Math.min(1000, Math.round((wanted * 1000) / cpuMillis)));
  }

  #settle(): void {
    const { clock } = this.#around;
    const online = this.#around.online();
    for (const cell of this.#cells.values()) {
      const ms = clock.nowMs - cell.atMs;
      if (!cell.running || ms === 0) continue;
      const { uses } = cell.behaviour;
      cell.used.cpuMicros += cpuOf(cell) * this.#share * ms;
      // It grows in a straight line, if at all.
      const bytes = memoryBytesOf(cell, clock.nowMs);
      const before = cell.leaksFromMs === null ? bytes : memoryBytesOf(cell, cell.atMs);
      cell.used.memoryByteMs += ((before + bytes) / 2) * ms;
      if (online) {
        cell.used.netInBytes += (uses.netInBytesPerS * ms) / 1000;
        cell.used.netOutBytes += (uses.netOutBytesPerS * ms) / 1000;
      }
      const written = (uses.diskBytesPerS * ms) / 1000;
      cell.used.diskBytes += written;
      if (written > 0) this.#around.wrote(written, ms);
      cell.atMs = clock.nowMs;
    }
  }

  /** As they were summed up last. */
  #counters(partition: string): Counters {
    const cell = this.#cells.get(partition);
    if (cell === undefined)
      return { cpuMicros: 0n, memoryBytes: 0n, netInBytes: 0n, netOutBytes: 0n, diskWrittenBytes: 0n, dataBytes: 0n, pids: 0 };
    const { cpuMicros, netInBytes, netOutBytes, diskBytes } = cell.used;
    return {
      cpuMicros: whole(cpuMicros),
      memoryBytes: cell.running ? BigInt(memoryBytesOf(cell, this.#around.clock.nowMs)) : 0n,
      netInBytes: whole(netInBytes),
      netOutBytes: whole(netOutBytes),
      diskWrittenBytes: whole(diskBytes),
      dataBytes: 0n,
      pids: cell.running ? 1 : 0,
    };
  }

  #probe(partition: string, probe: Probe): Probed {
    const cell = this.#cells.get(partition);
    if (cell === undefined || !this.#isGreen(cell)) return { ok: false, detail: 'no answer' };
    const found = probe.kind === 'value' || probe.kind === 'reading' ? this.#around.number(cell.spec, probe) : null;
    return found ?? { ok: true, detail: '' };
  }

  #isGreen({ spec, behaviour, running, beganMs }: Cell): boolean {
    if (!running || behaviour.fails?.how === 'never-green') return false;
    const greenMs = (behaviour.greenAfterMs * 1000) / Math.max(1, this.#around.speedPermille());
    const ranMs = this.#around.clock.nowMs - beganMs;
    return ranMs >= greenMs && this.#around.fair(spec, ranMs);
  }
}
