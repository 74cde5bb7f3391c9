/** What the start of a board leaves for people: what became of the files on its card, and what it said. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { readTold } from './setup.ts';

const SAID_BYTES = 4096;

/** The last whole lines of a file that only grows. */
const lastLines = (path: string): string[] => {
  if (!existsSync(path)) return [];
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const part = Buffer.alloc(Math.min(size, SAID_BYTES));
    readSync(file, part, 0, part.length, size - part.length);
    const lines = part.toString('utf8').split('\n').filter(Boolean);
    return size > SAID_BYTES ? lines.slice(1) : lines;
  } finally {
    closeSync(file);
  }
};

/** `folder`: null where nothing is left. */
export const readNotes = (folder: string | null): { wrong: string[]; said: string[] } => {
  if (folder === null) return { wrong: [], said: [] };
  const { wrong } = readTold(join(folder, 'setup.json'));
  return { wrong: wrong.map(({ why, next }) => `${why}. ${next}`), said: lastLines(join(folder, 'said')) };
};
