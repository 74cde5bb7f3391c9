/** The engine of a board. What it holds is tried by workloads that do what it must not let them do, small and bounded. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { linkOf } from '../../../../runtime/adapters/partitions/names.ts';
import { until } from '../../../../runtime/adapters/partitions/run.ts';
import { partitionsContract } from '../../../contract/partitions.ts';
import type { Bench } from './bench.ts';
import { onCrun } from './on-crun.ts';

/** Number of each system call on x86-64 and on arm64, and what it is called with; all must be refused as if forbidden. */
const FORBIDDEN: Record<string, { x64: number; arm64: number; args: string }> = {
  ptrace: { x64: 101, arm64: 117, args: '0, 0, 0, 0' }, // PTRACE_TRACEME
  process_vm_readv: { x64: 310, arm64: 270, args: '1, 0, 0, 0, 0, 0' },
  io_uring_setup: { x64: 425, arm64: 425, args: '1, 0' },
  unshare: { x64: 272, arm64: 97, args: '0x10000000' }, // CLONE_NEWUSER
  keyctl: { x64: 250, arm64: 219, args: '0, -3, 0, 0, 0' },
  bpf: { x64: 321, arm64: 280, args: '0, 0, 0' },
  userfaultfd: { x64: 323, arm64: 282, args: '0' },
  // FS_IOC_SETFLAGS and FS_IOC_FSSETXATTR: whose project is a file of?
  'ioctl-flags': { x64: 16, arm64: 29, args: '1, 0x40086602, 0' },
  'ioctl-project': { x64: 16, arm64: 29, args: '1, 0x401c5820, 0' },
  mount: { x64: 165, arm64: 40, args: '0, 0, 0, 0, 0' },
};

const callAll = (): string => {
  const calls = Object.entries(FORBIDDEN).map(([name, call]) => {
    const number = process.arch === 'arm64' ? call.arm64 : call.x64;
    return `$! = 0; syscall(${number}, ${call.args}); print "${name} ", $! + 0, "\\n";`;
  });
  return `open(STDOUT, '>', '/data/next'); ${calls.join(' ')} close(STDOUT); rename '/data/next', '/data/report'; sleep 1000;`;
};

const EPERM = 1;

const limits = (bench: () => Bench): void => {
  it('ends what takes more memory than it was given, and says that this was why [escape]', async () => {
    const partition = bench().partition();
    const spec = bench().spec(partition, '', { args: ['/bin/busybox', 'tail', '/dev/zero'], limits: { memoryMib: 16 } });
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec });
    expect((await bench().life.exited(partition)).exit).toEqual({ code: null, signal: 'SIGKILL', oomKilled: true });
    await bench().end(partition);
  });

  it('holds the number of processes [escape]', async () => {
    const partition = bench().partition();
    // The shell ends at the first fork that fails; a second one tells what it saw.
    const script =
      '(i=0; while [ $i -lt 32 ]; do i=$((i+1)); busybox sleep 1000 & echo $i > /data/forked; done); echo > /data/report; exec busybox sleep 1000';
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script, { limits: { pids: 16 } }) });
    await bench().report(partition);
    expect((await bench().counters(partition)).pids).toBeLessThanOrEqual(16);
    expect(Number(readFileSync(bench().data(partition, 'forked'), 'utf8'))).toBeLessThan(16);
    // The reaper writes what it hears a moment later.
    expect(await until(() => bench().log(partition).includes("can't fork"), 5_000), bench().log(partition)).toBe(true);
    await bench().end(partition);
  });

  it('shares out what there is of CPU time by what was promised, when all want all of it', async () => {
    const spin = 'for i in 1 2 3 4; do (while :; do :; done) & done; echo > /data/report; wait';
    const begun = async (cpuMillis: number): Promise<string> => {
      const partition = bench().partition();
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, spin, { limits: { cpuMillis } }) });
      await bench().report(partition);
      return partition;
    };
    // More than any machine that tests this has; neither is ever held by its quota.
    const [much, little] = [await begun(64_000), await begun(8_000)];
    const used = async (): Promise<[bigint, bigint]> => [
      (await bench().counters(much)).cpuMicros,
      (await bench().counters(little)).cpuMicros,
    ];
    const [from, since] = [await used(), performance.now()];
    await until(() => performance.now() - since > 3_000, 10_000);
    const to = await used();
    expect(Number(to[0] - from[0]) / Number(to[1] - from[1])).toBeGreaterThan(2);
    await bench().end(much);
    await bench().end(little);
  });

  it("throttles CPU time, and a flood of log lines is the flooder's own time [escape]", async () => {
    const partition = bench().partition();
    await bench().life.do({
      kind: 'start',
      deadlineMonoMs: null,
      spec: bench().spec(partition, 'exec busybox yes', { limits: { cpuMillis: 200 } }),
    });
    const { reaper } = JSON.parse(readFileSync(`${bench().dataPath}/partitions/${partition}/state.json`, 'utf8'));
    const cgroups = readFileSync(`/proc/${reaper.pid}/cgroup`, 'utf8');
    expect(cgroups).toMatch(
      new RegExp(
        `^[^/]*cpu[^/]*:/lichen-${bench().board.slice(0, 12)}/${partition}/m$|^0::/lichen-${bench().board.slice(0, 12)}/${partition}/m$`,
        'm',
      ),
    );
    const throttled = (): number => {
      const [tree] = ['/sys/fs/cgroup/cpu', '/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup'].filter((path) =>
        existsSync(`${path}/cpu.stat`),
      );
      const stat = readFileSync(`${tree}/lichen-${bench().board.slice(0, 12)}/${partition}/cpu.stat`, 'utf8');
      return Number(/nr_throttled (\d+)/.exec(stat)?.[1]);
    };
    expect(await until(() => throttled() > 3, 10_000), 'it was throttled').toBe(true);
    expect(bench().log(partition).length).toBeLessThan(1024 * 1024);
    await bench().end(partition);
  });
};

const walls = (bench: () => Bench): void => {
  it.skipIf(!existsSync('/usr/bin/perl'))('refuses the system calls of the table [escape]', async () => {
    const partition = bench().partition();
    await bench().life.do({
      kind: 'start',
      deadlineMonoMs: null,
      spec: bench().spec(partition, '', { args: ['/usr/bin/perl', '-e', callAll()] }),
    });
    const answers = Object.fromEntries(
      (await bench().report(partition))
        .trim()
        .split('\n')
        .map((line) => line.split(' ')),
    );
    expect(answers).toEqual(Object.fromEntries(Object.keys(FORBIDDEN).map((name) => [name, String(EPERM)])));
    await bench().end(partition);
  });

  it('runs an exec probe as the workload and on its account', async () => {
    const partition = bench().partition();
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, 'exec busybox sleep 1000') });
    const look =
      'busybox id -u > /data/uid; busybox grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/self/status > /data/status; busybox ls /proc/self/fd | busybox cat > /data/fds';
    const before = await bench().counters(partition);
    await bench().probe(partition, { kind: 'exec', args: ['/bin/busybox', 'sh', '-c', look] });
    const after = await bench().counters(partition);
    const read = (name: string): string => readFileSync(bench().data(partition, name), 'utf8').trim();
    expect(Number(read('uid'))).toBeGreaterThan(0x7000_0000);
    expect(read('status').split('\n')).toEqual(expect.arrayContaining(['CapEff:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2']));
    expect(read('fds').split('\n')).toEqual(['0', '1', '2', '3']);
    expect(after.cpuMicros).toBeGreaterThan(before.cpuMicros);
    await bench().end(partition);
  });

  it('gives each partition a uid of its own [escape]', async () => {
    const [one, two] = [bench().partition(), bench().partition()];
    const script = 'busybox id -u > /data/report; exec busybox sleep 1000';
    for (const partition of [one, two])
      await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script) });
    expect(await bench().report(one)).not.toBe(await bench().report(two));
    for (const partition of [one, two]) await bench().end(partition);
  });

  it('lets a partition answer the board but not ask it [escape]', async (context) => {
    if (!bench().life.enforcement.network) context.skip('this machine has no network namespaces');
    if (bench().life.enforcement.lacks.some((lack) => lack.includes('nftables'))) context.skip('nft is not installed');
    const partition = bench().partition();
    const script =
      'busybox httpd -p 8080 -h /data; echo > /data/up; while [ ! -e /data/go ]; do busybox sleep 0.05; done; busybox nc -w 1 fe80::1%eth0 8081 < /dev/null && echo open > /data/next || echo shut > /data/next; busybox mv /data/next /data/report; exec busybox sleep 1000';
    await bench().life.do({ kind: 'start', deadlineMonoMs: null, spec: bench().spec(partition, script) });
    await bench().report(partition, 'up');
    let asked = 0;
    const server = createServer((socket) => {
      asked += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen({ host: `fe80::1%${linkOf(bench().board, partition)}`, port: 8081 }, resolve));
    try {
      await bench().probe(partition, { kind: 'tcp', port: 8080 });
      await bench().probe(partition, { kind: 'exec', args: ['/bin/busybox', 'touch', '/data/go'] });
      expect((await bench().report(partition)).trim()).toBe('shut');
      expect(asked).toBe(0);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    await bench().end(partition);
  });
};

onCrun('partitions: crun', () =>
  partitionsContract({
    name: 'crun',
    tier: 'best',
    uid: null,
    more: (bench) => {
      it('is the engine that was found', () =>
        expect(bench().life.enforcement).toMatchObject({
          engine: expect.stringContaining('crun'),
          memory: true,
          cpu: true,
          pids: true,
          quota: true,
        }));
      limits(bench);
      walls(bench);
    },
  }),
);
