/** For people: what held and the worst figures; of a failure what broke, the fewest faults that break it, and one command. */
import { plural } from '../../runtime/protocol/printable.ts';
import { failuresOf, replayCommand } from './failure.ts';
import type { RunReport } from './report.ts';
import { duration, moment } from './words.ts';

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
}

const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

const listed = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .map(([kind, count]) => `${count} ${kind}`)
    .join(', ') || 'none';

const faultsOf = ({ faults, missed }: RunReport): string =>
  `${listed(faults)}${total(missed) === 0 ? '' : `; found nothing to befall: ${listed(missed)}`}`;

const figures = (report: RunReport): string[] => {
  const perHour = (report.boards * report.simulatedMs) / 3_600_000;
  return [
    `${plural(report.boards, 'board')}, ${plural(report.gateways, 'gateway')}, ${duration(report.simulatedMs)} in ${report.wallSeconds.toFixed(1)} s (${Math.round(perHour / Math.max(report.wallSeconds, 0.001))} board-hours a second), ${report.events} events`,
    `faults: ${faultsOf(report)}`,
    `records: ${report.recordsSigned} signed, ${report.recordsLost} lost, ${report.recordsBilledTwice} billed twice`,
    `overlaps: ${report.overlaps}, the longest between homes that heard each other ${duration(report.worstOverlapMs)}`,
    `worst: ${duration(report.overlapStopMs)} overlap of stop instances, ${duration(report.worstRehomeMs)} without a home`,
    `trace: ${report.traceHash}`,
  ];
};

const expectationLines = ({ expectations }: RunReport, paint: Paint): string[] =>
  expectations.map(({ says, held, detail }) =>
    held
      ? `${paint.green('held')}  ${says}${detail === '' ? '' : paint.dim(`  ${detail}`)}`
      : `${paint.red('not met')}  ${says}  ${detail}`,
  );

/** More of them say no more. */
const MOST_FAILURES = 12;
const MOST_FAULTS = 40;

const shrunkLines = ({ shrunk, incidents }: RunReport): string[] => {
  if (shrunk === null) return [];
  if (shrunk.length === 0) return ['It fails without any of the faults.'];
  const told = shrunk.slice(0, MOST_FAULTS).map((number) => {
    const incident = incidents[number];
    if (incident === undefined) return `  ${number}`;
    const { atMs, kind, on, forMs, with: more } = incident;
    const words = Object.entries(more).map(([name, value]) => `, ${name}: ${value}`);
    return `  ${String(number).padStart(3)}  ${moment(atMs)}  ${kind} on ${on}${forMs === null ? '' : ` for ${duration(forMs)}`}${words.join('')}`;
  });
  const rest = shrunk.length - told.length;
  return [
    `It still fails with ${shrunk.length} of ${plural(incidents.length, 'fault')}:`,
    ...told,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  ];
};

const failureLines = (report: RunReport, paint: Paint): string[] => {
  const failures = failuresOf(report);
  const rest = failures.length - MOST_FAILURES;
  return [
    ...failures.slice(0, MOST_FAILURES).map(({ title, says }) => `${paint.red(title)}\n  ${says}`),
    ...(rest > 0 ? [`and ${rest} more`] : []),
    ...shrunkLines(report),
    `To run it again:\n  ${paint.bold(replayCommand(report))}`,
  ];
};

/** One run. */
export const textOf = (report: RunReport, paint: Paint): string =>
  [
    `${paint.bold(report.scenario)} ${report.ok ? paint.green('held') : paint.red('broke')} with seed ${report.seed}`,
    ...figures(report).map((line) => `  ${line}`),
    ...(report.ok ? expectationLines(report, paint).map((line) => `  ${line}`) : failureLines(report, paint)),
  ].join('\n');

/** One line for one of many. */
export const lineOf = (report: RunReport, paint: Paint): string =>
  `${report.ok ? paint.green('held ') : paint.red('broke')}  seed ${report.seed}  ${plural(total(report.faults), 'fault')}, ${report.recordsSigned} records, ${report.wallSeconds.toFixed(1)} s`;
