/**
 * Takes what the first partition of a card says: `lichen-setup FOLDER DATA TOLD`. At a first start it is loaded before the runtime into its Node
 * (`--import`), as `lichen-setup.mjs?asked=PIPE&answers=PIPE`: reading one Node takes a small board as long as reading the other. It is asked by
 * one line, those three words or nothing, and answers line by line, the last of which is a dot.
 */
import { close, open, read, writeFileSync } from 'node:fs';
import { asLichenError, tell } from '../../runtime/protocol/errors.ts';
import { importFrom, linesOf } from './import.ts';

const LAST = '.';
/** What is written at once and no longer is read at once (PIPE_BUF, pipe(7)). */
const LINE_BYTES = 4096;

const take = ([folder = '', data = '', toldPath = '']: string[]): { ok: boolean; lines: string[] } => {
  try {
    const told = importFrom(folder, data);
    writeFileSync(toldPath, JSON.stringify(told));
    return { ok: true, lines: linesOf(told) };
  } catch (thrown) {
    const { says, why, next } = tell(asLichenError(thrown));
    return { ok: false, lines: [`${says} ${why} ${next}`] };
  }
};

const heard = (path: string, call: (line: string) => void): void =>
  open(path, 'r', (missing, fd) => {
    if (missing !== null) return;
    const line = Buffer.alloc(LINE_BYTES);
    read(fd, line, 0, line.length, null, (_error, bytes) => close(fd, () => call(line.toString('utf8', 0, bytes).trim())));
  });

const { searchParams } = new URL(import.meta.url);
const [asked, answers] = [searchParams.get('asked'), searchParams.get('answers')];
if (asked !== null && answers !== null)
  heard(asked, (words) => {
    const lines = words === '' ? [] : take(words.split(' ')).lines;
    writeFileSync(answers, `${[...lines, LAST].join('\n')}\n`);
  });
else {
  const { ok, lines } = take(process.argv.slice(2));
  for (const line of lines) process.stdout.write(`${line}\n`);
  process.exitCode = ok ? 0 : 1;
}
