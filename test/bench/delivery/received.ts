/** How fast content comes to a board: its own file is watched while it grows. */
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause } from '../../../sim/harness/wait.ts';
import type { Payload } from './stage.ts';

const LOOK_MS = 10;
const BLOCK_BYTES = 512;

/** What it has of the machine's memory, and of that its own: the rest are pages of files, such as those of a store, which the kernel may take back. */
const memoryOf = (pid: number): { resident: number; anonymous: number } => {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const bytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0) * 1024;
    return { resident: bytes('VmRSS'), anonymous: bytes('RssAnon') };
  } catch {
    return { resident: 0, anonymous: 0 };
  }
};

export interface Received {
  /** From the first bytes to the last. */
  seconds: number;
  bytes: number;
  /** The most that its resident memory grew meanwhile; and the part of it that is no file's. */
  grewBytes: number;
  grewAnonymousBytes: number;
}

export const receive = async (data: string, { file, bytes }: Payload, pid: number, timeoutMs: number): Promise<Received> => {
  const incoming = join(data, 'incoming', file);
  const sealed = join(data, 'files', file.slice(0, 2), file);
  const end = performance.now() + timeoutMs;
  const before = memoryOf(pid);
  const most = { ...before };
  let [began, had] = [0, 0];
  while (!existsSync(sealed)) {
    if (performance.now() > end) throw new Error(`the board has ${had} of ${bytes} bytes after ${timeoutMs / 1000} s`);
    had = (lstatSync(incoming, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK_BYTES;
    if (had > 0 && began === 0) began = performance.now();
    const { resident, anonymous } = memoryOf(pid);
    most.resident = Math.max(most.resident, resident);
    most.anonymous = Math.max(most.anonymous, anonymous);
    await pause(LOOK_MS);
  }
  const grew = { grewBytes: most.resident - before.resident, grewAnonymousBytes: most.anonymous - before.anonymous };
  return { seconds: (performance.now() - began) / 1000, bytes, ...grew };
};
