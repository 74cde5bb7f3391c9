/** Which records count in which period: each board's chain walked period by period, each lease's points taken off it. */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { REGISTERS, type Register, type Usage } from '../../runtime/protocol/nouns/board.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Close, Vector } from '../../runtime/protocol/nouns/log.ts';
import type { TierName } from '../../runtime/protocol/schema.ts';
import type { Evidence, Exhibit } from './audit-evidence.ts';
import { below, boardKeys, objectionTo, type Trusted, trustedIn } from './audit-standing.ts';

export type Counts = Record<Register, bigint>;

export const counts = (of: (register: Register) => bigint): Counts => ({
  wallMs: of('wallMs'),
  cpuMicros: of('cpuMicros'),
  memoryMibS: of('memoryMibS'),
  netInBytes: of('netInBytes'),
  netOutBytes: of('netOutBytes'),
  diskBytes: of('diskBytes'),
  diskMibS: of('diskMibS'),
  energyMj: of('energyMj'),
});

/** From one accepted record of a lease to the next. */
export interface Stretch {
  period: number;
  seq: number;
  startMs: number;
  endMs: number;
  used: Counts;
}

export interface Story {
  lease: Lease;
  /** Hash of the document. */
  document: string;
  /** Number, instant and period of the first zero record. */
  begun: { seq: number; wallMs: number; period: number } | null;
  stretches: Stretch[];
  /** Of all stretches. */
  sum: Counts;
  accepted: { period: number; seq: number; tier: TierName }[];
}

/** A record that has its place. */
interface Step {
  row: Exhibit<Usage>;
  charges: boolean;
  /** What it names as the one before it. */
  from: Step | null;
  /** How far in wall time its lease has come here; null until the lease's story has taken it in. */
  latestMs: number | null;
}

interface Trail {
  /** By hash. */
  steps: Map<string, Step>;
  /** The lowest number and the newest step of each boot. */
  boots: Map<string, { low: number; newest: Step }>;
  /** Number at which the board turned out to live twice. */
  split: number;
}

export interface Reading {
  stories: Map<string, Story>;
  notes: string[];
}

const NO_RECORD = '00'.repeat(32);
const WHOLE = Number.POSITIVE_INFINITY;

/** Each content once, by number. */
const numbered = (rows: Exhibit<Usage>[]): Exhibit<Usage>[] =>
  [...new Map([...rows].reverse().map((row): [string, Exhibit<Usage>] => [row.hash, row])).values()].sort(
    (a, b) => a.value.seq - b.value.seq || (a.hash < b.hash ? -1 : 1),
  );

/** The lowest number that two different records bear. */
const doubleNumber = (rows: Exhibit<Usage>[], steps: Iterable<Step>): number => {
  const seen = new Map<number, string>([...steps].map(({ row }) => [row.value.seq, row.hash]));
  for (const { value, hash } of rows) {
    if ((seen.get(value.seq) ?? hash) !== hash) return value.seq;
    seen.set(value.seq, hash);
  }
  return WHOLE;
};

/** Whether a step would make a boot come back after another one: each boot is one stretch of numbers. */
const comesBack = ({ boots }: Trail, { bootId, seq }: Usage): boolean => {
  const own = boots.get(bootId);
  const [low, high] = own === undefined ? [seq, seq] : [own.low, Math.max(own.newest.row.value.seq, seq)];
  return [...boots].some(([boot, { low: from, newest }]) => boot !== bootId && from < high && newest.row.value.seq > low);
};

/** Carries a trail on as far as the records reach; from a contradiction on it goes nowhere any more. */
const follow = (trail: Trail, rows: Exhibit<Usage>[], revoked: Set<string>): Step[] => {
  const { steps, boots } = trail;
  const candidates = numbered(rows);
  trail.split = Math.min(trail.split, doubleNumber(candidates, steps.values()));
  const fresh: Step[] = [];
  for (const row of candidates) {
    const { seq, prev, bootId } = row.value;
    if (seq >= trail.split) break;
    if (steps.has(row.hash)) continue;
    const from = hex(prev) === NO_RECORD ? null : steps.get(hex(prev));
    const newest = boots.get(bootId)?.newest;
    const isAstray = newest !== undefined && from !== newest;
    if (isAstray ? from === undefined && seq > newest.row.value.seq + 1 : from === undefined) continue;
    const isBackward = from !== undefined && from !== null && from.row.value.seq >= seq;
    if (isAstray || isBackward || comesBack(trail, row.value)) {
      trail.split = seq;
      break;
    }
    const charges = rows.some(({ hash, signers }) => hash === row.hash && signers.every((signer) => !revoked.has(hex(signer))));
    const step: Step = { row, charges, from: from ?? null, latestMs: null };
    steps.set(row.hash, step);
    boots.set(bootId, { low: boots.get(bootId)?.low ?? seq, newest: step });
    fresh.push(step);
  }
  return fresh;
};

const COUNTER_MAX = (1n << 64n) - 1n;

/** The one of its lease that was taken in last on the way to it. */
const lastOf = (step: Step): Step | null => {
  let at = step.from;
  while (at !== null && (at.latestMs === null || at.row.value.lease !== step.row.value.lease)) at = at.from;
  return at;
};

/** Adds one record to its lease's story; returns why not. */
const tell = (story: Story, step: Step, { period, closedMs }: Close): string | null => {
  const usage = step.row.value;
  const { seq } = usage;
  if (usage.board !== story.lease.board) return "the lease is another board's";
  if (!step.charges) return 'signed by a revoked key';
  const last = lastOf(step);
  // A board can date neither back before what its guardian signed, nor beyond the close under which its record came.
  const startMs = last?.latestMs ?? story.lease.openedMs;
  const dated = usage.wallMs < closedMs ? usage.wallMs : closedMs;
  const endMs = dated > startMs ? dated : startMs;
  if (last === null) {
    if (usage.kind !== 'open' || REGISTERS.some((name) => usage.registers[name] !== 0n))
      return 'the lease does not begin with a zero record';
    story.begun ??= { seq, wallMs: endMs, period };
  } else {
    const before = last.row.value;
    if (before.kind === 'close') return 'follows the close of its lease';
    if (usage.kind === 'open') return 'the lease is open already';
    if (REGISTERS.some((name) => usage.registers[name] < before.registers[name])) return 'a register fell';
    const used = counts((name) => usage.registers[name] - before.registers[name]);
    const sum = counts((name) => story.sum[name] + used[name]);
    if (REGISTERS.some((name) => sum[name] > COUNTER_MAX)) return 'a register runs over';
    story.sum = sum;
    story.stretches.push({ period, seq, startMs, endMs, used });
  }
  step.latestMs = endMs;
  story.accepted.push({ period, seq, tier: usage.tier });
  return null;
};

/** Leases that have come to stand by this vector; of two documents of one lease the lower hash, and the first for good. */
const stand = (crypto: Crypto, evidence: Evidence, trusted: Trusted, vector: Vector, stories: Map<string, Story>): void => {
  const rows = below(evidence.leases, vector).sort((a, b) => (a.hash < b.hash ? -1 : 1));
  for (const row of rows) {
    if (stories.has(row.value.lease) || objectionTo(crypto, evidence, trusted, row, vector) !== null) continue;
    stories.set(row.value.lease, {
      ...{ lease: row.value, document: row.hash, begun: null, stretches: [], sum: counts(() => 0n), accepted: [] },
    });
  }
};

/** Reads all periods in order. */
export const readUsage = (crypto: Crypto, evidence: Evidence, closes: Close[]): Reading => {
  const stories = new Map<string, Story>();
  const trails = new Map<string, Trail>();
  const pending = new Map<string, Step[]>();
  const notes: string[] = [];
  for (const close of closes) {
    const { vector } = close;
    const trusted = trustedIn(crypto, evidence, vector);
    stand(crypto, evidence, trusted, vector, stories);
    const rows = below(evidence.usage, vector);
    for (const board of new Set(rows.map(({ value }) => value.board))) {
      const keys = boardKeys(crypto, evidence, board, vector);
      const own = rows.filter(({ value, signers }) => value.board === board && signers.every((signer) => keys.has(hex(signer))));
      const trail = trails.get(board) ?? { steps: new Map(), boots: new Map(), split: WHOLE };
      trails.set(board, trail);
      for (const record of follow(trail, own, trusted.revoked)) {
        const { lease } = record.row.value;
        pending.set(lease, [...(pending.get(lease) ?? []), record]);
      }
    }
    for (const [id, story] of stories) {
      for (const record of pending.get(id) ?? []) {
        const why = tell(story, record, close);
        if (why !== null) notes.push(`record ${record.row.value.seq} of board ${record.row.value.board} is not counted: ${why}`);
      }
      pending.delete(id);
    }
  }
  for (const [board, { split }] of trails)
    if (split < WHOLE) notes.push(`board ${board} has two lives by record ${split}; nothing of it is charged from there`);
  for (const [lease, records] of pending) notes.push(`${records.length} records of lease ${lease} wait: it does not stand`);
  return { stories, notes };
};
