/** Which boards an instance may be given to, and why not the others. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { BoardId, RequestId } from '../../runtime/protocol/ids.ts';
import { within } from '../../runtime/protocol/money.ts';
import { dataMibOf } from '../../runtime/protocol/nouns/data.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import { plural } from '../../runtime/protocol/printable.ts';
import type { TierName } from '../../runtime/protocol/schema.ts';
import { type Candidate, type Short, shortOf } from './rooms.ts';

const RANK: Record<TierName, number> = { dev: 0, reduced: 1, full: 2 };

export interface Wish {
  id: RequestId;
  request: Request;
  /** While one is rolled out, some replicas are to run the one before. */
  release: Bytes;
  manifest: Manifest;
  /** As they will be leased. */
  limits: Manifest['limits'];
  /** What its board must lend. */
  needs: string[];
  /** Requests whose instances must be on its board. */
  beside: RequestId[];
}

type Asked = Pick<Wish, 'request' | 'manifest' | 'limits' | 'needs' | 'beside'>;

export type Misfit =
  | Short
  | 'currency'
  | 'deadline'
  | 'grants'
  | 'secrets'
  | 'beside'
  | 'arch'
  | 'tier'
  | 'board'
  | 'owner'
  | 'region'
  | 'price';

/** The first rule that is against it; null: none is. What the request names comes first, so that of other boards nothing else is told. */
export const misfitOf = (candidate: Candidate, { request, manifest, limits, needs, beside }: Asked): Misfit | null => {
  const { filter } = request;
  if (filter.board !== undefined && filter.board !== candidate.board) return 'board';
  if (filter.owner !== undefined && filter.owner !== candidate.binding.owner) return 'owner';
  if (filter.region !== undefined && filter.region !== candidate.region) return 'region';
  if (RANK[candidate.tier] < RANK[manifest.demands] || RANK[candidate.tier] < RANK[filter.tier ?? 'dev']) return 'tier';
  if (manifest.arch !== 'any' && manifest.arch !== candidate.arch) return 'arch';
  // What is run unprivileged is posted in XTS whatever the tariff says, so it answers any currency.
  if (candidate.tier !== 'dev' && candidate.binding.currency !== request.currency) return 'currency';
  const short = shortOf(candidate, limits);
  if (short !== null) return short;
  if (!within(candidate.binding.rates, request.priceCap)) return 'price';
  if (request.onIsolation !== 'continue' && !candidate.deadline) return 'deadline';
  if (!needs.every((need) => candidate.grants.has(need))) return 'grants';
  if (request.secrets !== undefined && !request.secrets.some(({ board }) => board === candidate.board)) return 'secrets';
  return beside.every((linked) => candidate.held.has(linked)) ? null : 'beside';
};

const most = (candidates: Candidate[], of: (candidate: Candidate) => number): number =>
  candidates.reduce((best, candidate) => Math.max(best, of(candidate)), Number.NEGATIVE_INFINITY);

/** For people, of boards that it is against. */
const WORDS: Record<Misfit, (candidates: Candidate[], asked: Asked) => string> = {
  board: () => 'not the one that is asked for',
  owner: () => 'of another owner',
  region: (_all, { request }) => `not in region ${request.filter.region}`,
  tier: (all, { request, manifest }) =>
    `of tier ${[...new Set(all.map(({ tier }) => tier))].sort().join(', ')}, and it asks for ${RANK[request.filter.tier ?? 'dev'] > RANK[manifest.demands] ? request.filter.tier : manifest.demands}`,
  arch: (_all, { manifest }) => `not ${manifest.arch}`,
  currency: (_all, { request }) => `not paid in ${request.currency}`,
  price: () => 'dearer than its price cap',
  partitions: () => 'without a partition left',
  memory: (all, { limits }) =>
    `short of memory: ${limits.memoryMib + limits.tmpMib} MiB are asked for, at most ${most(all, ({ freeMemoryMib }) => freeMemoryMib)} are left`,
  cpu: (all, { limits }) =>
    `short of processor: ${limits.cpuMillis} thousandths of one are asked for, at most ${most(all, ({ freeCpuMillis }) => freeCpuMillis)} are left`,
  io: () => 'without limits of how fast a card is read and written',
  data: (all, { limits }) =>
    `short of room for /data: ${dataMibOf(limits)} MiB are asked for, at most ${most(all, ({ freeDataMib }) => Math.max(0, freeDataMib ?? 0))} are left`,
  deadline: () => 'without a way to end it in time (onIsolation: stop)',
  grants: (_all, { needs }) => `not lending ${needs.join(' and ')}`,
  secrets: () => 'not among those that its secrets are sealed to',
  beside: () => 'without the instances that it is to be beside',
};

const counted = (count: number): string => plural(count, 'board is', 'boards are');

/** One line for each rule that is against some of these, the commonest first. `own`: boards that have an instance of it already. */
export const unfit = (candidates: Candidate[], asked: Asked, own: ReadonlySet<BoardId>): string[] => {
  const by = new Map<Misfit, Candidate[]>();
  let taken = 0;
  for (const candidate of candidates) {
    if (own.has(candidate.board)) taken++;
    else {
      const misfit = misfitOf(candidate, asked);
      if (misfit === null) continue;
      const all = by.get(misfit);
      if (all === undefined) by.set(misfit, [candidate]);
      else all.push(candidate);
    }
  }
  return [
    ...(taken === 0 ? [] : [`${counted(taken)} taken by it already: each instance is on a board of its own`]),
    ...[...by]
      .sort(([a, { length: m }], [b, { length: n }]) => n - m || (a < b ? -1 : 1))
      .map(([misfit, all]) => `${counted(all.length)} ${WORDS[misfit](all, asked)}`),
  ];
};
