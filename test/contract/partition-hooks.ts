/** What every engine must do with the hooks of `/data` around an update. */
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { PartitionSpec } from '../../runtime/ports/partitions.ts';
import type { Bench } from '../runtime/adapters/partitions/bench.ts';

const WRITE = 'busybox id -u > /data/uid; echo old > /data/of; echo done > /data/report; exec busybox sleep 1000';

export const partitionHooks = (bench: () => Bench): void => {
  const read = (partition: string, name: string): string => readFileSync(bench().data(partition, name), 'utf8').trim();
  const start = (partition: string, script: string, more: Partial<Omit<PartitionSpec, 'limits'>> = {}) =>
    bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script, more) });
  const stop = (partition: string) => bench().life.do({ kind: 'stop', partition, graceMs: 0 });
  const hook = (partition: string, script: string, more: Partial<Omit<PartitionSpec, 'limits'>> = {}) =>
    start(partition, script, { hook: 'after', ...more });

  /** What a release has left, which is about to be replaced. */
  const left = async (): Promise<string> => {
    const partition = bench().partition();
    await start(partition, WRITE);
    await bench().report(partition);
    await stop(partition);
    await bench().life.do({ kind: 'remove', partition, data: false });
    return partition;
  };
  /** What a program finds that begins now. */
  const found = async (partition: string, more: Partial<Omit<PartitionSpec, 'limits'>>): Promise<string> => {
    await start(partition, 'busybox cat /data/of > /data/next; busybox mv /data/next /data/found; exec busybox sleep 1000', more);
    return (await bench().report(partition, 'found')).trim();
  };

  it('runs with the data, the user and the limits of its program, is metered as that is, and its words are kept', async () => {
    const partition = await left();
    const script = `busybox id -u > /data/hook; echo new > /data/of; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
      busybox dd if=/dev/zero of=/tmp/full bs=64k count=64 2> /data/tmp; echo moved 3 rows`;
    await hook(partition, script);
    expect((await bench().life.exited(partition)).exit).toMatchObject({ signal: null });
    const { exit, counters, said } = await stop(partition);
    expect([exit.code ?? 0, said]).toEqual([0, 'moved 3 rows']);
    expect(counters.cpuMicros).toBeGreaterThan(0n);
    expect(read(partition, 'hook')).toBe(read(partition, 'uid'));
    expect(read(partition, 'tmp')).toMatch(/No space left/);
    // It was done: the next program begins on what it made, and the way back leads to what it found.
    expect(await found(partition, { kept: 'take', hooked: true })).toBe('new');
    await stop(partition);
    expect(await found(partition, { kept: 'return' })).toBe('old');
    await bench().end(partition);
  });

  it('that fails says how in its last line, and is undone before anything begins', async () => {
    const partition = await left();
    await hook(partition, 'echo half > /data/of; echo moving >&2; echo no such table >&2; busybox sleep 0.3; exit 3');
    await bench().life.exited(partition);
    const { exit, said } = await stop(partition);
    expect([exit.code, said]).toEqual([3, 'no such table']);
    expect(await found(partition, { kept: 'return' })).toBe('old');
    await bench().end(partition);
  });

  it('that does not end is ended, and begun anew from what it found the first time', async () => {
    const partition = await left();
    const script = 'was=$(busybox cat /data/of); echo "$was" >> /data/of; echo > /data/half; exec busybox sleep 1000';
    for (let i = 0; i < 2; i++) {
      await hook(partition, script);
      await bench().report(partition, 'half');
      await stop(partition);
      expect(read(partition, 'of')).toBe('old\nold');
    }
    expect(await found(partition, {})).toBe('old');
    await bench().end(partition);
  });

  it('goes on while the runtime is killed, and the next life hears how it ended', async () => {
    const partition = await left();
    await hook(partition, 'echo new > /data/of; echo > /data/begun; while [ ! -e /data/go ]; do busybox sleep 0.05; done; exit 4');
    await bench().report(partition, 'begun');
    const life = await bench().restart();
    const { found: partitions } = await life.do({ kind: 'survey' });
    expect(partitions).toContainEqual(expect.objectContaining({ partition, running: true }));
    expect(read(partition, 'of'), 'a survey undoes nothing of what runs').toBe('new');
    writeFileSync(bench().data(partition, 'go'), '');
    expect((await life.exited(partition)).exit.code).toBe(4);
    await bench().end(partition);
  });

  it('of what leaves finds the data as they are, and nothing is copied for it', async () => {
    const partition = await left();
    await hook(partition, 'echo dumped > /data/dump', { hook: 'before' });
    await bench().life.exited(partition);
    await stop(partition);
    expect(read(partition, 'dump')).toBe('dumped');
    expect(await found(partition, {})).toBe('old');
    expect(read(partition, 'dump')).toBe('dumped');
    await bench().end(partition);
  });
};
