/**
 * What this machine brings for running boards, read without changing anything. Facts are read here and judged apart,
 * so that a verdict can be tested without the machine that it is about. What a kernel really enforces only a trial
 * shows, which the runtime makes at its start.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import { takes } from '../../runtime/protocol/schema.ts';

export interface Facts {
  platform: string;
  node: string;
  root: boolean;
  /** Version of each program, empty if it does not say; null: not installed. */
  programs: Record<'crun' | 'conmon' | 'ip' | 'nft' | 'mkfs.ext4', string | null>;
  /** Null: no cgroups are mounted. */
  cgroup: { version: 1 | 2; controllers: string[] } | null;
  userNamespaces: boolean;
  /** What the kernel passes on between interfaces. */
  forwards: { v4: boolean; v6: boolean };
  /** Chains of the machine's own firewall that drop what it passes on unless a rule says otherwise, as Docker's do: family, table, chain. */
  forwardDrops: string[];
}

export interface Check {
  name: string;
  /** `lacks`: it works, with less. */
  state: 'ok' | 'lacks' | 'broken';
  says: string;
  /** Empty when there is nothing to do. */
  fix: string;
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

const PROBE_MS = 2_000;

/** What a program says, or null when it is not there or does not end well. */
const saidBy = (program: string, ...args: string[]): Promise<string | null> =>
  new Promise((resolve) => {
    const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin` };
    execFile(program, args, { env, timeout: PROBE_MS }, (error, stdout, stderr) => resolve(error === null ? stdout + stderr : null));
  });

const versionOf = async (program: string, flag: string): Promise<string | null> => {
  const said = await saidBy(program, flag);
  return said === null ? null : (/\d+(\.\d+)+/.exec(said)?.[0] ?? '');
};

/** /proc/mounts: source, path, type, options; v1 names its controllers in the options. */
const cgroupOf = (mounts: string): Facts['cgroup'] => {
  const groups = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2');
  if (groups.length === 0) return null;
  const old = groups.filter(([, , type]) => type === 'cgroup');
  if (old.length > 0) return { version: 1, controllers: old.flatMap(([, , , options = '']) => options.split(',')) };
  return { version: 2, controllers: readText(`${groups[0]?.[1]}/cgroup.controllers`).trim().split(/\s+/) };
};

/** Three switches, each of which forbids them: the kernel's, Debian's, Ubuntu's. */
const userNamespacesOf = (): boolean =>
  Number(readText('/proc/sys/user/max_user_namespaces') || '0') > 0 &&
  readText('/proc/sys/kernel/unprivileged_userns_clone').trim() !== '0' &&
  readText('/proc/sys/kernel/apparmor_restrict_unprivileged_userns').trim() !== '1';

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

const chainNames = { family: v.string(), table: v.string(), name: v.string() };
const chainsSchema = v.object({
  nftables: v.array(
    v.looseObject({ chain: v.optional(v.looseObject({ ...chainNames, hook: v.optional(v.string()), policy: v.optional(v.string()) })) }),
  ),
});

/** From `nft --json list chains`; what cannot be read says nothing. */
export const forwardDropsIn = (listed: string): string[] => {
  const found = takes(chainsSchema, parsed(listed));
  const chains = found?.value.nftables.flatMap(({ chain }) => (chain?.hook === 'forward' && chain.policy === 'drop' ? [chain] : [])) ?? [];
  return chains.map(({ family, table, name }) => `${family} ${table} ${name}`);
};

const isOn = (name: string): boolean => readText(`/proc/sys/net/${name}`).trim() === '1';

export const readMachine = async (): Promise<Facts> => {
  const [crun = null, conmon = null, ip = null, nft = null, mkfs = null] = await Promise.all([
    versionOf('crun', '--version'),
    versionOf('conmon', '--version'),
    versionOf('ip', '-V'),
    versionOf('nft', '--version'),
    versionOf('mkfs.ext4', '-V'),
  ]);
  return {
    platform: process.platform,
    node: process.versions.node,
    root: process.getuid?.() === 0,
    programs: { crun, conmon, ip, nft, 'mkfs.ext4': mkfs },
    cgroup: cgroupOf(readText('/proc/mounts')),
    userNamespaces: userNamespacesOf(),
    forwards: { v4: isOn('ipv4/ip_forward'), v6: isOn('ipv6/conf/all/forwarding') },
    forwardDrops: forwardDropsIn((await saidBy('nft', '--json', 'list', 'chains')) ?? ''),
  };
};

const NODE_MAJOR = 24;
/** Older ones compile the system call filter at every start. */
const CRUN_MIN = [1, 21] as const;

const ok = (name: string, says: string): Check => ({ name, state: 'ok', says, fix: '' });
const lacks = (name: string, says: string, fix: string): Check => ({ name, state: 'lacks', says, fix });
const broken = (name: string, says: string, fix: string): Check => ({ name, state: 'broken', says, fix });

const nodeCheck = ({ node }: Facts): Check =>
  Number.parseInt(node, 10) >= NODE_MAJOR
    ? ok('node', `Node ${node}`)
    : broken('node', `Node ${node} is too old`, `Install Node ${NODE_MAJOR} or newer.`);

const platformCheck = ({ platform }: Facts): Check =>
  platform === 'linux'
    ? ok('system', 'Linux')
    : lacks(
        'system',
        `boards and partitions need Linux, this is ${platform}`,
        'Run boards on Linux; the command line and gateways run here.',
      );

const crunCheck = ({ crun }: Facts['programs']): Check => {
  if (crun === null) return lacks('crun', 'crun is not installed: only unlimited, unpaid partitions run here', 'apt-get install crun');
  const [major = 0, minor = 0] = crun.split('.').map(Number);
  const recent = major > CRUN_MIN[0] || (major === CRUN_MIN[0] && minor >= CRUN_MIN[1]);
  return recent
    ? ok('crun', `crun ${crun}`)
    : lacks(
        'crun',
        `crun ${crun} compiles its system call filter at every start`,
        `Install crun ${CRUN_MIN.join('.')} or newer (Debian 13 has it).`,
      );
};

const programCheck = (name: 'conmon' | 'ip' | 'nft' | 'mkfs.ext4', version: string | null, without: string, packageName: string): Check =>
  version === null
    ? lacks(name, `${name} is not installed: ${without}`, `apt-get install ${packageName}`)
    : ok(name, `${name} ${version}`.trim());

const NEEDED = ['cpu', 'memory', 'pids'];

const cgroupCheck = ({ cgroup }: Facts): Check => {
  if (cgroup === null)
    return lacks('cgroups', 'no cgroups are mounted: nothing is limited or metered exactly', 'Mount cgroup2 on /sys/fs/cgroup.');
  const missing = NEEDED.filter((name) => !cgroup.controllers.includes(name));
  if (missing.includes('memory'))
    return lacks(
      'cgroups',
      `cgroup v${cgroup.version} without the memory controller`,
      'Add cgroup_enable=memory to the kernel command line (cmdline.txt on a Raspberry Pi).',
    );
  if (missing.length > 0)
    return lacks(
      'cgroups',
      `cgroup v${cgroup.version} without ${missing.join(' and ')}`,
      'Use a kernel with CONFIG_CFS_BANDWIDTH and CONFIG_CGROUP_PIDS.',
    );
  if (cgroup.version === 1)
    return lacks(
      'cgroups',
      'cgroup v1 does not count bytes written, so the tier is "reduced"',
      'Boot with cgroup_no_v1=all and mount cgroup2 on /sys/fs/cgroup.',
    );
  if (!cgroup.controllers.includes('io'))
    return lacks('cgroups', 'cgroup v2 without the io controller: bytes written are not counted', 'Use a kernel with CONFIG_BLK_CGROUP.');
  return ok('cgroups', 'cgroup v2');
};

const namespaceCheck = ({ root, userNamespaces }: Facts): Check => {
  if (userNamespaces) return ok('user namespaces', 'allowed');
  const fix =
    'sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000, or see the AppArmor restriction of your distribution.';
  return root
    ? lacks('user namespaces', 'not allowed; only root runs partitions here', fix)
    : broken('user namespaces', 'not allowed, and this is not root: no partition runs here', fix);
};

/** IPv6 has no such switch for one interface, and with it a machine heeds no router unless accept_ra is 2. */
const forwardCheck = ({ forwards, forwardDrops }: Facts): Check => {
  const [chain] = forwardDrops;
  if (forwards.v4 && chain !== undefined)
    return lacks(
      'forwarding',
      `chain ${chain} drops what no rule of it lets pass: instances may reach nothing outside`,
      `nft insert rule ${chain} iifname "lc*" accept; nft insert rule ${chain} oifname "lc*" accept (with Docker: in its chain DOCKER-USER).`,
    );
  if (forwards.v4 && forwards.v6) return ok('forwarding', 'IPv4 and IPv6');
  const fix =
    'sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.accept_ra=2, and in /etc/sysctl.d for the next boot.';
  if (forwards.v4) return lacks('forwarding', 'IPv4 only: instances reach nothing outside by IPv6', fix);
  return lacks('forwarding', 'instances reach nothing outside this machine, and none is published; links between them work', fix);
};

export const judgeMachine = (facts: Facts): Check[] => {
  const { programs } = facts;
  const always = [nodeCheck(facts), platformCheck(facts)];
  if (facts.platform !== 'linux') return always;
  return [
    ...always,
    facts.root
      ? ok('user', 'root')
      : lacks('user', 'not root: only unlimited, unpaid partitions run here', 'Run the runtime as root, e.g. by its systemd unit.'),
    crunCheck(programs),
    programCheck('conmon', programs.conmon, 'partitions do not outlive a restart of the runtime, so crun is not used', 'conmon'),
    programCheck('ip', programs.ip, 'partitions have no network', 'iproute2'),
    forwardCheck(facts),
    programCheck('nft', programs.nft, 'partitions can open connections to this machine', 'nftables'),
    programCheck('mkfs.ext4', programs['mkfs.ext4'], 'no /data is held to a size', 'e2fsprogs'),
    cgroupCheck(facts),
    namespaceCheck(facts),
  ];
};
