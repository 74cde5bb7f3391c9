/**
 * Files of a running instance, as it sees them. What is there is its own to move about while we look: each step of a path is
 * taken from a directory that is held open, and no link is followed, so nothing leads out.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { isAlive, type ProcessId } from './state.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

const openFile = (first: ProcessId, path: string): number => {
  const names = path.split('/').filter((name) => name !== '');
  const last = names.pop() ?? '';
  let at = openSync(`/proc/${first.pid}/root`, O_RDONLY | O_DIRECTORY);
  const step = (name: string, flags: number): number => {
    try {
      return openSync(`/proc/self/fd/${at}/${name}`, O_RDONLY | O_NOFOLLOW | flags);
    } finally {
      closeSync(at);
    }
  };
  // Its number may have become another's before its root was opened, not after.
  if (!isAlive(first) || names.includes('..') || last === '..') {
    closeSync(at);
    throw new Error('not running');
  }
  for (const name of names) at = step(name, O_DIRECTORY);
  // A pipe would wait for a writer.
  return step(last, O_NONBLOCK);
};

export interface Inside {
  stat: Stats;
  text: string;
}

/** The beginning of a file; null when there is none, or it is not a plain file. */
export const readInside = (first: ProcessId | null, path: string, maxBytes: number): Inside | null => {
  if (first === null) return null;
  let fd: number;
  try {
    fd = openFile(first, path);
  } catch {
    return null;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return null;
    const buffer = Buffer.alloc(maxBytes);
    return { stat, text: buffer.toString('utf8', 0, readSync(fd, buffer, 0, maxBytes, 0)) };
  } catch {
    return null;
  } finally {
    closeSync(fd);
  }
};
