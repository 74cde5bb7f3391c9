/** What a board offers: what its owner set aside, never more than what its kernel enforces. */
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Offer } from '../protocol/nouns/board.ts';
import type { Lease } from '../protocol/nouns/lease.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import type { TierName } from '../protocol/schema.ts';

export interface Capacity {
  memoryMib: number;
  cpuMillis: number;
  partitions: number;
}

const KEYS = { memory: 'memoryMib', cpu: 'cpuMillis', partitions: 'partitions' } as const;
const DEFAULT_PARTITIONS = 8;

/** `memory=512,cpu=1000,partitions=4`: MiB, thousandths of a core, count. Error: `bad-usage`. */
export const parseCapacity = (text: string, spareMemoryMib: number): Capacity => {
  const capacity: Capacity = { memoryMib: spareMemoryMib, cpuMillis: 1000, partitions: DEFAULT_PARTITIONS };
  for (const part of text.split(',').filter((piece) => piece !== '')) {
    const [, word = '', value = ''] = /^([a-z]+)=([1-9][0-9]{0,8})$/.exec(part) ?? [];
    if (!isKey(word)) refuse('bad-usage', `--capacity: ${part} is not one of memory=MIB, cpu=MILLIS, partitions=N`);
    else capacity[KEYS[word]] = Number(value);
  }
  if (capacity.partitions > LIMITS.partitionsPerBoard) refuse('bad-usage', `--capacity: at most ${LIMITS.partitionsPerBoard} partitions`);
  return capacity;
};

const isKey = (word: string): word is keyof typeof KEYS => Object.hasOwn(KEYS, word);

const RANK: Record<TierName, number> = { dev: 0, reduced: 1, full: 2 };

/** A release that demands more than this board enforces never starts here, whoever assigned it. Error: `not-offered`. */
export const checkDemands = (
  { tier, arch, enforces }: Offer,
  { demands, arch: builtFor }: Manifest,
  { guarded }: Pick<Lease, 'guarded'>,
): void => {
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
}

export const offerOf = (enforced: Enforced, capacity: Capacity, arch: string, model: string): Offer => {
  const { tier, engine, memory, cpu, pids, network, disk, deadline } = enforced;
  if (arch !== 'x64' && arch !== 'arm64') return refuse('not-offered', `processors of kind ${arch} are not supported`);
  return { tier, arch, ...capacity, enforces: { memory, cpu, pids, network, disk, deadline }, engine, model };
};
