/** Tells when a reaper has written an exit file, without asking in a loop. */
import { type FSWatcher, mkdirSync, watch } from 'node:fs';
import { constants } from 'node:os';
import type { Exit } from '../../ports/partitions.ts';

/** inotify is the messenger; the slow round only catches a reaper that was itself killed and left no file. */
const ROUND_MS = 5_000;

export class ExitWatch {
  readonly #watcher: FSWatcher;
  readonly #round: NodeJS.Timeout;

  /** `changed` is called with the name of a file in `directory`, or with `null` at each slow round. */
  constructor(directory: string, changed: (name: string | null) => void) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#watcher = watch(directory, { persistent: false }, (_event, name) => changed(name));
    this.#watcher.on('error', () => undefined); // the directory went: the slow round still runs
    this.#round = setInterval(() => changed(null), ROUND_MS);
    this.#round.unref();
  }

  close(): void {
    this.#watcher.close();
    clearInterval(this.#round);
  }
}

const SIGNALS = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/**
 * A status as conmon and the shell tell it: 128 + n for death by signal n. A program that itself exits with such a
 * status (a shell whose child was killed) cannot be told apart and is reported as killed.
 */
export const exitOf = (status: number, oomKilled: boolean): Exit => {
  const name = status > 128 ? SIGNALS.get(status - 128) : undefined;
  return name === undefined ? { code: status, signal: null, oomKilled } : { code: null, signal: name, oomKilled };
};

export const UNKNOWN_EXIT: Exit = { code: null, signal: null, oomKilled: false };

/**
 * What conmon wrote: null while there is nothing yet. It writes -1 when a program ended so soon that its status was
 * reaped before conmon asked for it (seen with conmon 2.1.6 about once in twenty times under load): over, status unknown.
 */
export const parseExit = (text: string, oomKilled: () => boolean): Exit | null => {
  const status = text.trim();
  if (/^-\d+$/.test(status)) return UNKNOWN_EXIT;
  return /^\d+$/.test(status) ? exitOf(Number(status), status !== '0' && oomKilled()) : null;
};

/** `0m1.02s` as the shell's `times` writes it. */
const microsOf = (text: string): bigint => {
  const [, minutes = '0', seconds = '0'] = /(\d+)m([\d.]+)s/.exec(text) ?? [];
  return BigInt(minutes) * 60_000_000n + BigInt(Math.round(Number(seconds) * 1_000_000));
};

/** CPU time in µs that the dev engine's reaper noted under the status; the last line of `times` is what its children took, user and system. */
export const spentIn = (exitFile: string): bigint =>
  (exitFile.trim().split('\n')[2] ?? '').split(' ').reduce((sum, text) => sum + microsOf(text), 0n);
