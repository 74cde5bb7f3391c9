/** `/data` with an end: by the card's own project quotas where it counts by project, else by an image on a loop device. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { mountOf } from '../../../../runtime/adapters/partitions/data-project.ts';
import type { KeptData, PartitionLimits } from '../../../../runtime/ports/partitions.ts';
import type { Bench } from './bench.ts';
import { onCrun, withBench } from './on-crun.ts';

/** What it says is how it is asked: in an image, its `/data` lies where no path of the board leads to. */
const heard = async (bench: Bench, partition: string, ends: string): Promise<string> => {
  let text = '';
  const came = async (): Promise<boolean> => {
    ({ text } = await bench.life.do({ kind: 'log', partition, from: 0, tailBytes: 0, waitMs: 0, tag: '' }));
    return text.includes(ends);
  };
  for (let tries = 0; tries < 80 && !(await came()); tries += 1) await new Promise((resolve) => setTimeout(resolve, 100));
  expect(text).toContain(ends);
  return text;
};

const MOUNTS = (): string => readFileSync('/proc/self/mounts', 'utf8');
const byProject = (bench: Bench): boolean => bench.life.enforcement.engine.endsWith('project quotas');
const imageOf = (bench: Bench, partition: string): string => `${bench.dataPath}/partitions/${partition}/data.img`;
const loops = (): string =>
  readdirSync('/sys/block')
    .map((name) => {
      const path = `/sys/block/${name}/loop/backing_file`;
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    })
    .join('');

/** What a hostile program does to a disk, against a limit that is small so that it costs the machine nothing. */
const endsOfData = (bench: () => Bench): void => {
  const start = (partition: string, script: string, limits = {}) =>
    bench().life.do({
      kind: 'start',
      deadlineMonoMs: null,
      spec: bench().spec(partition, script, { limits: { dataMib: 4, dataInodes: 64, ...limits } }),
    });

  it('hold bytes and inodes, without set-user-id programs and devices, and the neighbour has its own [escape]', async () => {
    const [full, other] = [bench().partition(), bench().partition()];
    const script = `
      busybox grep ' /data ' /proc/mounts
      busybox dd if=/dev/zero of=/data/big bs=64k count=256 2>&1 | busybox tail -n 1; busybox stat -c '%s bytes' /data/big
      busybox ls /data
      busybox rm /data/big
      i=0; while [ $i -lt 400 ] && busybox touch /data/f$i 2> /dev/null; do i=$((i+1)); done; echo "made $i"
      busybox touch /data/one-more 2> /dev/null && echo more; echo over; exec busybox sleep 1000`;
    await start(full, script);
    const text = await heard(bench(), full, 'over');
    expect(text).toMatch(/ \/data ext4 rw,nosuid,nodev/);
    expect(text).not.toContain('lost+found');
    expect(Number(/ o (\d+) bytes/.exec(text)?.[1])).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect(Number(/made (\d+)/.exec(text)?.[1])).toBeLessThanOrEqual(64);
    expect(Number(/made (\d+)/.exec(text)?.[1])).toBeGreaterThan(32);
    expect(text).not.toContain(' more');
    if (byProject(bench())) expect(existsSync(imageOf(bench(), full))).toBe(false);
    else expect(statSync(imageOf(bench(), full)).blocks * 512).toBeLessThanOrEqual(4 * 1024 * 1024);
    expect((await bench().counters(full)).dataBytes).toBeGreaterThan(0n);
    expect((await bench().counters(full)).dataBytes).toBeLessThanOrEqual(4n * 1024n * 1024n);
    await start(other, 'echo moin > /data/x && busybox cat /data/x; exec busybox sleep 1000');
    await heard(bench(), other, 'moin');
    await bench().end(full);
    await bench().end(other);
    expect(loops()).not.toContain(bench().dataPath);
  });

  it('are of its own uid, stay through a restart of the instance, of the runtime and a removal, and lie nowhere else', async () => {
    const partition = bench().partition();
    const script =
      'echo x >> /data/kept; echo "lines $(busybox wc -l < /data/kept) by $(busybox stat -c %u /data) $(busybox id -u)"; exec busybox sleep 1000';
    await start(partition, script);
    const [, owner, own] = / by (\d+) (\d+)/.exec(await heard(bench(), partition, 'lines 1 ')) ?? [];
    expect(owner).toBe(own);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(bench().dataPath);
    await bench().restart();
    await bench().life.do({ kind: 'survey' });
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    await start(partition, script);
    await heard(bench(), partition, 'lines 2 ');
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    await bench().life.do({ kind: 'remove', partition, data: false });
    expect(readdirSync(`${bench().dataPath}/partitions/${partition}`).sort()).toEqual(byProject(bench()) ? ['data'] : ['data', 'data.img']);
    await start(partition, script);
    await heard(bench(), partition, 'lines 3 ');
    await bench().end(partition);
    expect(existsSync(imageOf(bench(), partition))).toBe(false);
    expect(loops()).not.toContain(bench().dataPath);
  });

  it('come back as a former release left them, with their end, also when that had none [instances-27]', async () => {
    const partition = bench().partition();
    const run = async (script: string, kept: KeptData, ends: string, limits: PartitionLimits | object): Promise<string> => {
      const spec = bench().spec(partition, `${script}; echo ${ends}; exec busybox sleep 1000`, { limits });
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: { ...spec, kept } });
      const text = await heard(bench(), partition, ends);
      await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
      await bench().life.do({ kind: 'remove', partition, data: false });
      return text;
    };
    const [ended, endless] = [{ dataMib: 4, dataInodes: 64 }, {}];
    const fill = 'busybox dd if=/dev/zero of=/data/big bs=64k count=256 2> /dev/null; echo "size $(busybox stat -c %s /data/big)"';
    await run('echo old > /data/of', 'drop', 'one', endless);
    await run(`echo new > /data/of; ${fill}`, 'take', 'two', ended);
    expect(await run('busybox cat /data/of; busybox ls /data', 'return', 'three', ended)).toMatch(/ old\n(?!.*big)/s);
    await run('echo newer > /data/of', 'take', 'four', ended);
    const text = await run(`busybox cat /data/of; ${fill}`, 'return', 'five', ended);
    expect(text).toMatch(/ old\n/);
    expect(Number(/size (\d+)/.exec(text)?.[1])).toBeLessThanOrEqual(4 << 20);
    expect(await run('busybox cat /data/of', 'return', 'six', ended)).toMatch(/ old\n/);
    await bench().life.do({ kind: 'remove', partition, data: true });
    expect(loops()).not.toContain(bench().dataPath);
  });

  it('are got by an heir with what was kept without one, and keep it when he asks for none', async () => {
    const [without, within, after] = [bench().partition(), bench().partition(), bench().partition()];
    const leave = async (partition: string, heir: string) => {
      await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
      await bench().life.do({ kind: 'remove', partition, data: true, heir });
    };
    const read = 'busybox cat /data/kept; busybox grep -c " /data ext4 rw,nosuid" /proc/mounts; echo over; exec busybox sleep 1000';
    await bench().life.do({
      ...{ kind: 'start', deadlineMonoMs: null },
      spec: bench().spec(without, 'echo of old > /data/kept; echo over; exec busybox sleep 1000'),
    });
    await heard(bench(), without, 'over');
    await leave(without, within);
    await start(within, read);
    expect(await heard(bench(), within, 'over')).toMatch(/of old\n.* 1\n/s);
    await leave(within, after);
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(after, read) });
    expect(await heard(bench(), after, 'over')).toMatch(/of old\n.* 1\n/s);
    await bench().end(after);
    expect(loops()).not.toContain(bench().dataPath);
  });
};

/** What only the card's own counting can do, where it does. */
const projects = (bench: () => Bench): void => {
  const start = (partition: string, script: string, dataMib: number) =>
    bench().life.do({
      kind: 'start',
      deadlineMonoMs: null,
      spec: bench().spec(partition, script, { limits: { dataMib, dataInodes: 64 } }),
    });
  const end = (partition: string): number => {
    const { blocks, bsize } = statfsSync(bench().data(partition));
    return blocks * bsize;
  };
  const fill = (word: string): string =>
    `busybox dd if=/dev/zero of=/data/big bs=64k count=256 2> /dev/null; echo "${word} $(busybox stat -c %s /data/big)"`;

  it('move with the next release, for what is there already', async (context) => {
    if (!byProject(bench())) context.skip('this card does not count by project');
    const partition = bench().partition();
    await start(partition, `${fill('first')}; exec busybox sleep 1000`, 4);
    await heard(bench(), partition, 'first');
    expect(end(partition)).toBe(4 << 20);
    expect((await bench().counters(partition)).dataBytes).toBeGreaterThan(3n << 20n);
    await bench().life.do({ kind: 'stop', partition, graceMs: 0 });
    await start(partition, `${fill('second')}; exec busybox sleep 1000`, 6);
    const text = await heard(bench(), partition, 'second');
    expect(Number(/second (\d+)/.exec(text)?.[1])).toBeGreaterThan(4 << 20);
    expect(end(partition)).toBe(6 << 20);
    await bench().end(partition);
  });

  it('are not left by giving files to another project, and are forgotten with the data [escape]', async (context) => {
    if (!byProject(bench())) context.skip('this card does not count by project');
    const partition = bench().partition();
    // Whoever may set flags takes the mark off /data with which its files come into the project.
    const flags = 'open(my $d, "<", "/data"); my $f = pack("l", 0); print ioctl($d, 0x40086602, $f) ? "freed\n" : "held $!\n"';
    await start(partition, `/usr/bin/perl -e '${flags}'; ${fill('filled')}; exec busybox sleep 1000`, 4);
    const text = await heard(bench(), partition, 'filled');
    expect(text).toMatch(/held Operation not permitted/);
    expect(Number(/filled (\d+)/.exec(text)?.[1])).toBeLessThanOrEqual(4 << 20);
    const { uid } = statSync(bench().data(partition));
    const known = (): string =>
      execFileSync('xfs_quota', ['-x', '-f', '-c', 'report -p -n', mountOf(bench().dataPath, MOUNTS()) ?? '/']).toString();
    expect(known()).toContain(`#${uid}`);
    await bench().end(partition);
    expect(known()).not.toContain(`#${uid}`);
  });
};

onCrun('data of partitions', () =>
  describe('ends of /data', () => {
    const bench = withBench();
    endsOfData(bench);
    projects(bench);
  }),
);
