/** What a board offers: what its owner set aside, never more than what its kernel enforces. */
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Offer } from '../protocol/nouns/board.ts';
import { dataLimitOf } from '../protocol/nouns/data.ts';
import { limitsIo } from '../protocol/nouns/io.ts';
import type { Lease } from '../protocol/nouns/lease.ts';
import { grant, needsOf, type PortRange } from '../protocol/nouns/reach.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import { type TierName, takes } from '../protocol/schema.ts';

export interface Capacity {
  memoryMib: number;
  cpuMillis: number;
  partitions: number;
  /** Of the card, for `/data` that has an end. */
  dataMib?: number;
  /** Ports of the board on which instances may be published. */
  ports?: PortRange;
}

const KEYS = { memory: 'memoryMib', cpu: 'cpuMillis', partitions: 'partitions', data: 'dataMib' } as const;
const DEFAULT_PARTITIONS = 8;

/** Below these a port belongs to the system (RFC 6335 section 6). */
const PORT_MIN = 1024;
const PORT_MAX = 65_535;

const portsIn = (part: string): PortRange | null => {
  const [, first = '', last = first] = /^ports=([0-9]{4,5})(?:-([0-9]{4,5}))?$/.exec(part) ?? [];
  if (first === '') return null;
  const range = { first: Number(first), last: Number(last) };
  if (range.first < PORT_MIN || range.last > PORT_MAX || range.first > range.last)
    refuse('bad-usage', `--capacity: ${part}: ports lie between ${PORT_MIN} and ${PORT_MAX}, the smaller first`);
  return range;
};

/** What the owner sets free of network and devices: `internet,lan,gpio,usb:1d6b:0002`. Error: `bad-usage`. */
export const parseGrants = (text: string): string[] => {
  const grants = text.split(',').filter((word) => word !== '');
  const stray = grants.find((word) => takes(grant, word) === null);
  if (stray !== undefined)
    refuse('bad-usage', `--grants: ${stray} is not one of internet, lan, gpio, i2c, spi, serial, camera, 1wire, usb:VENDOR:PRODUCT`);
  if (grants.length >= LIMITS.grants) refuse('bad-usage', `--grants: fewer than ${LIMITS.grants}`);
  return [...new Set(grants)];
};

/** `memory=512,cpu=1000,partitions=4,ports=8000-8015`: MiB, thousandths of a core, count, range. Error: `bad-usage`. */
export const parseCapacity = (text: string, spareMemoryMib: number): Capacity => {
  const capacity: Capacity = { memoryMib: spareMemoryMib, cpuMillis: 1000, partitions: DEFAULT_PARTITIONS };
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const ports = portsIn(part);
    if (ports !== null) {
      capacity.ports = ports;
      continue;
    }
    const [, word = '', value = ''] = /^([a-z]+)=([1-9][0-9]{0,8})$/.exec(part) ?? [];
    if (!isKey(word))
      refuse('bad-usage', `--capacity: ${part} is not one of memory=MIB, cpu=MILLIS, partitions=N, data=MIB, ports=FIRST-LAST`);
    else capacity[KEYS[word]] = Number(value);
  }
  if (capacity.partitions > LIMITS.partitionsPerBoard) refuse('bad-usage', `--capacity: at most ${LIMITS.partitionsPerBoard} partitions`);
  return capacity;
};

const isKey = (word: string): word is keyof typeof KEYS => Object.hasOwn(KEYS, word);

const RANK: Record<TierName, number> = { dev: 0, reduced: 1, full: 2 };

/** A release that demands more than this board enforces never starts here, whoever assigned it. Error: `not-offered`. */
export const checkDemands = (
  { tier, arch, enforces, dataMib, grants = [] }: Offer,
  manifest: Manifest,
  { guarded }: Pick<Lease, 'guarded'>,
): void => {
  const { demands, arch: builtFor } = manifest;
  const lacking = needsOf(manifest).filter((need) => !grants.includes(need));
  if (lacking.length > 0) refuse('not-offered', `the release needs ${lacking.join(', ')}, which this board does not offer`);
  if (dataMib === undefined && dataLimitOf(manifest.limits) !== null)
    refuse('not-offered', 'the release limits its /data, which this board does not hold to a limit');
  if (limitsIo(manifest.limits) && enforces.io !== true)
    refuse('not-offered', 'the release limits how fast it reads and writes, which this board does not hold it to');
  if (guarded !== undefined && !enforces.deadline) refuse('not-offered', 'nothing here ends an instance when the runtime hangs');
  if (builtFor !== 'any' && builtFor !== arch) refuse('not-offered', `the release is built for ${builtFor}, this board is ${arch}`);
  if (RANK[tier] < RANK[demands]) refuse('not-offered', `the release demands tier ${demands}, this board enforces ${tier}`);
};

/** The shape of the partitions door's `enforcement`. */
interface Enforced {
  tier: TierName;
  engine: string;
  memory: boolean;
  cpu: boolean;
  pids: boolean;
  network: boolean;
  disk: boolean;
  deadline: boolean;
  io: boolean;
  quota: boolean;
  grants: string[];
  publishes: boolean;
}

/** `allowed`: what the owner sets free; of that, what can be given and kept from all others is offered. */
export const offerOf = (enforced: Enforced, capacity: Capacity, arch: string, model: string, allowed: string[] = []): Offer => {
  const { tier, engine, memory, cpu, pids, network, disk, deadline, io } = enforced;
  if (arch !== 'x64' && arch !== 'arm64') return refuse('not-offered', `processors of kind ${arch} are not supported`);
  const { ports, dataMib, ...room } = capacity;
  const grants = enforced.grants.filter((one) => one === 'links' || allowed.includes(one));
  return {
    ...{ tier, arch, ...room, enforces: { memory, cpu, pids, network, disk, deadline, ...(io && { io }) }, engine, model },
    ...(grants.length > 0 && { grants }),
    ...(dataMib !== undefined && enforced.quota && { dataMib }),
    ...(ports !== undefined && enforced.publishes && { ports }),
  };
};

const NETWORKS: readonly string[] = ['internet', 'lan'];
const FORWARDS = 'this board passes no packets on: set net.ipv4.ip_forward=1 (`lichen doctor` says how) and install nftables.';

const whyNot = (grant: string): string =>
  NETWORKS.includes(grant)
    ? FORWARDS
    : 'there is no such device, or no cgroup that keeps it from others: load its driver, or leave it out.';

/** What the owner set free and cannot be given here, a sentence each. */
export const notGiven = (
  { grants, publishes, quota }: Pick<Enforced, 'grants' | 'publishes' | 'quota'>,
  { ports, dataMib }: Capacity,
  allowed: string[],
): string[] => [
  ...allowed.filter((one) => !grants.includes(one)).map((one) => `${one} is set free but not offered; ${whyNot(one)}`),
  ...(dataMib === undefined || quota
    ? []
    : ['Room for /data is set aside, but nothing holds an instance to it: install e2fsprogs and use a kernel with CONFIG_BLK_DEV_LOOP.']),
  ...(ports === undefined || publishes ? [] : [`Ports are set aside but not offered; ${FORWARDS}`]),
];
