/** The board's doors without a machine behind them: an engine whose clock is the world's, and files kept in memory. */

import type { Files, FilesEvent, FilesStep } from '../../runtime/ports/files.ts';
import type { Counters, Exit, NetworkPolicy, PartitionEvent, PartitionSpec, PartitionStep } from '../../runtime/ports/partitions.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { FileRef, Jigsaw, Piece, Place } from '../../runtime/protocol/nouns/release.ts';
import { testCrypto } from './crypto.ts';
import type { ManualClock } from './world.ts';

const MIB = 1_048_576n;

interface Cell {
  spec: PartitionSpec;
  running: boolean;
  exit: Exit | null;
  /** Of the cgroup: what was used before, and since when it runs. */
  usedMs: bigint;
  sinceMs: number;
  deadlineMonoMs: number | null;
}

/** Each running partition uses a tenth of a core, 16 MiB, and 10 bytes in, 20 out and 30 to disk per ms. */
const DONE: Exit = { code: 0, signal: null, oomKilled: false };

export class FakeEngine {
  readonly cells = new Map<string, Cell>();
  /** Every step asked for, in order. */
  readonly steps: PartitionStep[] = [];
  /** Steps of these kinds are refused. */
  readonly broken = new Set<PartitionStep['kind']>();
  /** Partitions that end as soon as they are started: before the start is answered. */
  readonly stillborn = new Set<string>();
  /** What each was told to reach last. */
  readonly networks = new Map<string, NetworkPolicy | null>();
  /** No room to keep `/data` for the way back. */
  cramped = false;
  /** Their program is for another processor. */
  readonly unfit = new Set<string>();
  /** Why the kernel lets nothing begin; null: it does. */
  balks: string | null = null;
  probesOk = true;
  /** Of a probe that fails. */
  probeSays = 'no answer';
  /** Whether the program in this root does what it promises. */
  sound: (rootPath: string) => boolean = () => true;
  /** Held in `/data` by each. */
  dataBytes = 0n;
  /** By every partition. */
  said = '2026-11-23T00:00:00.000Z o moin\n';
  /** What every instance says, and what those that run were given later. */
  connection: string | null = null;
  holds = false;
  shares: string | null = null;
  readonly reloads: string[] = [];
  /** How a hook ends, and how long it takes; null: it does not end. */
  hooks: (name: 'before' | 'after') => { exit: Exit; takesMs: number } | null = () => ({ exit: DONE, takesMs: 500 });
  lastLine = '';
  /** Whom those that run were told later to serve. */
  readonly sharesTold: (string | undefined)[] = [];
  startMs = 5;
  listener: (event: PartitionEvent) => void = () => {};
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  perform(step: PartitionStep, answer: (event: PartitionEvent) => void): void {
    this.steps.push(step);
    const partition = 'partition' in step ? step.partition : step.kind === 'start' ? step.spec.partition : null;
    const refused = (): PartitionEvent => ({
      kind: 'refused',
      step: step.kind,
      partition,
      error: new LichenError('engine-failed', 'as told'),
    });
    const delayMs = step.kind === 'start' ? this.startMs : 1;
    this.#clock.after(delayMs, () => answer(this.broken.has(step.kind) ? refused() : this.#do(step)));
  }

  #do(step: PartitionStep): PartitionEvent {
    switch (step.kind) {
      case 'survey':
        return {
          kind: 'surveyed',
          found: [...this.cells].map(([partition, { running, exit, deadlineMonoMs }]) => ({
            ...{ partition, running, exit, deadlineMonoMs },
            address: running ? 'fd00::1' : null,
          })),
        };
      case 'start':
        return this.#start(step.spec, step.deadlineMonoMs);
      case 'extend': {
        const cell = this.cells.get(step.partition);
        if (cell !== undefined) this.#arm(step.partition, cell, Math.max(step.deadlineMonoMs, cell.deadlineMonoMs ?? 0));
        return { kind: 'extended', partition: step.partition };
      }
      case 'connect':
        this.networks.set(step.partition, step.network);
        return { kind: 'connected', partition: step.partition };
      case 'stop': {
        this.#halt(step.partition, { code: null, signal: 'SIGTERM', oomKilled: false });
        const exit = this.cells.get(step.partition)?.exit ?? { code: null, signal: null, oomKilled: false };
        return { kind: 'stopped', partition: step.partition, exit, counters: this.counters(step.partition), said: this.lastLine };
      }
      case 'remove':
        this.cells.delete(step.partition);
        return { kind: 'removed', partition: step.partition };
      case 'drop':
        return { kind: 'dropped', partition: step.partition };
      case 'reload':
        this.reloads.push(step.parameters);
        this.sharesTold.push(step.shares);
        return { kind: 'reloaded', partition: step.partition };
      case 'look':
        return { kind: 'looked', partition: step.partition, connection: this.connection, shares: this.shares, holds: this.holds };
      case 'sample':
        return {
          kind: 'sampled',
          counters: new Map(step.partitions.filter((id) => this.cells.has(id)).map((id) => [id, this.counters(id)])),
        };
      case 'probe':
        return this.#probe(step.partition);
      case 'log': {
        const { partition, tag } = step;
        const from = step.from ?? Math.max(0, this.said.length - step.tailBytes);
        return { kind: 'logged', partition, tag, from, next: this.said.length, missed: 0, text: this.said.slice(from) };
      }
    }
  }

  /** Kills it then, whether anybody listens or not. */
  #arm(partition: string, cell: Cell, deadlineMonoMs: number): void {
    cell.deadlineMonoMs = deadlineMonoMs;
    this.#clock.after(deadlineMonoMs - this.#clock.now().monoMs, () => {
      const isStill = this.cells.get(partition) === cell && cell.running && cell.deadlineMonoMs === deadlineMonoMs;
      if (isStill) this.crash(partition, { code: null, signal: 'SIGKILL', oomKilled: false });
    });
  }

  #probe(partition: string): PartitionEvent {
    const ok = this.probesOk && this.sound(this.cells.get(partition)?.spec.rootPath ?? '');
    return { kind: 'probed', partition, ok, detail: ok ? '' : this.probeSays };
  }

  #start(spec: PartitionSpec, deadlineMonoMs: number | null): PartitionEvent {
    if (this.unfit.has(spec.partition))
      return { kind: 'refused', step: 'start', partition: spec.partition, error: new LichenError('bad-release', 'as told') };
    if (this.balks !== null)
      return { kind: 'refused', step: 'start', partition: spec.partition, error: new LichenError('engine-failed', this.balks) };
    if (this.cramped && spec.kept === 'take')
      return { kind: 'refused', step: 'start', partition: spec.partition, error: new LichenError('storage-full', 'as told') };
    const cell = { spec, running: true, exit: null, usedMs: 0n, sinceMs: this.#clock.now().monoMs, deadlineMonoMs: null };
    this.cells.set(spec.partition, cell);
    if (deadlineMonoMs !== null) this.#arm(spec.partition, cell, deadlineMonoMs);
    const ends = spec.hook === undefined ? null : this.hooks(spec.hook);
    if (ends !== null)
      this.#clock.after(
        ends.takesMs,
        () => cell.running && this.cells.get(spec.partition) === cell && this.crash(spec.partition, ends.exit),
      );
    if (this.stillborn.has(spec.partition)) this.crash(spec.partition);
    return { kind: 'started', partition: spec.partition, address: 'fd00::1' };
  }

  #halt(partition: string, exit: Exit): void {
    const cell = this.cells.get(partition);
    if (cell === undefined || !cell.running) return;
    cell.usedMs += BigInt(this.#clock.now().monoMs - cell.sinceMs);
    Object.assign(cell, { running: false, exit });
  }

  /** Its first process ends by itself. */
  crash(partition: string, exit: Exit = { code: 1, signal: null, oomKilled: false }): void {
    this.#halt(partition, exit);
    this.listener({ kind: 'exited', partition, exit });
  }

  /** It ends while nobody looks. */
  die(partition: string): void {
    this.#halt(partition, { code: 1, signal: null, oomKilled: false });
  }

  /** Power goes: no cgroup is left. */
  reboot(): void {
    this.cells.clear();
  }

  counters(partition: string): Counters {
    const cell = this.cells.get(partition);
    const ms = cell === undefined ? 0n : cell.usedMs + (cell.running ? BigInt(this.#clock.now().monoMs - cell.sinceMs) : 0n);
    const running = cell?.running === true;
    return {
      ...{ cpuMicros: ms * 100n, memoryBytes: running ? 16n * MIB : 0n, netInBytes: ms * 10n, netOutBytes: ms * 20n },
      ...{ diskWrittenBytes: ms * 30n, dataBytes: running ? this.dataBytes : 0n, pids: running ? 1 : 0 },
    };
  }

  /** Steps of one kind, as the partitions that they were for. */
  did(kind: 'start' | 'stop' | 'remove' | 'connect'): string[] {
    return this.steps.flatMap((step) =>
      step.kind !== kind ? [] : step.kind === 'start' ? [step.spec.partition] : 'partition' in step ? [step.partition] : [],
    );
  }
}

const nameOf = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

/** Checks what it is given as strictly as a disk would. */
export class FakeFiles implements Files {
  readonly steps: FilesStep[] = [];
  /** By their names, with their content. */
  readonly sealed = new Map<string, Bytes>();
  readonly roots = new Set<string>();
  full = false;
  /** So many files are another one by the time that they are sealed. */
  tears = 0;
  readonly #open = new Map<string, Bytes>();
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  perform(step: FilesStep, answer: (event: FilesEvent) => void): void {
    this.steps.push(step);
    this.#clock.after(1, () => answer(this.#do(step)));
  }

  #do(step: FilesStep): FilesEvent {
    switch (step.kind) {
      case 'check':
        return { kind: 'checked', missing: step.files.filter((file) => !this.sealed.has(nameOf(file))) };
      case 'gather':
        return { kind: 'gathered', lacks: step.files.flatMap((jigsaw) => this.#gather(jigsaw)) };
      case 'write': {
        if (this.full) return { kind: 'files-refused', step, error: new LichenError('storage-full', 'as told') };
        this.#put({ file: step.file, offset: step.offset }, step.bytes);
        return { kind: 'written', file: step.file, offset: step.offset };
      }
      case 'seal': {
        const bytes = this.#open.get(nameOf(step.file)) ?? new Uint8Array(0);
        if (this.tears > 0) {
          this.tears--;
          bytes[0] = (bytes[0] ?? 0) ^ 1;
        }
        if (bytes.length !== step.bytes || hex(testCrypto.sha256(bytes)) !== hex(step.file.hash))
          return { kind: 'files-refused', step, error: new LichenError('missing-content', 'not the file') };
        this.#open.delete(nameOf(step.file));
        this.sealed.set(nameOf(step.file), bytes);
        return { kind: 'file-sealed', file: step.file };
      }
      case 'plant':
        this.roots.add(hex(step.release));
        return { kind: 'planted', release: step.release, rootPath: `/roots/${hex(step.release).slice(0, 8)}` };
      case 'sweep': {
        const keep = new Set(step.keep.map(hex));
        for (const root of this.roots) if (!keep.has(root)) this.roots.delete(root);
        return { kind: 'swept', files: 0 };
      }
    }
  }

  #put({ file, offset }: Place, bytes: Bytes): void {
    const before = this.#open.get(nameOf(file)) ?? new Uint8Array(0);
    const after = new Uint8Array(Math.max(before.length, offset + bytes.length));
    after.set(before);
    after.set(bytes, offset);
    this.#open.set(nameOf(file), after);
  }

  #gather({ file, pieces }: Jigsaw): Place[] {
    const isIt = (bytes: Bytes | undefined, offset: number, [hash, length]: Piece['chunk']): boolean =>
      bytes !== undefined && hex(testCrypto.sha256(bytes.subarray(offset, offset + length))) === hex(hash);
    return [...pieces].flatMap(({ offset, chunk, from }) => {
      if (isIt(this.#open.get(nameOf(file)), offset, chunk)) return [];
      const other = from === null ? undefined : this.sealed.get(nameOf(from.file));
      if (from === null || other === undefined || !isIt(other, from.offset, chunk)) return [{ file, offset }];
      this.#put({ file, offset }, other.subarray(from.offset, from.offset + chunk[1]));
      return [];
    });
  }

  /** Something on the card turned over. */
  rot(file: FileRef): void {
    const bytes = this.#open.get(nameOf(file));
    if (bytes !== undefined) bytes[0] = (bytes[0] ?? 0) ^ 1;
  }

  count(kind: FilesStep['kind']): number {
    return this.steps.filter((step) => step.kind === kind).length;
  }
}
