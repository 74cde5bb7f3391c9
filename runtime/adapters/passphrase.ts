/** The passphrase of a key file: from a file that LICHEN_PASSPHRASE_FILE names, or from whoever sits at the terminal. */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { refuse } from '../protocol/errors.ts';

const LINE_MAX = 1024;

/** Nothing of it is shown. */
export const askPassphrase = (what: string): string => {
  let terminal: number;
  try {
    terminal = openSync('/dev/tty', 'r+');
  } catch {
    return refuse('bad-usage', `${what} needs a passphrase, and nobody can be asked: name a file with it in LICHEN_PASSPHRASE_FILE`);
  }
  const echo = (word: string): unknown => spawnSync('stty', [word], { stdio: [terminal, 'ignore', 'ignore'] });
  try {
    writeSync(terminal, `Passphrase for ${what}: `);
    echo('-echo');
    const line = Buffer.alloc(LINE_MAX);
    const length = readSync(terminal, line, 0, LINE_MAX, null);
    writeSync(terminal, '\n');
    return line.toString('utf8', 0, length).replace(/\r?\n$/, '');
  } finally {
    echo('echo');
    closeSync(terminal);
  }
};

export const passphraseFor = (what: string): string => {
  const file = process.env.LICHEN_PASSPHRASE_FILE;
  return file === undefined ? askPassphrase(what) : readFileSync(file, 'utf8').replace(/\r?\n$/, '');
};
