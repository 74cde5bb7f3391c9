/** What is made once and kept for any number of builds, also for those at the same moment. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Where a build of this process makes what shall be at `path` once it is whole. */
export const draftOf = (path: string): string => `${path}.${process.pid}.part`;

/** What builds that were ended have left behind. */
const sweep = (path: string): void => {
  for (const name of readdirSync(dirname(path))) {
    const [, pid] = (name.startsWith(`${basename(path)}.`) && /\.(\d+)\.part$/.exec(name)) || [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(dirname(path), name), { recursive: true, force: true });
  }
};

/** A file or folder at `path`, made by `make` unless it is there: beside and renamed, so that nobody ever sees half of it. */
export const keep = async (path: string, make: (draft: string) => Promise<void> | void): Promise<string> => {
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  sweep(path);
  const draft = draftOf(path);
  try {
    await make(draft);
    // Another build may have been first with a folder; two of one name hold the same.
    if (!existsSync(path)) renameSync(draft, path);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return path;
};
