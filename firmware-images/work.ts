/** What every step of a build is handed. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Board } from './boards/board.ts';

export interface Work {
  board: Board;
  /** What was fetched, unpacked and packed stays here; any number of builds may share it. */
  cachePath: string;
  /** Base address of a Debian mirror, where the machine's own is not to be used. */
  mirror?: string | undefined;
  say(line: string): void;
}

export const projectPath = join(import.meta.dirname, '..');

export const defaultCache = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'lichen', 'images');
