/** One scenario with one seed after the other, each in a fresh world, until one fails; what fails is shrunk. */
import { signatureOf } from './report/failure.ts';
import type { RunReport } from './report/report.ts';
import type { RunOptions } from './run.ts';
import type { Incident, Scenario } from './scenario/scenario.ts';
import { shrink } from './shrink.ts';

export type Run = (scenario: Scenario, options: RunOptions) => Promise<RunReport>;

export interface SweepPlan extends Omit<RunOptions, 'seed'> {
  scenario: Scenario;
  firstSeed: number;
  seeds: number;
  /** Goes on after a failure. */
  keepGoing: boolean;
  /** Runs that shrinking one failure may take at most, and the seconds after which it begins no further one. */
  shrinkRuns: number;
  shrinkSeconds: number;
}

/** What it is told on the way. */
export interface SweepEars {
  shrinking(report: RunReport, candidates: number): void;
  done(report: RunReport): void;
}

/** `sometimes` fails by itself when faults are taken away, so to shrink it would say nothing. */
const vacuousIn =
  ({ expect }: Scenario) =>
  (says: string): boolean =>
    expect.some((one) => one.kind === 'sometimes' && one.says === says);

const keyOf = ({ atMs, kind, on, forMs, with: more }: Incident): string => JSON.stringify([atMs, kind, on, forMs, more]);

/**
 * Which incidents may be left out. An expectation is written with the scenario's own timeline in mind and would fail for
 * want of it, so only what the seed drew is taken away then; a promise holds whatever happens.
 */
const splitBy = ({ scenario, only }: SweepPlan, { violations, incidents }: RunReport): { fixed: number[]; free: number[] } => {
  const numbers = only ?? incidents.map((_, number) => number);
  const own = new Set(violations.length > 0 ? [] : scenario.incidents.map(keyOf));
  const isFixed = (number: number): boolean => {
    const incident = incidents[number];
    return incident !== undefined && own.has(keyOf(incident));
  };
  return { fixed: numbers.filter(isFixed), free: numbers.filter((number) => !isFixed(number)) };
};

/** The numbers with which `failed` still fails in the same way; when there is nothing to try, those with which it ran. */
const shrunkOf = async (run: Run, plan: SweepPlan, ears: SweepEars, failed: RunReport): Promise<number[] | null> => {
  const wanted = signatureOf(failed, vacuousIn(plan.scenario));
  const { fixed, free } = splitBy(plan, failed);
  if (wanted.size === 0 || plan.shrinkRuns === 0 || free.length === 0) return plan.only;
  ears.shrinking(failed, free.length);
  const until = plan.seconds() + plan.shrinkSeconds;
  const onlyOf = (places: number[]): number[] => [...fixed, ...places.flatMap((place) => free[place] ?? [])].sort((a, b) => a - b);
  const again = async (places: number[]): Promise<boolean> => {
    if (plan.seconds() > until) return false;
    const report = await run(plan.scenario, { ...optionsOf(plan, failed.seed), only: onlyOf(places), lanes: false });
    return [...signatureOf(report, vacuousIn(plan.scenario))].some((one) => wanted.has(one));
  };
  return onlyOf(await shrink(again, free.length, plan.shrinkRuns));
};

const optionsOf = ({ tier, only, crypto, lanes, path, seconds }: SweepPlan, seed: number): RunOptions => ({
  ...{ seed, tier, only, crypto, lanes, path, seconds },
});

/** One report a seed that was run; the last one failed unless all held or it was to keep going. */
export const sweep = async (run: Run, plan: SweepPlan, ears: SweepEars): Promise<[RunReport, ...RunReport[]]> => {
  const one = async (seed: number): Promise<RunReport> => {
    const report: RunReport = { ...(await run(plan.scenario, optionsOf(plan, seed))), shrunk: plan.only };
    if (!report.ok) report.shrunk = await shrunkOf(run, plan, ears, report);
    ears.done(report);
    return report;
  };
  const reports: [RunReport, ...RunReport[]] = [await one(plan.firstSeed)];
  for (let seed = plan.firstSeed + 1; seed < plan.firstSeed + plan.seeds; seed++) {
    if (!plan.keepGoing && reports.some(({ ok }) => !ok)) break;
    reports.push(await one(seed));
  }
  return reports;
};
