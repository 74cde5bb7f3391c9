/**
 * Promise 1, of a release that comes in waves: it begins on a replica only when it has run on all of the waves before for as
 * long as its tenant wanted it to bake. Only kernels are asked who ran for how long; that it held its promises meanwhile
 * nobody here knows.
 */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Request, Wave } from '../../runtime/protocol/nouns/request.ts';
import type { Court } from './court.ts';
import type { BoardCase, LeaseCase, Run } from './scene.ts';

export interface Waves {
  began(atMs: number, board: BoardCase, lease: LeaseCase, content: string): void;
  ended(atMs: number, run: Run): void;
}

/** Of a replica with one release: its longest run that is over, and since when the oldest of those that are not. */
interface Stint {
  longestMs: number;
  since: Map<LeaseCase, number>;
}

const PPM = 1_000_000;

/** How many of the first replicas; null: that depends on what boards are called. */
const reachOf = (wave: Wave, replicas: number): number | null => {
  if (wave.kind === 'label') return null;
  return wave.kind === 'count' ? wave.count : Math.ceil((replicas * wave.permille) / 1000);
};

/** Those that have to have passed before the replica is reached. */
const before = ({ rollout, replicas }: Request, index: number): number | null => {
  let passed = 0;
  for (const wave of rollout?.waves ?? []) {
    const reach = reachOf(wave, replicas);
    if (reach === null) return null;
    if (index < reach) return passed;
    passed = Math.max(passed, Math.min(reach, replicas));
  }
  return passed;
};

export const openWaves = (court: Court): Waves => {
  const { limits, docket } = court;
  const stints = new Map<string, Stint>();
  const stintOf = (request: string, content: string, index: number): Stint => {
    const key = `${request}/${content}/${index}`;
    const held = stints.get(key) ?? { longestMs: 0, since: new Map() };
    stints.set(key, held);
    return held;
  };
  const hasBaked = (atMs: number, { longestMs, since }: Stint, bakeMs: number): boolean => {
    const leastMs = bakeMs * (1 - limits.driftPpm / PPM) - limits.stepMs;
    return longestMs >= leastMs || [...since.values()].some((sinceMs) => atMs - sinceMs >= leastMs);
  };
  /** Replicas of the waves before that have not run it for long enough, beyond those that may fail. */
  const lackingFor = (atMs: number, id: string, content: string, index: number, request: Request): number[] => {
    const first = before(request, index) ?? 0;
    const bakeMs = request.fallback?.bakeMs ?? 0;
    const lacking = Array.from({ length: first }, (_, one) => one).filter((one) => !hasBaked(atMs, stintOf(id, content, one), bakeMs));
    return lacking.length > (request.rollout?.tolerated ?? 0) ? lacking : [];
  };
  return {
    began: (atMs, board, lease, content) => {
      const { document } = lease;
      if (document === null) return;
      const { request: id, index } = document;
      const told = [...(board.told.get(lease.id)?.requests.keys() ?? [])].flatMap((hash) => court.archive.request(hash)?.value ?? []);
      const asking = told.filter(({ release }) => hex(release) === content);
      const lacking = asking.map((request) => lackingFor(atMs, id, content, index, request));
      if (lacking.length > 0 && lacking.every((list) => list.length > 0) && !board.card.isCloned)
        docket.accuse(
          'wave-skipped',
          atMs,
          `${board.id} ${lease.id}`,
          `release ${content} began on replica ${index} before it had baked on ${lacking[0]?.join(', ') ?? ''}`,
        );
      stintOf(id, content, index).since.set(lease, atMs);
    },
    ended: (atMs, { lease, content, sinceMs }) => {
      if (lease.document === null) return;
      const stint = stintOf(lease.document.request, content, lease.document.index);
      stint.since.delete(lease);
      stint.longestMs = Math.max(stint.longestMs, atMs - sinceMs);
    },
  };
};
