/** What an image is made of, pinned: one file a board, written by `lichen image lock` and read by every build. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { refuse } from '../runtime/protocol/errors.ts';
import type { Board } from './boards/board.ts';

const locked = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9+.-]*$/)),
  version: v.string(),
  arch: v.string(),
  archive: v.picklist(['debian', 'debian-security']),
  path: v.pipe(v.string(), v.regex(/^pool\/[\w.+~%/-]+\.deb$/)),
  bytes: v.pipe(v.number(), v.integer()),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
const lockFile = v.strictObject({ packages: v.array(locked) });

export type LockedPackage = v.InferOutput<typeof locked>;

const folder = join(import.meta.dirname, 'locks');

export const lockPath = ({ name }: Board): string => join(folder, `${name}.json`);

export const readLock = (board: Board): LockedPackage[] => {
  const path = lockPath(board);
  if (!existsSync(path)) refuse('image-failed', `there is no ${path}: "lichen image lock ${board.name}" makes it`);
  try {
    return v.parse(lockFile, JSON.parse(readFileSync(path, 'utf8'))).packages;
  } catch (thrown) {
    return refuse('image-failed', `${path} is no lock file (${thrown instanceof Error ? thrown.message : String(thrown)})`);
  }
};

export const writeLock = (board: Board, packages: LockedPackage[]): void => {
  const sorted = [...packages].sort((one, other) => (one.name < other.name ? -1 : 1));
  writeFileSync(lockPath(board), `${JSON.stringify({ packages: sorted }, null, 2)}\n`);
};
