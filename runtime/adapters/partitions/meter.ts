/**
 * Reads a partition's counters. Descriptors are kept open and read synchronously at position 0: 20 partitions cost
 * 0.16 ms a tick that way, 9 ms with promises (measured; docs/design/partitions.md).
 */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Counters } from '../../ports/partitions.ts';
import { type PartitionCgroup, WORKLOAD } from './cgroup.ts';
import type { Layout } from './cgroup-layout.ts';
import type { LinkBytes } from './link-bytes.ts';

/** One buffer for all: reads are synchronous. `memory.stat` is the longest, about 1.6 KiB. */
const buffer = Buffer.alloc(8 * 1024);

class KeptFile {
  readonly #path: string;
  #fd: number | null = null;

  constructor(path: string) {
    this.#path = path;
  }

  /** `null` when the group is gone (ENOENT, or ENODEV on a kept descriptor). */
  read(): string | null {
    try {
      this.#fd ??= openSync(this.#path, 'r');
      return buffer.toString('latin1', 0, readSync(this.#fd, buffer, 0, buffer.length, 0));
    } catch {
      this.close();
      return null;
    }
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }
}

/** Once a second nothing is ever compiled for good, so what is read so often is read without expressions. */
const whole = (text: string | null): bigint => {
  const number = text === null || text === '' ? Number.NaN : Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return BigInt(number);
  const digits = text?.trim() ?? '';
  return /^\d+$/.test(digits) ? BigInt(digits) : 0n;
};

/** The number behind a name at the beginning of a line. */
const field = (text: string | null, name: string): bigint => {
  if (text === null) return 0n;
  const word = `${name} `;
  const at = text.startsWith(word) ? 0 : text.indexOf(`\n${word}`) + 1;
  if (at === 0 && !text.startsWith(word)) return 0n;
  const end = text.indexOf('\n', at);
  return whole(text.slice(at + word.length, end < 0 ? undefined : end));
};

/**
 * Sums `wbytes` over disks. What is written to a loop device (major number 7) is written a second time to the disk that its file
 * lies on, and counted there.
 */
export const writtenIn = (ioStat: string | null): bigint =>
  [...(ioStat ?? '').matchAll(/^(?!7:)\d+:\d+ .*?\bwbytes=(\d+)/gm)].reduce((sum, [, bytes]) => sum + BigInt(bytes ?? 0), 0n);

export interface MeterOptions {
  layout: Layout;
  cgroup: PartitionCgroup;
  /** What passed the board's end of its link. */
  passed: () => LinkBytes;
  /** Bytes that its data take. */
  held: () => bigint;
}

export class Meter {
  readonly #files = new Map<string, KeptFile>();
  readonly #version: 1 | 2;
  readonly #passed: MeterOptions['passed'];
  readonly #held: MeterOptions['held'];

  constructor({ layout, cgroup, passed, held }: MeterOptions) {
    this.#version = layout.version;
    this.#passed = passed;
    this.#held = held;
    const [cpu, memory, pids] = [cgroup.directory('cpuacct'), cgroup.directory('memory'), cgroup.directory('pids')];
    const v2 = layout.version === 2;
    if (cpu !== null) this.#keep('cpu', v2 ? `${cpu}/cpu.stat` : `${cpu}/cpuacct.usage`);
    if (memory !== null) {
      this.#keep('memory', `${memory}/${WORKLOAD}/${v2 ? 'memory.current' : 'memory.usage_in_bytes'}`);
      this.#keep('memoryStat', `${memory}/${WORKLOAD}/memory.stat`);
    }
    if (pids !== null) this.#keep('pids', `${pids}/${WORKLOAD}/pids.current`);
    if (layout.io && cpu !== null) this.#keep('io', `${cpu}/io.stat`);
  }

  /** `null` when the partition has no cgroup. */
  read(): Counters | null {
    const cpu = this.#text('cpu');
    if (cpu === null) return null;
    const used = whole(this.#text('memory'));
    // Page cache that the kernel may drop at once is not in use (the working set of the kubelet).
    const droppable = field(this.#text('memoryStat'), this.#version === 2 ? 'inactive_file' : 'total_inactive_file');
    const { received, sent } = this.#passed();
    return {
      cpuMicros: this.#version === 2 ? field(cpu, 'usage_usec') : whole(cpu) / 1_000n,
      memoryBytes: used > droppable ? used - droppable : 0n,
      // The host receives what the instance sends.
      netInBytes: sent,
      netOutBytes: received,
      diskWrittenBytes: writtenIn(this.#text('io')),
      dataBytes: this.#held(),
      pids: Number(whole(this.#text('pids'))),
    };
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
  }

  #keep(name: string, path: string): void {
    this.#files.set(name, new KeptFile(path));
  }

  #text(name: string): string | null {
    return this.#files.get(name)?.read() ?? null;
  }
}
