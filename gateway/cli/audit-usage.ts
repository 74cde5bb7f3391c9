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
  /** Number, wall time and period of the zero record. */
  begun: { seq: number; wallMs: number; period: number } | null;
  ended: boolean;
  /** The last accepted record, and the latest wall time so far. */
  last: { usage: Usage; latestMs: number } | null;
  stretches: Stretch[];
  /** Of all stretches. */
  sum: Counts;
  /** Tier of each accepted record with its period. */
  tiers: { period: number; tier: TierName }[];
}

interface Trail {
  records: { row: Exhibit<Usage>; charges: boolean; amnesia: number }[];
  split: number | null;
}

export interface Reading {
  stories: Map<string, Story>;
  notes: string[];
}

const older = (mark: Usage, other: Usage): boolean => mark.amnesia && mark.seq <= other.seq && other.wallMs <= mark.wallMs;

/** Records by number, each content once. */
const numbered = (rows: Exhibit<Usage>[]): Map<number, Exhibit<Usage>[]> => {
  const out = new Map<number, Exhibit<Usage>[]>();
  for (const row of rows) {
    const same = out.get(row.value.seq) ?? [];
    if (same.every(({ hash }) => hash !== row.hash)) out.set(row.value.seq, [...same, row]);
  }
  return out;
};

const NO_RECORD = '00'.repeat(32);

/** Carries a trail on as far as the records reach; a contradiction splits it, and it never goes on. */
const follow = (trail: Trail, rows: Exhibit<Usage>[], revoked: Set<string>): Trail['records'] => {
  const known = numbered(rows);
  const fresh: Trail['records'] = [];
  const outlived = (row: Exhibit<Usage>): boolean => trail.records.some(({ row: mark }) => older(mark.value, row.value));
  const built = trail.records.find(({ row }) =>
    (known.get(row.value.seq) ?? []).some((other) => other.hash !== row.hash && !outlived(other)),
  );
  if (trail.split === null && built !== undefined) trail.split = built.row.value.seq;
  while (trail.split === null) {
    const at = trail.records.length + 1;
    const before = trail.records.at(-1);
    const live = (known.get(at) ?? []).filter((row) => !outlived(row));
    if (live.length === 0) break;
    const marks = live.filter(({ value }) => value.amnesia);
    const [choice] = live.length === 1 ? live : marks.length === 1 ? marks : [];
    const follows = choice !== undefined && (choice.value.amnesia || hex(choice.value.prev) === (before?.row.hash ?? NO_RECORD));
    if (choice === undefined || !follows || live.some((row) => row !== choice && !older(choice.value, row.value))) {
      trail.split = at;
      break;
    }
    const charges = rows.some(({ hash, signers }) => hash === choice.hash && signers.every((signer) => !revoked.has(hex(signer))));
    const record = { row: choice, charges, amnesia: choice.value.amnesia ? at : (before?.amnesia ?? 0) };
    trail.records.push(record);
    fresh.push(record);
  }
  return fresh;
};

const COUNTER_MAX = (1n << 64n) - 1n;

/** Adds one record to its lease's story; returns why not. */
const tell = (story: Story, { row, charges, amnesia }: Trail['records'][number], period: number): string | null => {
  const usage = row.value;
  if (usage.board !== story.lease.board) return "the lease is another board's";
  if (!charges) return 'signed by a revoked key';
  if (story.ended) return 'follows the close of its lease';
  const { last } = story;
  if (last === null) {
    if (usage.kind !== 'open' || REGISTERS.some((name) => usage.registers[name] !== 0n))
      return 'the lease does not begin with a zero record';
    story.begun = { seq: usage.seq, wallMs: usage.wallMs, period };
    story.last = { usage, latestMs: usage.wallMs };
  } else {
    if (usage.kind === 'open') return 'the lease is open already';
    const fell = REGISTERS.some((name) => usage.registers[name] < last.usage.registers[name]);
    if (fell && amnesia <= last.usage.seq) return 'a register fell';
    const used = counts((name) => (fell ? 0n : usage.registers[name] - last.usage.registers[name]));
    const sum = counts((name) => story.sum[name] + used[name]);
    if (REGISTERS.some((name) => sum[name] > COUNTER_MAX)) return 'a register runs over';
    story.sum = sum;
    const latestMs = usage.wallMs > last.latestMs ? usage.wallMs : last.latestMs;
    story.stretches.push({ period, seq: usage.seq, startMs: last.latestMs, endMs: latestMs, used });
    story.last = { usage, latestMs };
  }
  story.tiers.push({ period, tier: usage.tier });
  story.ended = usage.kind === 'close';
  return null;
};

/** Leases that have come to stand by this vector; of two documents of one lease the lower hash, and the first for good. */
const stand = (crypto: Crypto, evidence: Evidence, trusted: Trusted, vector: Vector, stories: Map<string, Story>): void => {
  const rows = below(evidence.leases, vector).sort((a, b) => (a.hash < b.hash ? -1 : 1));
  for (const row of rows) {
    if (stories.has(row.value.lease) || objectionTo(crypto, evidence, trusted, row, vector) !== null) continue;
    stories.set(row.value.lease, {
      ...{ lease: row.value, document: row.hash, begun: null, ended: false, last: null, stretches: [], sum: counts(() => 0n), tiers: [] },
    });
  }
};

/** Reads all periods in order. */
export const readUsage = (crypto: Crypto, evidence: Evidence, closes: Close[]): Reading => {
  const stories = new Map<string, Story>();
  const trails = new Map<string, Trail>();
  const pending = new Map<string, Trail['records']>();
  const notes: string[] = [];
  for (const { period, vector } of closes) {
    const trusted = trustedIn(crypto, evidence, vector);
    stand(crypto, evidence, trusted, vector, stories);
    const rows = below(evidence.usage, vector);
    for (const board of new Set(rows.map(({ value }) => value.board))) {
      const keys = boardKeys(crypto, evidence, board, vector);
      const own = rows.filter(({ value, signers }) => value.board === board && signers.every((signer) => keys.has(hex(signer))));
      const trail = trails.get(board) ?? { records: [], split: null };
      trails.set(board, trail);
      for (const record of follow(trail, own, trusted.revoked)) {
        const { lease } = record.row.value;
        pending.set(lease, [...(pending.get(lease) ?? []), record]);
      }
    }
    for (const [id, story] of stories) {
      for (const record of pending.get(id) ?? []) {
        const why = tell(story, record, period);
        if (why !== null) notes.push(`record ${record.row.value.seq} of board ${record.row.value.board} is not counted: ${why}`);
      }
      pending.delete(id);
    }
  }
  for (const [board, { split }] of trails)
    if (split !== null) notes.push(`board ${board} has two histories from record ${split} on; nothing of it is charged from there`);
  for (const [lease, records] of pending) notes.push(`${records.length} records of lease ${lease} wait: it does not stand`);
  return { stories, notes };
};
