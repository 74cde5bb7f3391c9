/**
 * Finds what this kernel enforces by trying it: one trial partition is started with every limit and a real program,
 * what the kernel then says is read back, and all of it is taken away again.
 */
import { mkdirSync, rmSync } from 'node:fs';
import type { Enforcement } from '../../ports/partitions.ts';
import { asLichenError, LichenError } from '../../protocol/errors.ts';
import { NODE_INSIDE } from '../../protocol/program.ts';
import { diskOf, ioMaxOf } from './card.ts';
import { PartitionCgroup, WORKLOAD } from './cgroup.ts';
import { findLayout, type Layout } from './cgroup-layout.ts';
import { CrunEngine, runPathOf } from './crun-engine.ts';
import { holdsData } from './data-image.ts';
import { holdsProjects } from './data-project.ts';
import { armDeadman, bootMs, disarm } from './deadman.ts';
import { DevEngine, namespaceFlags } from './dev-engine.ts';
import { type DeviceRoots, kindsPresent } from './devices.ts';
import { boardTable, type Families } from './filter.ts';
import { give } from './given.ts';
import { boardName } from './names.ts';
import { Network } from './network.ts';
import { interpreterOf } from './node-engine.ts';
import { run, toolPath, until } from './run.ts';
import { type ProcessId, readText } from './state.ts';

export interface Detection {
  board: string;
  dataPath: string;
  nodePath: string;
  devices: DeviceRoots;
  /** Between two questions for what a DNS name of a rule means. */
  namesMs?: number | undefined;
}

export interface DetectedCrun {
  engine: CrunEngine;
  enforcement: Enforcement;
}

/** An id that no lease can have: an id is a hash. */
const TRIAL = 'trial'.padEnd(32, 'a');
const TRIAL_LIMITS = { memoryMib: 64, cpuMillis: 500, pids: 32, tmpMib: 1 };
const TRIAL_IO = { readKibPerS: 65_536, writeKibPerS: 65_536, ioOpsPerS: 4_096 };
const TRIAL_UID = 65_534;
const CRUN_MIN = [1, 21] as const;

/**
 * Far above what any of it takes (the whole trial: 0.2 s on a PC, 2.5 s on an emulated board under load). A board that
 * is merely busy must not be taken for one without crun, or it would run its tenants unlimited and unpaid.
 */
const PATIENCE_MS = 15_000;

const isInstalled = (tool: string): boolean => toolPath(tool) !== tool;

/** Errors: `unavailable`, `not-offered`. */
const versionOf = async (tool: string): Promise<string> => {
  const { code, stdout, timedOut } = await run(tool, ['--version'], { timeoutMs: PATIENCE_MS });
  if (timedOut)
    throw new LichenError('unavailable', `${tool} did not tell its version in ${PATIENCE_MS} ms; the board is too busy to start`);
  if (code !== 0) throw new LichenError('not-offered', `${tool} does not run: apt-get install ${tool}.`);
  return /\d+\.\d+(\.\d+)?/.exec(stdout)?.[0] ?? '';
};

const isRecent = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > CRUN_MIN[0] || (major === CRUN_MIN[0] && minor >= CRUN_MIN[1]);
};

/** What the kernel took of each limit, read where it holds. */
const heldLimits = (layout: Layout, cgroup: PartitionCgroup): { memory: boolean; cpu: boolean; pids: boolean } => {
  const v2 = layout.version === 2;
  const at = (controller: 'cpu' | 'memory' | 'pids', file: string): string =>
    (readText(`${cgroup.directory(controller)}/${file}`) ?? '').trim();
  return {
    memory: at('memory', `${WORKLOAD}/${v2 ? 'memory.max' : 'memory.limit_in_bytes'}`) === String(TRIAL_LIMITS.memoryMib * 1024 * 1024),
    cpu: v2 ? at('cpu', 'cpu.max') === '50000 100000' : at('cpu', 'cpu.cfs_quota_us') === '50000',
    pids: at('pids', `${WORKLOAD}/pids.max`) === String(TRIAL_LIMITS.pids),
  };
};

const isOn = (path: string): boolean => readText(`/proc/sys/net/${path}`)?.trim() === '1';

/** What this machine forwards. It is left as it is: it is the machine's, and of its image. */
const forwarded = (): Families => ({ v4: isOn('ipv4/ip_forward'), v6: isOn('ipv6/conf/all/forwarding') });

/** Whether the kernel would take the board's table; nothing is changed by asking. */
const translates = async (board: string): Promise<boolean> => {
  const families = forwarded();
  const policy = { outbound: [], dns: true, lan: false, links: [], publish: [{ outside: 1024, inside: 80, protocol: 'tcp' as const }] };
  const trial = { link: 'lichen', address: 'fd00::1', address4: '100.64.0.1', policy, pairs: [] };
  const asked = await run('nft', ['-c', '-f', '-'], { input: boardTable(boardName(board), [trial], families), timeoutMs: PATIENCE_MS });
  return (families.v4 || families.v6) && asked.code === 0;
};

interface OpenedNetwork {
  network: Network | null;
  filter: boolean;
  /** Whether anything passes between partitions and the world. */
  outside: boolean;
}

const networkOf = ({ board, namesMs }: Detection, filter: boolean, outside: boolean): OpenedNetwork & { network: Network } => {
  const families = outside ? forwarded() : { v4: false, v6: false };
  return { network: new Network({ board, runPath: runPathOf(board), filter, families, ...(namesMs && { namesMs }) }), filter, outside };
};

/** As much as this kernel has, found by asking for less and less. */
const openNetwork = async (detection: Detection, filter: boolean, outside: boolean): Promise<OpenedNetwork> => {
  for (const withFilter of filter ? [true, false] : [false]) {
    const opened = networkOf(detection, withFilter, withFilter && outside);
    try {
      await opened.network.create(TRIAL, null);
      return opened;
    } catch {
      opened.network.close();
      // What is missing is told as a lack; the next try asks for less.
    } finally {
      await opened.network.remove(TRIAL).catch(() => undefined);
    }
  }
  return { network: null, filter: false, outside: false };
};

/** A node of a kind is kept from others by the device controller; v2 has it in every kernel that has eBPF, and crun insists. */
const grantsHeld = ({ devices }: Detection, layout: Layout, { filter, outside }: OpenedNetwork): string[] => {
  const controlled = layout.version === 2 || layout.trees.some((tree) => readText(`${tree}/devices.list`) !== null);
  return [...(filter ? ['links'] : []), ...(outside ? ['internet', 'lan'] : []), ...(controlled ? kindsPresent(devices) : [])];
};

/** The loader that Node names is the smallest program that surely is there: it says its version and ends. */
const trial = async (
  detection: Detection,
  engine: CrunEngine,
  layout: Layout,
): Promise<ReturnType<typeof heldLimits> & { deadline: boolean }> => {
  let deadman: ProcessId | null = null;
  const directory = `${detection.dataPath}/partitions/${TRIAL}`;
  try {
    await engine.discard(TRIAL); // of a life that was cut in its trial
    for (const name of ['root', 'data']) mkdirSync(`${directory}/${name}`, { recursive: true });
    const program = interpreterOf(detection.nodePath) ?? NODE_INSIDE;
    const spec = {
      partition: TRIAL,
      rootPath: `${directory}/root`,
      args: [program, '--version'],
      env: {},
      engine: 'node',
      limits: TRIAL_LIMITS,
      network: null,
      parameters: '{}',
    } as const;
    give(directory, spec);
    const launched = await engine.launch({ ...spec, args: [...spec.args], devices: [], secrets: {} }, TRIAL_UID, async (first) => {
      deadman = await armDeadman(engine.runPath, TRIAL, first, bootMs() + PATIENCE_MS).catch(() => null);
    });
    const ended = await until(() => engine.readExit(TRIAL) !== null, PATIENCE_MS);
    if (!ended)
      throw new LichenError('unavailable', `the trial partition did not end within ${PATIENCE_MS} ms; the board is too busy to start`);
    if (engine.readExit(TRIAL)?.signal !== null) throw new LichenError('engine-failed', 'the trial partition was killed');
    const held = heldLimits(layout, new PartitionCgroup(layout, detection.board, TRIAL));
    await engine.kill({ partition: TRIAL, ...launched });
    return { ...held, deadline: deadman !== null };
  } finally {
    await engine.kill({ partition: TRIAL, first: null, reaper: null, address: null });
    disarm(engine.runPath, TRIAL, deadman);
    await engine.discard(TRIAL);
    rmSync(directory, { recursive: true, force: true });
  }
};

/** The disk whose reading and writing this kernel limits, found by asking it to; null where it does not. */
const limitedDisk = ({ board, dataPath }: Detection, layout: Layout): string | null => {
  const disk = layout.io ? diskOf(dataPath) : null;
  if (disk === null) return null;
  const cgroup = new PartitionCgroup(layout, board, TRIAL);
  try {
    cgroup.create();
    cgroup.limitIo(ioMaxOf(disk, TRIAL_IO));
    const told = readText(`${cgroup.directory('cpuacct')}/io.max`) ?? '';
    return told.split('\n').includes(ioMaxOf(disk, TRIAL_IO)) ? disk : null;
  } catch {
    return null;
  }
};

/** How `/data` is held to an end. */
const dataHeld = async ({ dataPath }: Detection): Promise<'project' | 'image' | null> => {
  const directory = `${dataPath}/partitions/${TRIAL}`;
  if (await holdsProjects(directory, TRIAL_UID)) return 'project';
  return (await holdsData(directory)) ? 'image' : null;
};

type Held = Omit<Enforcement, 'tier' | 'engine' | 'lacks'>;

const lacksOf = (layout: Layout, crun: string, held: Held, filter: boolean): string[] => {
  const lacks: string[] = [];
  if (layout.version === 1)
    lacks.push(
      'The kernel runs cgroup v1, which does not count bytes written: boot with cgroup_no_v1=all and mount cgroup2 on /sys/fs/cgroup.',
    );
  else if (!held.disk) lacks.push('The io controller is off, so bytes written are not counted: use a kernel with CONFIG_BLK_CGROUP.');
  if (!held.memory)
    lacks.push('Memory is not limited: add cgroup_enable=memory to the kernel command line (cmdline.txt on a Raspberry Pi).');
  if (!held.cpu) lacks.push('CPU time is not limited: use a kernel with CONFIG_CFS_BANDWIDTH.');
  if (!held.pids) lacks.push('The number of processes is not limited: use a kernel with CONFIG_CGROUP_PIDS.');
  if (!held.network) lacks.push('Partitions have no network: install iproute2 and use a kernel with CONFIG_NET_NS and CONFIG_VETH.');
  else if (!filter) lacks.push('Partitions can open connections to this board: install nftables and use a kernel with CONFIG_NFT_CT.');
  if (!held.quota)
    lacks.push('The size of /data is not limited: install e2fsprogs and use a kernel with CONFIG_BLK_DEV_LOOP and CONFIG_EXT4_FS.');
  if (held.disk && !held.io)
    lacks.push(
      'Reading and writing of the card is not limited: keep the data on a file system of one disk and use a kernel with CONFIG_BLK_DEV_THROTTLING.',
    );
  if (!held.deadline) lacks.push('Nothing ends an instance when the runtime hangs: a POSIX shell is needed as /bin/sh, with /proc/uptime.');
  if (!isRecent(crun))
    lacks.push(`crun ${crun} compiles its system call filter at every start: install crun 1.21 or newer (Debian 13 has it).`);
  return lacks;
};

interface Asked {
  detection: Detection;
  layout: Layout;
  /** Its version. */
  crun: string;
  data: 'project' | 'image' | null;
  disk: string | null;
}

const openCrun = async ({ detection, layout, crun, data, disk }: Asked, opened: OpenedNetwork): Promise<DetectedCrun> => {
  const { network } = opened;
  const enforced = { memory: layout.controllers.has('memory'), pids: layout.controllers.has('pids') };
  const engine = new CrunEngine({ ...detection, layout, enforced, network, disk, projects: data === 'project' });
  try {
    const held = { ...(await trial(detection, engine, layout)), network: network !== null, disk: layout.io, io: disk !== null };
    const given = { grants: grantsHeld(detection, layout, opened), quota: data !== null, secrets: true, publishes: opened.outside };
    const lacks = lacksOf(layout, crun, { ...held, ...given }, opened.filter);
    const groups = layout.hybridPath === null ? `cgroup v${layout.version}` : 'hybrid cgroup v1';
    const mode = data === 'project' ? `${groups}, project quotas` : groups;
    return {
      engine,
      enforcement: { tier: lacks.length === 0 ? 'full' : 'reduced', engine: `crun ${crun}, ${mode}`, ...held, ...given, lacks },
    };
  } catch (error) {
    engine.close();
    if (asLichenError(error).code === 'unavailable') throw error;
    throw new LichenError('engine-failed', `crun ${crun} does not work here: ${asLichenError(error).detail}`);
  }
};

/** Errors: `not-offered` when something is missing, `engine-failed` when a trial went wrong, `unavailable` when it could not be made. */
export const detectCrun = async (detection: Detection): Promise<DetectedCrun> => {
  if (process.getuid?.() !== 0) throw new LichenError('not-offered', 'Limits need root: run as root.');
  for (const tool of ['crun', 'conmon'])
    if (!isInstalled(tool)) throw new LichenError('not-offered', `${tool} is not installed: apt-get install ${tool}.`);
  const layout = findLayout();
  if (layout === null) throw new LichenError('not-offered', 'This kernel has no cgroups: mount cgroup2 on /sys/fs/cgroup.');
  const filter = isInstalled('nft');
  // Each of these mostly waits for programs, and none for another: on a small board one after the other takes seconds.
  const [crun, outside, data] = await Promise.all([versionOf('crun'), filter && translates(detection.board), dataHeld(detection)]);
  const asked = { detection, layout, crun, data, disk: limitedDisk(detection, layout) };
  try {
    return await openCrun(asked, networkOf(detection, filter, outside));
  } catch (error) {
    if (asLichenError(error).code === 'unavailable') throw error;
    // A board mostly has all of a network: it is asked for by itself only where a partition that has it could not be tried.
    const opened = await openNetwork(detection, filter, outside);
    if (opened.filter === filter && opened.network !== null) {
      opened.network.close();
      throw error;
    }
    return openCrun(asked, opened);
  }
};

export interface DetectedDev {
  engine: DevEngine;
  enforcement: Enforcement;
}

export const detectDev = async (detection: Detection, whyNotCrun: string): Promise<DetectedDev> => {
  const root = process.getuid?.() === 0;
  const [tried, ip] = await Promise.all([
    run('unshare', [...namespaceFlags(root), '--', 'true'], { timeoutMs: PATIENCE_MS }),
    run('ip', ['-V'], { timeoutMs: PATIENCE_MS }),
  ]);
  if (tried.code !== 0) {
    throw new LichenError(
      'not-offered',
      `${whyNotCrun} Without root, user namespaces are needed, and this system forbids them (${tried.stderr.trim() || 'unshare failed'}): sysctl -w kernel.unprivileged_userns_clone=1, or see the AppArmor restriction of your distribution.`,
    );
  }
  const loopback = ip.code === 0;
  const lacks = [
    whyNotCrun,
    'Nothing is limited and the meters are estimates, so no slice is payable: run as root with crun and conmon installed.',
    ...(loopback ? [] : ['ip is not installed, so instances cannot even reach themselves: apt-get install iproute2.']),
  ];
  const none = {
    memory: false,
    cpu: false,
    pids: false,
    network: false,
    disk: false,
    deadline: false,
    io: false,
    grants: [],
    quota: false,
    secrets: false,
    publishes: false,
  };
  return { engine: new DevEngine({ ...detection, root, loopback }), enforcement: { tier: 'dev', engine: 'namespaces', ...none, lacks } };
};
