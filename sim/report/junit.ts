/**
 * JUnit's XML, as GitLab, Jenkins and most others read it: one suite a scenario, one case for each promise and each
 * expectation. With several seeds a case fails if it failed with any of them.
 */
import { failuresOf, replayCommand } from './failure.ts';
import { attribute, escaped } from './markup.ts';
import { PROMISES } from './promises.ts';
import type { RunReport } from './report.ts';
import { withNames } from './words.ts';

interface Case {
  name: string;
  /** One text for each seed that failed it. */
  failures: string[];
  /** Of the first one; a stable word. */
  type: string;
}

const told = (report: RunReport, says: string): string => `seed ${report.seed}: ${says}\n  ${replayCommand(report)}`;

const promiseCases = (reports: RunReport[]): Case[] =>
  PROMISES.filter(({ judged }) => judged).map(({ number, says }) => {
    const broken = reports.flatMap((report) =>
      failuresOf(report).flatMap((failure) => (failure.promise === number ? [{ report, failure }] : [])),
    );
    return {
      name: `promise ${number}: ${says}`,
      failures: broken.map(({ report, failure }) => told(report, failure.says)),
      type: broken[0]?.failure.code ?? '',
    };
  });

const expectationCases = (reports: RunReport[]): Case[] => {
  const said = new Map<string, Case>();
  for (const report of reports) {
    for (const { says, held, detail } of report.expectations) {
      const one = said.get(says) ?? { name: `expect: ${says}`, failures: [], type: 'expectation' };
      if (!held) one.failures.push(told(report, withNames(detail, report.names)));
      said.set(says, one);
    }
  }
  return [...said.values()];
};

const caseXml = (suite: string, { name, failures, type }: Case): string => {
  const head = `    <testcase classname="${attribute(`lichen.sim.${suite}`)}" name="${attribute(name)}" time="0"`;
  const [first] = failures;
  if (first === undefined) return `${head}/>`;
  const message = first.split('\n')[0] ?? '';
  return `${head}>
      <failure type="${attribute(type)}" message="${attribute(message)}">${escaped(failures.join('\n\n'))}</failure>
    </testcase>`;
};

const suiteXml = (scenario: string, reports: RunReport[]): string => {
  const cases = [...promiseCases(reports), ...expectationCases(reports)];
  const failed = cases.filter(({ failures }) => failures.length > 0).length;
  const seconds = reports.reduce((total, { wallSeconds }) => total + wallSeconds, 0);
  const properties = [
    ['seeds', reports.map(({ seed }) => seed).join(' ')],
    ['traceHashes', reports.map(({ traceHash }) => traceHash).join(' ')],
    ['tier', reports[0]?.tier ?? ''],
  ];
  return [
    `  <testsuite name="${attribute(scenario)}" tests="${cases.length}" failures="${failed}" errors="0" skipped="0" time="${seconds.toFixed(3)}">`,
    '    <properties>',
    ...properties.map(([name, value]) => `      <property name="${name}" value="${attribute(value ?? '')}"/>`),
    '    </properties>',
    ...cases.map((one) => caseXml(scenario, one)),
    '  </testsuite>',
  ].join('\n');
};

export const junitOf = (reports: RunReport[]): string => {
  const suites = Map.groupBy(reports, ({ scenario }) => scenario);
  const xml = [...suites].map(([scenario, runs]) => suiteXml(scenario, runs));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="lichen sim">\n${xml.join('\n')}\n</testsuites>\n`;
};
