/** The contract with programs: further keys may be added, none is taken away. */
import { replayCommand } from './failure.ts';
import type { RunReport } from './report.ts';
import { withNames } from './words.ts';

const HOUR_MS = 3_600_000;

/** Three decimals: what is finer is noise in a file that people compare. */
const rounded = (value: number): number => Math.round(value * 1000) / 1000;

const byName = (counts: Record<string, number>): Record<string, number> =>
  Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));

const violationsOf = ({ violations, names, seed }: RunReport) =>
  violations.map(({ promise, code, atMs, who, what }) => ({
    seed,
    promise,
    code,
    atMs,
    who: withNames(who, names),
    what: withNames(what, names),
  }));

/** One run as one value. */
export const jsonOf = (report: RunReport) => ({
  ok: report.ok,
  seed: report.seed,
  traceHash: report.traceHash,
  boards: report.boards,
  simulatedHours: rounded(report.simulatedMs / HOUR_MS),
  wallSeconds: rounded(report.wallSeconds),
  faults: byName(report.faults),
  recordsSigned: report.recordsSigned,
  recordsLost: report.recordsLost,
  recordsBilledTwice: report.recordsBilledTwice,
  overlapStopMs: report.overlapStopMs,
  violations: violationsOf(report),
  scenario: report.scenario,
  tier: report.tier,
  gateways: report.gateways,
  events: report.events,
  worstRehomeMs: report.worstRehomeMs,
  overlaps: report.overlaps,
  worstOverlapMs: report.worstOverlapMs,
  faultsMissed: byName(report.missed),
  expectations: report.expectations.map(({ says, held, detail }) => ({ says, held, detail: withNames(detail, report.names) })),
  shrunk: report.shrunk,
  replay: replayCommand(report),
});

export type RunJson = ReturnType<typeof jsonOf> & { seeds: number; seedsFailed: number[] };

const sum = (reports: RunReport[], of: (report: RunReport) => number): number => reports.reduce((total, report) => total + of(report), 0);

const added = (all: Record<string, number>[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const one of all) for (const [kind, count] of Object.entries(one)) counts[kind] = (counts[kind] ?? 0) + count;
  return byName(counts);
};

/**
 * Several seeds as one value of the same shape: counts are added up, `seed`, `traceHash`, `expectations` and `replay`
 * are those of the first run that failed, else of the first one. Of one seed, it is that run.
 */
export const totalOf = (reports: [RunReport, ...RunReport[]]): RunJson => {
  const failed = reports.filter(({ ok }) => !ok);
  const told = failed[0] ?? reports[0];
  return {
    ...jsonOf(told),
    ok: failed.length === 0,
    simulatedHours: rounded(sum(reports, ({ simulatedMs }) => simulatedMs) / HOUR_MS),
    wallSeconds: rounded(sum(reports, ({ wallSeconds }) => wallSeconds)),
    faults: added(reports.map(({ faults }) => faults)),
    faultsMissed: added(reports.map(({ missed }) => missed)),
    recordsSigned: sum(reports, ({ recordsSigned }) => recordsSigned),
    recordsLost: sum(reports, ({ recordsLost }) => recordsLost),
    recordsBilledTwice: sum(reports, ({ recordsBilledTwice }) => recordsBilledTwice),
    overlapStopMs: sum(reports, ({ overlapStopMs }) => overlapStopMs),
    violations: reports.flatMap(violationsOf),
    events: sum(reports, ({ events }) => events),
    worstRehomeMs: Math.max(...reports.map(({ worstRehomeMs }) => worstRehomeMs)),
    overlaps: sum(reports, ({ overlaps }) => overlaps),
    worstOverlapMs: Math.max(...reports.map(({ worstOverlapMs }) => worstOverlapMs)),
    seeds: reports.length,
    seedsFailed: failed.map(({ seed }) => seed),
  };
};
