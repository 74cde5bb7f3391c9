/** How fast content comes to a board: its own file is watched while it grows. */
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause } from '../../../sim/harness/wait.ts';
import type { Payload } from './stage.ts';

const LOOK_MS = 10;
const BLOCK_BYTES = 512;

const rssOf = (pid: number): number => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
};

export interface Received {
  /** From the first bytes to the last. */
  seconds: number;
  bytes: number;
  /** The most that its resident memory grew meanwhile. */
  grewBytes: number;
}

export const receive = async (data: string, { file, bytes }: Payload, pid: number, timeoutMs: number): Promise<Received> => {
  const incoming = join(data, 'incoming', file);
  const sealed = join(data, 'files', file.slice(0, 2), file);
  const end = performance.now() + timeoutMs;
  const before = rssOf(pid);
  let [most, began, had] = [before, 0, 0];
  while (!existsSync(sealed)) {
    if (performance.now() > end) throw new Error(`the board has ${had} of ${bytes} bytes after ${timeoutMs / 1000} s`);
    had = (lstatSync(incoming, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK_BYTES;
    if (had > 0 && began === 0) began = performance.now();
    most = Math.max(most, rssOf(pid));
    await pause(LOOK_MS);
  }
  return { seconds: (performance.now() - began) / 1000, bytes, grewBytes: most - before };
};
