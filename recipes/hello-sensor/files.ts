/** Small files of the kernel, below a root that a test can choose. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface KernelFiles {
  /** Names in a directory that match, in the order of their numbers; none when there is no such directory. */
  list(directory: string, pattern: RegExp): string[];
  /** Trimmed text. Throws what the kernel says. */
  read(path: string): string;
}

const byNumber = new Intl.Collator('en', { numeric: true });

export const openKernelFiles = (root = '/'): KernelFiles => ({
  list: (directory, pattern) => {
    try {
      return readdirSync(join(root, directory))
        .filter((name) => pattern.test(name))
        .sort(byNumber.compare);
    } catch {
      return [];
    }
  },
  read: (path) => readFileSync(join(root, path), 'utf8').trim(),
});

/** `null` for a file that is not there or cannot be read. */
export const readIfAny = (files: KernelFiles, path: string): string | null => {
  try {
    return files.read(path);
  } catch {
    return null;
  }
};
