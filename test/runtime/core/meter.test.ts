import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advance, meterFrom, registersOf, type Sample } from '../../../runtime/core/meter.ts';
import type { Instance, Meter } from '../../../runtime/core/tables.ts';
import { ZERO } from '../../../runtime/protocol/money.ts';
import { REGISTERS, type Registers } from '../../../runtime/protocol/nouns/board.ts';
import { lease } from '../../support/federation.ts';
import { runs } from '../../support/properties.ts';

const instanceAt = (registers: Registers): Instance => ({
  ...{
    lease: lease({ on: 'board 1' }),
    request: new Uint8Array(32),
    asked: null,
    sequence: 1,
    wanted: 'started',
    opened: true,
    closed: false,
    unpaid: false,
  },
  ...{ registers, base: registers, bootId: 'boot', recordedMonoMs: 0 },
  ...{ wants: '', given: '', bang: 0, banged: 0, supersededMonoMs: null, holdMs: null },
  ...{ listed: [], shares: [] },
  ...{ fallback: null, trial: 'open', failure: '', begun: 0, outcome: null, windows: null, began: null, left: null, hook: 'none' },
});
const start = (registers: Registers = ZERO, monoMs = 0): Meter => meterFrom(instanceAt(registers), monoMs);
const sampleOf = (changes: Partial<Sample> = {}): Sample => ({
  ...{ cpuMicros: 0n, memoryBytes: 0n, netInBytes: 0n, netOutBytes: 0n, diskWrittenBytes: 0n, dataBytes: 0n },
  ...changes,
});
const MIB = 1_048_576n;

describe('a meter', () => {
  test('adds the counters to what was there when the cgroup was made', () => {
    const base = { ...ZERO, cpuMicros: 100n, netInBytes: 7n, diskBytes: 1n };
    const meter = advance(start(base), sampleOf({ cpuMicros: 5n, netInBytes: 1n, netOutBytes: 2n, diskWrittenBytes: 3n }), 0, true);
    expect(registersOf(meter)).toEqual({ ...ZERO, cpuMicros: 105n, netInBytes: 8n, netOutBytes: 2n, diskBytes: 4n });
  });

  test('sums what /data takes over the same time', () => {
    const used = advance(start({ ...ZERO, diskMibS: 4n }, 1000), sampleOf({ dataBytes: 5n * MIB }), 3000, true);
    expect(registersOf(used)).toEqual({ ...ZERO, wallMs: 2000n, diskMibS: 14n });
    expect(registersOf(advance(used, sampleOf({ dataBytes: 5n * MIB }), 9000, false)).diskMibS).toBe(14n);
  });

  test('sums time and memory·time over what was granted, and over nothing else', () => {
    const used = advance(start(ZERO, 1000), sampleOf({ memoryBytes: 3n * MIB }), 3000, true);
    expect(registersOf(used)).toEqual({ ...ZERO, wallMs: 2000n, memoryMibS: 6n });
    const idle = advance(used, sampleOf({ memoryBytes: 3n * MIB }), 9000, false);
    expect(registersOf(idle)).toEqual(registersOf(used));
    expect(registersOf(advance(idle, sampleOf(), 9500, true)).wallMs).toBe(2500n);
  });

  test('keeps what is below one MiB·s for the next sample', () => {
    let meter = start();
    for (let i = 1; i <= 10; i++) meter = advance(meter, sampleOf({ memoryBytes: MIB }), i * 250, true);
    expect(registersOf(meter).memoryMibS).toBe(2n);
  });

  test('takes a clock that steps back for one that stands', () => {
    const meter = advance(start(ZERO, 1000), sampleOf({ memoryBytes: MIB }), 500, true);
    expect([registersOf(meter), meter.atMonoMs]).toEqual([ZERO, 500]);
  });
});

const counter = fc.bigInt({ min: 0n, max: 2n ** 40n });
const anySample: fc.Arbitrary<Sample> = fc.record({
  ...{ cpuMicros: counter, memoryBytes: counter, netInBytes: counter, netOutBytes: counter, diskWrittenBytes: counter, dataBytes: counter },
});

test('no register ever falls, whatever the kernel and the clock say (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anySample, fc.integer({ min: 0, max: 10_000 }), fc.boolean()), { maxLength: 12 }), (samples) => {
      let meter = start();
      for (const [sample, monoMs, running] of samples) {
        const before = registersOf(meter);
        meter = advance(meter, sample, monoMs, running);
        for (const name of REGISTERS) expect(registersOf(meter)[name]).toBeGreaterThanOrEqual(before[name]);
      }
    }),
    runs(200),
  );
});

/** Several lives of a partition: counters grow within a life and begin at 0 in the next. */
const lives = fc.array(fc.array(fc.tuple(anySample, fc.integer({ min: 0, max: 5000 })), { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 5,
});

const grown = (a: Sample, b: Sample): Sample => ({
  cpuMicros: a.cpuMicros + b.cpuMicros,
  memoryBytes: b.memoryBytes,
  netInBytes: a.netInBytes + b.netInBytes,
  netOutBytes: a.netOutBytes + b.netOutBytes,
  diskWrittenBytes: a.diskWrittenBytes + b.diskWrittenBytes,
  dataBytes: b.dataBytes,
});

test('over restarts of the partition nothing counted is lost and nothing is counted twice (property)', () => {
  fc.assert(
    fc.property(lives, (given) => {
      let base = ZERO;
      let monoMs = 0;
      let total = sampleOf();
      let [wallMs, byteMs, dataByteMs] = [0n, 0n, 0n];
      for (const life of given) {
        let meter = start(base, monoMs);
        let counters = sampleOf();
        for (const [more, elapsedMs] of life) {
          monoMs += elapsedMs;
          counters = grown(counters, more);
          total = grown(total, more);
          wallMs += BigInt(elapsedMs);
          byteMs += more.memoryBytes * BigInt(elapsedMs);
          dataByteMs += more.dataBytes * BigInt(elapsedMs);
          meter = advance(meter, counters, monoMs, true);
          // The runtime itself may end at any moment: a sample seen again by its next life changes nothing.
          expect(advance(meter, counters, monoMs, true)).toEqual(meter);
        }
        base = registersOf(meter);
        monoMs += 1000;
      }
      expect(base.cpuMicros).toBe(total.cpuMicros);
      expect([base.netInBytes, base.netOutBytes, base.diskBytes]).toEqual([total.netInBytes, total.netOutBytes, total.diskWrittenBytes]);
      expect(base.wallMs).toBe(wallMs);
      // A life ends on a whole MiB·s, in the tenant's favour.
      for (const short of [byteMs / (MIB * 1000n) - base.memoryMibS, dataByteMs / (MIB * 1000n) - base.diskMibS]) {
        expect(short).toBeGreaterThanOrEqual(0n);
        expect(short).toBeLessThanOrEqual(BigInt(given.length));
      }
    }),
    runs(200),
  );
});
