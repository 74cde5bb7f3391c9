/** What one run leaves behind, for every reporter. */
import type { Violation } from '../oracle/physics.ts';
import type { Incident } from '../scenario/scenario.ts';

export interface Span {
  kind: 'down' | 'unreachable' | 'home' | 'run' | 'fault';
  fromMs: number;
  toMs: number;
  /** Which gateway, which workload, which fault. */
  label: string;
}

export interface Mark {
  kind: 'record' | 'replicated' | 'violation' | 'refusal' | 'restart' | 'lease' | 'fault';
  atMs: number;
  label: string;
}

export interface Lane {
  name: string;
  kind: 'board' | 'gateway';
  spans: Span[];
  marks: Mark[];
}

export interface ExpectationResult {
  says: string;
  held: boolean;
  /** What was seen instead, or when it was seen. */
  detail: string;
}

/** Lines of the ledger in the end, for people. */
export interface Billed {
  workload: string;
  currency: string;
  chargedMicro: bigint;
  earnedMicro: bigint;
  feeMicro: bigint;
  records: number;
}

export interface RunReport {
  ok: boolean;
  scenario: string;
  about: string;
  /** Path as the person gave it, for the command that replays. */
  path: string;
  seed: number;
  tier: 'a' | 'b';
  crypto: 'stand-in' | 'ed25519';
  traceHash: string;
  boards: number;
  gateways: number;
  simulatedMs: number;
  wallSeconds: number;
  events: number;
  /** By kind, those that hit something; and those that did not. */
  faults: Record<string, number>;
  missed: Record<string, number>;
  recordsSigned: number;
  recordsLost: number;
  recordsBilledTwice: number;
  overlaps: number;
  worstOverlapMs: number;
  overlapStopMs: number;
  worstRehomeMs: number;
  violations: Violation[];
  expectations: ExpectationResult[];
  /** Everything that befell the fleet, numbered as `--faults` counts. */
  incidents: Incident[];
  /** The only incidents that need happen, by number: those that were asked for, or of a failure the fewest with which it still fails; null: all. */
  shrunk: number[] | null;
  /** Names by id, for people. */
  names: Record<string, string>;
  lanes: Lane[];
  billed: Billed[];
}
