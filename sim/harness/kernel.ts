/**
 * What the kernel counted, read by the harness itself: the bill is checked against this and never against Lichen's own
 * sums. A partition's group is found by the name of its lease, wherever the engine put it.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

const groupsUnder = (tree: string, lease: string): string[] => {
  if (!existsSync(tree)) return [];
  return readdirSync(tree, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith('lichen-'))
    .map((entry) => join(tree, entry.name, lease))
    .filter(existsSync);
};

/** CPU time of a lease's group and all below it, in whole microseconds; null when it has none. */
const groupCpuMicrosOf = (lease: string): bigint | null => {
  const [v1] = groupsUnder(join(ROOT, 'cpuacct'), lease);
  if (v1 !== undefined) return BigInt(readFileSync(join(v1, 'cpuacct.usage'), 'utf8').trim()) / 1000n;
  const [v2] = groupsUnder(ROOT, lease);
  const usage = v2 === undefined ? undefined : /^usage_usec (\d+)$/m.exec(readFileSync(join(v2, 'cpu.stat'), 'utf8'))?.[1];
  return usage === undefined ? null : BigInt(usage);
};

const procsUnder = (group: string): number[] => {
  const own = readFileSync(join(group, 'cgroup.procs'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
  const below = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...own, ...below.flatMap((entry) => procsUnder(join(group, entry.name)))];
};

/** Fields of /proc/<pid>/stat from the third on (proc_pid_stat(5)); null when it is gone. */
const statOf = (pid: number): string[] | null => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .trim()
      .split(' ');
  } catch {
    return null;
  }
};

const allPids = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** Name under which the dev engine starts the shell that outlives the runtime; the path of the exit file, and with it the lease, follows. */
const REAPER_NAME = 'lichen-reaper';

const isReaperOf = (lease: string, pid: number): boolean => {
  const words = argumentsOf(pid).split('\0');
  const at = words.indexOf(REAPER_NAME);
  return at >= 0 && words[at + 1]?.endsWith(`/${lease}`) === true;
};

/** Where there are no groups: the lease's reaper and all below it. Not whoever names the lease: a probe that looks in does so, too. */
const familyOf = (lease: string): number[] => {
  const parents = new Map(allPids().map((pid) => [pid, Number(statOf(pid)?.[1] ?? 0)]));
  const family = new Set(allPids().filter((pid) => isReaperOf(lease, pid)));
  for (let grown = -1; grown !== family.size; ) {
    grown = family.size;
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid);
  }
  return [...family];
};

/** In clock ticks of 10 ms: own time and that of children waited for. */
const familyCpuMicrosOf = (lease: string): bigint | null => {
  const family = familyOf(lease);
  if (family.length === 0) return null;
  const ticks = family.map((pid) => (statOf(pid) ?? []).slice(11, 15).reduce((sum, field) => sum + Number(field), 0));
  return BigInt(ticks.reduce((sum, own) => sum + own, 0)) * 10_000n;
};

/** What the kernel says a lease has used: exactly where it has a group, else what /proc says of its processes while they live. */
export const cpuMicrosOf = (lease: string): bigint | null => groupCpuMicrosOf(lease) ?? familyCpuMicrosOf(lease);

/** A lease's processes: those of its group, or its family where it has none. */
const pidsOf = (lease: string): number[] => {
  const [group] = [...groupsUnder(join(ROOT, 'cpuacct'), lease), ...groupsUnder(ROOT, lease)];
  return group === undefined ? familyOf(lease) : procsUnder(group);
};

/** Processes of a lease with their start times, so that a pid used again is not taken for the same process. */
export const processesOf = (lease: string): string[] =>
  pidsOf(lease).flatMap((pid) => {
    const start = startOf(pid);
    return start === null ? [] : [`${pid}@${start}`];
  });

const threadsOf = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`);
  } catch {
    return [];
  }
};

/**
 * Nanoseconds that each thread of a lease has run (first field of schedstat, https://docs.kernel.org/scheduler/sched-stats.html). An
 * instance that only answers its probes fills a clock tick of 10 ms in ten seconds or in a minute; here it is seen at once. Threads that
 * end take their time with them, so this tells whether something ran and not how much.
 */
export const threadNanosOf = (lease: string): Map<string, bigint> => {
  const nanos = new Map<string, bigint>();
  for (const path of pidsOf(lease).flatMap(threadsOf)) {
    try {
      nanos.set(path, BigInt(readFileSync(path, 'utf8').split(' ')[0] ?? 0));
    } catch {
      // It has ended since it was listed.
    }
  }
  return nanos;
};

/** In clock ticks since boot; null when it is gone. */
const startOf = (pid: number): string | null => statOf(pid)?.[19] ?? null;

export const rssBytesOf = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;

/** What must not be left behind: groups, network namespaces, mounts and processes that carry one of these names. */
export const leftovers = (names: string[]): string[] => {
  const named = (text: string): boolean => names.some((name) => text.includes(name));
  const trees = [
    ROOT,
    ...readdirSync(ROOT, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(ROOT, entry.name)),
  ];
  const groups = trees.flatMap((tree) =>
    readdirSync(tree)
      .filter((name) => name.startsWith('lichen-') && named(name))
      .map((name) => join(tree, name)),
  );
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n').filter(named);
  const spaces = existsSync('/run/netns') ? readdirSync('/run/netns').filter(named) : [];
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid && named(commandOf(name)));
  return [
    ...groups,
    ...mounts,
    ...spaces.map((space) => `netns ${space}`),
    ...processes.map((pid) => `process ${pid} ${commandOf(pid).replaceAll('\0', ' ').slice(0, 80)}`),
  ];
};

/** Separated by NUL; empty when it is gone. */
const argumentsOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};

const commandOf = (pid: string): string => {
  try {
    return `${argumentsOf(Number(pid))} ${readlinkSync(`/proc/${pid}/cwd`)}`;
  } catch {
    return '';
  }
};
