/** What a failure is, how it is run once more, and what it is called. */
import { promiseSays } from './promises.ts';
import type { RunReport } from './report.ts';
import { moment, withNames } from './words.ts';

/** Fit for a POSIX shell: a path with nothing special in it stays as it is. */
const shellWord = (text: string): string => (/^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** One command that runs the same again; after a failure with the shrunk list of faults, if there is one. */
export const replayCommand = ({
  path,
  seed,
  shrunk,
  tier,
  crypto,
}: Pick<RunReport, 'path' | 'seed' | 'shrunk' | 'tier' | 'crypto'>): string =>
  [
    `lichen sim replay ${shellWord(path)} --seed ${seed}`,
    ...(shrunk === null ? [] : [`--faults ${shrunk.length === 0 ? 'none' : shrunk.join(',')}`]),
    ...(tier === 'a' ? [] : [`--tier ${tier}`]),
    ...(crypto === 'stand-in' ? [] : ['--ed25519']),
  ].join(' ');

export interface Failure {
  /** Short and stable: a violation's code, or that an expectation was not met. */
  code: string;
  /** One line. */
  title: string;
  /** One sentence with the figures, in names instead of ids. */
  says: string;
  promise: number | null;
}

export const failuresOf = ({ violations, expectations, names }: RunReport): Failure[] => [
  ...violations.map(({ promise, code, atMs, who, what }) => ({
    code,
    title: `promise ${promise} broke: ${promiseSays(promise)}`,
    says: `at ${moment(atMs)}${who === '' ? '' : `, ${withNames(who, names)}`}: ${withNames(what, names)}`,
    promise,
  })),
  ...expectations
    .filter(({ held }) => !held)
    .map(({ says, detail }) => ({
      code: 'expectation',
      title: `not met: ${says}`,
      says: withNames(detail, names),
      promise: null,
    })),
];

/**
 * What two failing runs must have in common to count as the same failure: shrinking must not wander off to another
 * one. `isVacuous` names expectations that fail by themselves when faults are taken away: a `sometimes`.
 */
export const signatureOf = (report: RunReport, isVacuous: (says: string) => boolean): Set<string> =>
  new Set([
    ...report.violations.map(({ promise, code }) => `${promise} ${code}`),
    ...report.expectations.filter(({ held, says }) => !held && !isVacuous(says)).map(({ says }) => `expect ${says}`),
  ]);
