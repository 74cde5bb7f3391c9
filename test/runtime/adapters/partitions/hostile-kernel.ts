/**
 * What a hostile program does to the kernel it shares with others, each under small limits: it is refused, or it hurts
 * nobody but itself, and pays for it.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { findLayout } from '../../../../runtime/adapters/partitions/cgroup-layout.ts';
import { isAlive } from '../../../../runtime/adapters/partitions/state.ts';
import type { Bench } from './bench.ts';
import { boardCpuMicros } from './board-cpu.ts';

/** Each line does one thing that must not work. */
const POKES = `
  try() { name=$1; shift; if "$@" > /dev/null 2>&1; then echo "$name worked"; else echo "$name refused"; fi; }
  { try sysrq busybox sh -c 'echo h > /proc/sysrq-trigger'
    try core-pattern busybox sh -c 'echo "|/data/x" > /proc/sys/kernel/core_pattern'
    try hostname busybox sh -c 'echo x > /proc/sys/kernel/hostname'
    try kcore busybox sh -c 'busybox head -c 1 /proc/kcore | busybox grep .'
    try keys busybox grep . /proc/keys
    try uevent-helper busybox sh -c 'echo /data/x > /sys/kernel/uevent_helper'
    try release-agent busybox sh -c 'mkdir /tmp/c && busybox mount -t cgroup -o memory none /tmp/c'
    try cgroups busybox sh -c 'busybox ls /sys/fs/cgroup | busybox grep .'
    try tmpfs busybox mount -t tmpfs none /tmp
    try remount busybox mount -o remount,rw /
    try user-namespace busybox unshare -U busybox true
    try mount-namespace busybox unshare -m busybox true
    try device busybox mknod /data/zero c 1 5
    try disk busybox mknod /tmp/disk b 8 0
    try oom-score busybox sh -c 'echo -1000 > /proc/self/oom_score_adj'
    try set-user-id busybox sh -c 'busybox cp /bin/busybox /data/su && busybox chown 0 /data/su'
    try nice busybox nice -n -5 busybox true
    try nothing busybox true
    try host-root busybox sh -c 'busybox ls /proc/1/root/work /proc/1/cwd/../../../home 2> /dev/null | busybox grep .'
  } > /data/next; busybox mv /data/next /data/report; exec busybox sleep 1000`;

const COUNTS = 'i=0; while :; do i=$((i+1)); echo $i > /data/next; busybox mv /data/next /data/count; busybox sleep 0.05; done';

/** A bomb each, and what it is given to burst in. */
const BOMBS: [string, string, { memoryMib?: number; cpuMillis?: number; pids?: number }][] = [
  // The shell that cannot fork ends, and leaves what it made to the first process, which lives on.
  ['forks', '(while :; do busybox sh -c "while :; do :; done" & done) & exec busybox sleep 1000', { pids: 12, cpuMillis: 200 }],
  ['memory', 'while :; do busybox tail /dev/zero; done', { memoryMib: 16, cpuMillis: 300 }],
  ['tiny writes', 'while :; do echo x > /data/a; echo y > /data/b; busybox sync /data/a; done', { cpuMillis: 200 }],
  ['pipes', 'busybox yes | busybox cat > /dev/null', { cpuMillis: 200 }],
];
const BURSTS_MS = 1_500;
/** The counts of one and of all are read one after the other, and what is awaited in between goes on. */
const SKEW_MICROS = 30_000 * Number(process.env.LICHEN_SLOWNESS ?? 1);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const hostileKernel = (bench: () => Bench): void => {
  it('what every program may ask of the kernel is refused where it would reach beyond the partition [escape]', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, POKES) });
    const lines = (await bench().report(partition)).trim().split('\n');
    // One that must work, or a shell that can do nothing at all would pass.
    expect(lines.filter((line) => !line.endsWith(' refused'))).toEqual(['nothing worked']);
    expect(lines).toHaveLength(19);
    await bench().end(partition);
  });

  it.each(BOMBS)(
    'a bomb of %s bursts in its own partition: the neighbour goes on, and the bomb pays [escape]',
    async (_name, script, limits) => {
      const [bomb, neighbour] = [bench().partition(), bench().partition()];
      const count = (): number => Number(readFileSync(bench().data(neighbour, 'count'), 'utf8'));
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(neighbour, COUNTS) });
      await bench().report(neighbour, 'count');
      const board = (): bigint => {
        const layout = findLayout();
        if (layout === null) throw new Error('there are no cgroups');
        return boardCpuMicros(layout, bench().board);
      };
      const [before, boardBefore] = [await bench().counters(neighbour), board()];
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(bomb, script, { limits }) });
      const counted = count();
      await pause(BURSTS_MS);
      expect(count()).toBeGreaterThan(counted + 2);
      const [used, beside, boardAfter] = [await bench().end(bomb), await bench().counters(neighbour), board()];
      expect(used.cpuMicros).toBeGreaterThan(20_000n);
      // Nothing of it is nobody's, and nothing the neighbour's beside what that used itself.
      const unpaid = Number(boardAfter - boardBefore - used.cpuMicros - (beside.cpuMicros - before.cpuMicros));
      expect(Math.abs(unpaid)).toBeLessThan(SKEW_MICROS + 0.02 * Number(boardAfter - boardBefore));
      expect(used.pids).toBe(0);
      await bench().end(neighbour);
    },
  );

  it('who kills all that it can reach ends itself, and neither its reaper nor its neighbour [escape]', async () => {
    const [killer, neighbour] = [bench().partition(), bench().partition()];
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(neighbour, COUNTS) });
    await bench().report(neighbour, 'count');
    const script =
      'busybox sleep 1000 & for pid in $(busybox seq 2 400); do busybox kill -9 $pid 2> /dev/null; done; busybox kill -9 -1; exit 5';
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(killer, script) });
    expect((await bench().life.exited(killer)).exit.code).toBe(5);
    const { reaper } = JSON.parse(readFileSync(`${bench().dataPath}/partitions/${neighbour}/state.json`, 'utf8'));
    expect(isAlive(reaper)).toBe(true);
    await bench().end(killer);
    await bench().end(neighbour);
  });
};
