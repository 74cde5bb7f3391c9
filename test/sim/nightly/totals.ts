/** What a night of seeds comes to. Each run says one line of JSON of itself (sim/report/json.ts); here they are added up. */
import * as v from 'valibot';
import { plural } from '../../../runtime/protocol/printable.ts';
import type { Tally } from '../../../sim/oracle/physics.ts';
import { duration, moment } from '../../../sim/report/words.ts';

const count = v.number();

/** Of that line what is added up. */
export const runLine = v.object({
  ...{ ok: v.boolean(), seed: count, boards: count, simulatedHours: count, wallSeconds: count, faults: v.record(v.string(), count) },
  ...{ recordsSigned: count, recordsLost: count, recordsBilledTwice: count },
  ...{ overlaps: count, worstOverlapMs: count, overlapStopMs: count, worstRehomeMs: count },
  violations: v.array(v.object({ promise: count, code: v.string(), atMs: count, who: v.string(), what: v.string() })),
  expectations: v.array(v.object({ says: v.string(), held: v.boolean() })),
  replay: v.string(),
});

export type RunLine = v.InferOutput<typeof runLine>;

/** A process that ended without saying that line: a flaw of the simulator, or of Lichen in it. */
export interface Crash {
  seed: number;
  why: string;
}

export interface Totals extends Omit<Tally, 'amnesia'> {
  ok: boolean;
  from: number;
  /** The first seed that was not run to its end: where to go on. */
  next: number;
  seeds: number;
  boardHours: number;
  /** Of all runs together. */
  runSeconds: number;
  faults: Record<string, number>;
  /** Promises that broke. */
  violations: { seed: number; promise: number; code: string; atMs: number; who: string; what: string; replay: string }[];
  /** Expectations of the scenario that were not met. */
  unmet: { seed: number; says: string; replay: string }[];
  crashed: Crash[];
}

export const nothingYet = (from: number): Totals => ({
  ...{ ok: false, from, next: from, seeds: 0, boardHours: 0, runSeconds: 0, faults: {} },
  ...{ recordsSigned: 0, recordsLost: 0, recordsBilledTwice: 0, overlaps: 0, worstOverlapMs: 0, overlapStopMs: 0, worstRehomeMs: 0 },
  ...{ violations: [], unmet: [], crashed: [] },
});

const added = (one: Record<string, number>, other: Record<string, number>): Record<string, number> => {
  const sum = { ...one };
  for (const [kind, times] of Object.entries(other)) sum[kind] = (sum[kind] ?? 0) + times;
  return Object.fromEntries(Object.entries(sum).sort(([a], [b]) => (a < b ? -1 : 1)));
};

/** A night in which nothing ran has shown nothing. */
const judged = (totals: Totals): Totals => ({
  ...totals,
  ok: totals.seeds > 0 && totals.violations.length === 0 && totals.unmet.length === 0 && totals.crashed.length === 0,
});

export const withRun = (totals: Totals, run: RunLine): Totals => {
  const { seed, replay } = run;
  return judged({
    ...totals,
    seeds: totals.seeds + 1,
    boardHours: totals.boardHours + run.boards * run.simulatedHours,
    runSeconds: totals.runSeconds + run.wallSeconds,
    faults: added(totals.faults, run.faults),
    recordsSigned: totals.recordsSigned + run.recordsSigned,
    recordsLost: totals.recordsLost + run.recordsLost,
    recordsBilledTwice: totals.recordsBilledTwice + run.recordsBilledTwice,
    overlaps: totals.overlaps + run.overlaps,
    worstOverlapMs: Math.max(totals.worstOverlapMs, run.worstOverlapMs),
    overlapStopMs: totals.overlapStopMs + run.overlapStopMs,
    worstRehomeMs: Math.max(totals.worstRehomeMs, run.worstRehomeMs),
    violations: [...totals.violations, ...run.violations.map((violation) => ({ seed, ...violation, replay }))],
    unmet: [...totals.unmet, ...run.expectations.filter(({ held }) => !held).map(({ says }) => ({ seed, says, replay }))],
  });
};

export const withCrash = (totals: Totals, crash: Crash): Totals => judged({ ...totals, crashed: [...totals.crashed, crash] });

const faultsOf = ({ faults }: Totals): string =>
  Object.entries(faults)
    .map(([kind, times]) => `${times} ${kind}`)
    .join(', ');

const broken = ({ violations, unmet, crashed }: Totals): string[] => {
  const lines = new Map<string, string[]>();
  const add = (replay: string, line: string): void => void lines.set(replay, [...(lines.get(replay) ?? []), `    ${line}`]);
  for (const { replay, promise, code, atMs, who, what } of violations)
    add(replay, `promise ${promise}, ${code}, at ${moment(Math.round(atMs))}, ${who}: ${what}`);
  for (const { replay, says } of unmet) add(replay, `not met: ${says}`);
  return [
    ...[...lines].flatMap(([replay, found]) => [`  ${replay}`, ...found]),
    ...crashed.map(({ seed, why }) => `  seed ${seed} did not come to its end: ${why}`),
  ];
};

/** For people. */
export const textOf = (totals: Totals): string =>
  [
    `${plural(totals.seeds, 'seed')} from ${totals.from}: ${totals.ok ? 'all promises held' : totals.seeds === 0 ? 'nothing was run' : 'promises broke'}; go on with --from ${totals.next}`,
    `  ${Math.round(totals.boardHours)} board-hours in ${Math.round(totals.runSeconds)} s of all processes together`,
    `  faults: ${faultsOf(totals) || 'none'}`,
    `  records: ${totals.recordsSigned} signed, ${totals.recordsLost} lost, ${totals.recordsBilledTwice} billed twice`,
    `  overlaps: ${totals.overlaps}, the longest between homes that heard each other ${duration(totals.worstOverlapMs)}, of stop instances ${duration(totals.overlapStopMs)}`,
    `  worst re-home: ${duration(totals.worstRehomeMs)}`,
    ...broken(totals),
  ].join('\n');
