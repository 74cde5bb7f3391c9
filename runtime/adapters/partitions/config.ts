/** The OCI runtime configuration (opencontainers/runtime-spec 1.0.2), written wholly by us: nothing in it is a default. */
import type { PartitionSpec } from '../../ports/partitions.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { DeviceNode } from './devices.ts';
import type { Bind } from './node-engine.ts';
import { seccompFor } from './seccomp.ts';
import { SECRETS_PATH } from './secrets.ts';

const MIB = 1024 * 1024;
/** Under memory pressure of the whole board a workload goes before the runtime. */
const OOM_SCORE = 200;

/** Nobody but the workload's own user is in the partition. */
const NODE_MODE = 0o600;

const HIDDEN = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
  '/sys/fs/cgroup',
];
const UNWRITABLE = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export interface ConfigInput {
  spec: PartitionSpec;
  uid: number;
  dataPath: string;
  /** What the runtime gives it to read. */
  givenPath: string;
  binds: Bind[];
  /** Below each tree's root, with a leading slash. */
  cgroupsPath: string;
  /** File of the network namespace; `null` gives an empty one. */
  networkPath: string | null;
  /** What the kernel can hold; a limit it cannot hold must not be asked for, or crun refuses to start. */
  limits: { memory: boolean; pids: boolean; cgroupNamespace: boolean };
  /** This process's own: raising the one or lowering the other needs CAP_SYS_RESOURCE, which a guest's root may lack. */
  own: { descriptorsMax: number; oomScore: number };
  architecture: NodeJS.Architecture;
  /** What the partition may open, and what /sys must not show it. */
  devices: DeviceNode[];
  hidden: string[];
}

interface Mount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

/** What an instance says to the runtime: a few small files. */
const OUT = ['nosuid', 'noexec', 'nodev', 'mode=700', 'size=128k', 'nr_inodes=64'];

const mountsOf = ({ spec, uid, dataPath, givenPath, binds }: ConfigInput): Mount[] => [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'noexec', 'strictatime', 'mode=755', 'size=64k'] },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${spec.limits.tmpMib}m`],
  },
  { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=1777', `size=${spec.limits.tmpMib}m`] },
  { destination: '/data', type: 'bind', source: dataPath, options: ['bind', 'rw', 'nosuid', 'nodev'] },
  ...(Object.keys(spec.secrets).length === 0
    ? []
    : [
        {
          destination: SECRETS_PATH,
          type: 'tmpfs',
          source: 'secrets',
          options: ['nosuid', 'noexec', 'nodev', 'mode=0500', `uid=${uid}`, `gid=${uid}`, 'size=128k'],
        },
      ]),
  { destination: '/run/lichen', type: 'bind', source: givenPath, options: ['bind', 'ro', 'nosuid', 'noexec', 'nodev'] },
  { destination: '/run/lichen/out', type: 'tmpfs', source: 'tmpfs', options: [...OUT, `uid=${uid}`, `gid=${uid}`] },
  ...binds.map(({ source, target }) => ({ destination: target, type: 'bind', source, options: ['bind', 'ro', 'nosuid', 'nodev'] })),
];

/** Memory and swap share one limit: without the second, swapping would be the way around the first. */
const resourcesOf = ({ spec, limits, devices }: ConfigInput): object => ({
  // The rule is what holds: a node alone could be made in no other way, but one rule is not two.
  devices: [
    { allow: false, access: 'rwm' },
    ...devices.map(({ type, major, minor }) => ({ allow: true, type, major, minor, access: 'rw' })),
  ],
  ...(limits.memory && { memory: { limit: spec.limits.memoryMib * MIB, swap: spec.limits.memoryMib * MIB } }),
  ...(limits.pids && { pids: { limit: spec.limits.pids } }),
});

export const configOf = (input: ConfigInput): object => {
  const { spec, uid, own } = input;
  const none: string[] = [];
  const descriptors = Math.min(own.descriptorsMax, spec.limits.openFiles ?? LIMITS.openFiles);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid, gid: uid },
      args: spec.args,
      env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      // Fixed: crun 1.8 could be led out of the root by a release that chose /proc/self/fd/<n>.
      cwd: '/',
      capabilities: { bounding: none, effective: none, inheritable: none, permitted: none, ambient: none },
      noNewPrivileges: true,
      oomScoreAdj: Math.max(own.oomScore, OOM_SCORE),
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: descriptors, hard: descriptors },
        { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ],
    },
    root: { path: spec.rootPath, readonly: true },
    hostname: spec.partition.slice(0, 12),
    mounts: mountsOf(input),
    linux: {
      cgroupsPath: input.cgroupsPath,
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount', ...(input.limits.cgroupNamespace ? ['cgroup'] : [])].map((type) => ({ type })),
        input.networkPath === null ? { type: 'network' } : { type: 'network', path: input.networkPath },
      ],
      resources: resourcesOf(input),
      devices: input.devices.map((node) => ({ ...node, fileMode: NODE_MODE, uid, gid: uid })),
      seccomp: seccompFor(input.architecture),
      maskedPaths: [...HIDDEN, ...input.hidden],
      readonlyPaths: UNWRITABLE,
    },
  };
};
