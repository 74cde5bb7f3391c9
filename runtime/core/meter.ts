/**
 * From kernel counters to a lease's registers. Counters start at 0 with each cgroup, so registers are `base` (what
 * they were when this cgroup was made) plus the counters: a restart of the runtime loses nothing. Wall time,
 * memory·time and disk·time have no counter; they are summed over the time between two samples.
 */
import type { Registers } from '../protocol/nouns/board.ts';
import type { Instance, Meter } from './tables.ts';

const MIB = 1_048_576n;
const BYTE_MS_PER_MIB_S = MIB * 1000n;

/** What one sample says; the shape of the partitions door's counters. */
export interface Sample {
  cpuMicros: bigint;
  memoryBytes: bigint;
  netInBytes: bigint;
  netOutBytes: bigint;
  diskWrittenBytes: bigint;
  dataBytes: bigint;
}

export const meterFrom = (instance: Instance, monoMs: number): Meter => ({
  base: instance.base,
  cpuMicros: instance.registers.cpuMicros,
  netInBytes: instance.registers.netInBytes,
  netOutBytes: instance.registers.netOutBytes,
  diskBytes: instance.registers.diskBytes,
  wallMs: instance.registers.wallMs,
  memoryByteMs: instance.registers.memoryMibS * BYTE_MS_PER_MIB_S,
  dataByteMs: instance.registers.diskMibS * BYTE_MS_PER_MIB_S,
  atMonoMs: monoMs,
});

const atLeast = (value: bigint, floor: bigint): bigint => (value > floor ? value : floor);

/** Registers never fall, whatever a counter does. `running`: whether the time since the last sample was granted. */
export const advance = (meter: Meter, sample: Sample, monoMs: number, running: boolean): Meter => {
  const { base } = meter;
  const elapsed = running ? BigInt(Math.max(0, Math.round(monoMs - meter.atMonoMs))) : 0n;
  return {
    base,
    cpuMicros: atLeast(base.cpuMicros + sample.cpuMicros, meter.cpuMicros),
    netInBytes: atLeast(base.netInBytes + sample.netInBytes, meter.netInBytes),
    netOutBytes: atLeast(base.netOutBytes + sample.netOutBytes, meter.netOutBytes),
    diskBytes: atLeast(base.diskBytes + sample.diskWrittenBytes, meter.diskBytes),
    wallMs: meter.wallMs + elapsed,
    memoryByteMs: meter.memoryByteMs + sample.memoryBytes * elapsed,
    dataByteMs: meter.dataByteMs + sample.dataBytes * elapsed,
    atMonoMs: monoMs,
  };
};

export const registersOf = (meter: Meter): Registers => ({
  wallMs: meter.wallMs,
  cpuMicros: meter.cpuMicros,
  memoryMibS: meter.memoryByteMs / BYTE_MS_PER_MIB_S,
  netInBytes: meter.netInBytes,
  netOutBytes: meter.netOutBytes,
  diskBytes: meter.diskBytes,
  diskMibS: meter.dataByteMs / BYTE_MS_PER_MIB_S,
  energyMj: 0n,
});
