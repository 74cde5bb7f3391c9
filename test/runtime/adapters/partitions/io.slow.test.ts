/** How fast an instance reads and writes the card, and what of it is metered, where the kernel counts and limits both (cgroup v2). */
import { readFileSync } from 'node:fs';
import { describe, expect, it, type TestContext } from 'vitest';
import { diskOf } from '../../../../runtime/adapters/partitions/card.ts';
import { boardName } from '../../../../runtime/adapters/partitions/names.ts';
import { pauseMs } from '../../../../runtime/adapters/partitions/run.ts';
import type { PartitionLimits } from '../../../../runtime/ports/partitions.ts';
import type { Bench } from './bench.ts';
import { onCrun, withBench } from './on-crun.ts';

const MIB = 1024 * 1024;
/** By which an emulated machine is late. */
const SLOWNESS = Number(process.env.LICHEN_SLOWNESS ?? 1);

const suite = (bench: () => Bench): void => {
  const start = async (script: string, limits: Partial<PartitionLimits> = {}): Promise<string> => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script, { limits }) });
    return partition;
  };
  const needsLimit = (context: TestContext): void => {
    if (!bench().life.enforcement.io) context.skip('this kernel limits no reading and writing');
  };
  /** Hundredths of a second that a command took, told in a file once it is over. */
  const timed = (command: string, name: string): string =>
    `now() { busybox cut -d' ' -f1 /proc/uptime | busybox tr -d .; }; a=$(now); ${command}; b=$(now); echo $((b - a)) > /tmp/t; busybox mv /tmp/t /data/${name}`;

  it('is what the kernel was told, and nothing is left of it at the next start', async (context) => {
    needsLimit(context);
    const partition = await start('exec busybox sleep 1000', { readKibPerS: 4096, writeKibPerS: 512, ioOpsPerS: 100 });
    const told = (): string => readFileSync(`/sys/fs/cgroup/${boardName(bench().board)}/${partition}/io.max`, 'utf8').trim();
    expect(told()).toBe(`${diskOf(bench().dataPath)} rbps=${4096 * 1024} wbps=${512 * 1024} riops=100 wiops=100`);
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, 'exec busybox sleep 1000') });
    expect(told()).toBe('');
    await bench().end(partition);
  });

  it('holds a flood of writes to its rate, and makes nobody else wait for it [escape]', async (context) => {
    needsLimit(context);
    const RATE_KIB = 256;
    const FLOOD = 'while :; do busybox dd if=/dev/zero of=/data/big bs=64k count=64 conv=fsync 2> /dev/null; done';
    const began = performance.now();
    const flood = await start(FLOOD, { writeKibPerS: RATE_KIB });
    const written = async (): Promise<number> => Number((await bench().counters(flood)).diskWrittenBytes);
    while ((await written()) === 0) await pauseMs(50);
    const WRITE = timed('busybox dd if=/dev/zero of=/data/x bs=4k count=8 conv=fsync 2> /dev/null', 'report');
    const beside = await start(`${WRITE}; exec busybox sleep 1000`);
    // Each turn of the flood waits 16 s for its own.
    expect(Number(await bench().report(beside)), 'hundredths of a second').toBeLessThan(200 * SLOWNESS);
    const most = (RATE_KIB * 1024 * (performance.now() - began)) / 1000;
    expect(await written()).toBeLessThan(1.2 * most + MIB / 2);
    for (const partition of [flood, beside]) await bench().end(partition);
  });

  it('ends a program that has much to write without waiting at its rate', async (context) => {
    needsLimit(context);
    const partition = await start(
      'busybox dd if=/dev/zero of=/data/big bs=64k count=32 2> /dev/null; echo > /data/report; exec busybox sleep 1000',
      {
        writeKibPerS: 64,
      },
    );
    await bench().report(partition, 'report', 60_000);
    const began = performance.now();
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    expect(performance.now() - began).toBeLessThan(5_000 * SLOWNESS);
    await bench().end(partition);
  });

  it('ends a program that waits for the card at its rate', async (context) => {
    needsLimit(context);
    // Its fsync would take two minutes.
    const partition = await start(
      'busybox dd if=/dev/zero of=/data/big bs=64k count=128 conv=fsync 2> /dev/null; exec busybox sleep 1000',
      {
        writeKibPerS: 64,
      },
    );
    while ((await bench().counters(partition)).diskWrittenBytes === 0n) await pauseMs(50);
    const began = performance.now();
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    expect(performance.now() - began).toBeLessThan(5_000 * SLOWNESS);
    await bench().end(partition);
  });

  it('is metered with what the kernel had not written yet when the instance ended', async (context) => {
    if (!bench().life.enforcement.disk) context.skip('this kernel does not count what is written');
    const partition = await start(
      'busybox dd if=/dev/zero of=/data/big bs=64k count=48 2> /dev/null; echo > /data/report; exec busybox sleep 1000',
    );
    await bench().report(partition);
    const { counters } = await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    expect(Number(counters.diskWrittenBytes)).toBeGreaterThanOrEqual(3 * MIB);
    expect(Number(counters.diskWrittenBytes)).toBeLessThan(3.3 * MIB);
    await bench().end(partition);
  });
};

onCrun('reading and writing of partitions', () => describe('of the card', () => suite(withBench())));
