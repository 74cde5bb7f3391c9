/** Promise 10: whatever is refused is refused with a code of the table, which has a sentence and a next step. */
import { ERRORS } from '../../runtime/protocol/errors.ts';
import type { Court } from './court.ts';

const WORD = /(?<=^|\s)([a-z]+(?:-[a-z]+)*): /g;

const codesIn = (line: string): string[] =>
  [...line.matchAll(WORD)].flatMap(([, word]) => (word !== undefined && Object.hasOwn(ERRORS, word) ? [word] : []));

export const examineLine = (court: Court, atMs: number, by: string, line: string): void => {
  const says = line.includes('refused');
  if (!says && !line.includes('internal: ')) return;
  const codes = codesIn(line);
  if (codes.includes('internal')) court.docket.accuse('internal-error', atMs, by, line);
  if (says && codes.length === 0) court.docket.accuse('refusal-without-reason', atMs, by, line);
};
