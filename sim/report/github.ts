/** For GitHub's runners: annotations as workflow commands, and a summary in Markdown. */
import { plural } from '../../runtime/protocol/printable.ts';
import { failuresOf, replayCommand } from './failure.ts';
import { escaped } from './markup.ts';
import type { RunReport } from './report.ts';
import { duration } from './words.ts';

/** https://docs.github.com/actions/reference/workflow-commands: what ends a command, or one of its properties, is escaped as in a URL. */
const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** A runner shows ten errors of a step and drops the rest, so the last line says how many there were. */
const MOST = 9;

/** One line a failure; empty when everything held. */
export const annotationsOf = (reports: RunReport[]): string[] => {
  const errors = reports.flatMap((report) =>
    failuresOf(report).map(({ title, says }) => {
      const text = `seed ${report.seed}, ${says}\n${replayCommand(report)}`;
      return `::error file=${property(report.path)},title=${property(title)}::${data(text)}`;
    }),
  );
  const rest = errors.length - MOST;
  return rest > 1 ? [...errors.slice(0, MOST), `::error::${data(`and ${rest} more; the summary of this step has them all`)}`] : errors;
};

/** Markdown in a table's cell: no row, cell or tag of its own. */
const cell = (text: string): string => escaped(text.replace(/[\\`*_{}[\]()#|~]/g, '\\$&')).replace(/\s+/g, ' ');

/** A code span cannot hold a backtick of its own unless its fence is longer. */
const code = (text: string): string => (text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``);

const row = (cells: string[]): string => `| ${cells.join(' | ')} |`;

const runRow = (report: RunReport): string =>
  row([
    report.ok ? '✅' : '❌',
    String(report.seed),
    `${report.boards} + ${report.gateways}`,
    duration(report.simulatedMs),
    String(Object.values(report.faults).reduce((total, count) => total + count, 0)),
    `${report.recordsSigned} / ${report.recordsLost} / ${report.recordsBilledTwice}`,
    duration(report.overlapStopMs),
    duration(report.worstRehomeMs),
    code(report.traceHash.slice(0, 16)),
  ]);

const failureLines = (report: RunReport): string[] => {
  const failures = failuresOf(report);
  if (failures.length === 0) return [];
  return [
    '',
    `**Seed ${report.seed}**`,
    '',
    ...failures.map(({ title, says }) => `- ${cell(title)}: ${cell(says)}`),
    '',
    '```sh',
    // A fence ends at three backticks, and nowhere else.
    replayCommand(report).replaceAll('```', "'''"),
    '```',
  ];
};

export const summaryOf = (reports: RunReport[]): string => {
  const suites = Map.groupBy(reports, ({ scenario }) => scenario);
  const parts = [...suites].map(([scenario, runs]) => {
    const failed = runs.filter(({ ok }) => !ok).length;
    const verdict = failed === 0 ? `held with ${plural(runs.length, 'seed')}` : `broke with ${failed} of ${plural(runs.length, 'seed')}`;
    return [
      `### ${failed === 0 ? '✅' : '❌'} ${cell(scenario)} ${verdict}`,
      '',
      cell(runs[0]?.about ?? ''),
      '',
      row([
        '',
        'seed',
        'boards + gateways',
        'simulated',
        'faults',
        'records signed / lost / billed twice',
        'stop overlap',
        'worst re-home',
        'trace',
      ]),
      row(['---', '--:', '--:', '--:', '--:', '--:', '--:', '--:', '---']),
      ...runs.map(runRow),
      ...runs.flatMap(failureLines),
    ].join('\n');
  });
  return `${parts.join('\n\n')}\n`;
};
