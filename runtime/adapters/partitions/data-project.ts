/**
 * `/data` with an end where the card's own file system counts by project (ext4 or XFS, mounted with prjquota): no second file
 * system, no second cache, and the end may move. A project's number is the uid that its data belong to, which is one board's
 * alone and goes with them to an heir. xfs_quota(8) speaks the kernel's generic calls, so it serves ext4 as well (`-f`).
 *
 * Whoever owns a file may say which project it is of, outside of user namespaces: the filter of system calls keeps instances
 * from that (seccomp.ts).
 */
import { chownSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { LichenError } from '../../protocol/errors.ts';
import { type DataLimit, MIB } from '../../protocol/nouns/data.ts';
import { must, run } from './run.ts';
import { readText } from './state.ts';

/** A write over the end must fail where one within it went well. */
const TRY = 'head -c 65536 /dev/zero > "$0/within" && ! head -c 2097152 /dev/zero > "$0/over" 2> /dev/null';
const TRIAL_LIMIT: DataLimit = { mib: 1, inodes: 16 };

/** Under which mount a path lies; the last of several that lie over each other. */
export const mountOf = (path: string, mounts: string): string | null =>
  mounts
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((at) => at !== '' && (at === '/' || path === at || path.startsWith(`${at}/`)))
    .reduce<string | null>((longest, at) => (longest === null || at.length >= longest.length ? at : longest), null);

const named = (directory: string): string => {
  // It splits its commands at blanks and knows no quoting.
  if (/[\s"']/.test(directory)) throw new LichenError('engine-failed', `${directory} cannot be named to xfs_quota`);
  return directory;
};

const speak = async (directory: string, commands: string[]): Promise<void> => {
  const mount = mountOf(directory, readText('/proc/self/mounts') ?? '') ?? '/';
  await must('xfs_quota', ['-x', '-f', ...commands.flatMap((command) => ['-c', command]), mount]);
};

interface Room {
  blocks: number;
  files: number;
}

/**
 * What can be held: less than the whole file system, so that a limit shows. The kernel answers statfs(2) of a directory whose
 * project has one with the limit and what is left of it.
 */
const roomOf = ({ mib, inodes }: DataLimit, { blocks, files, bsize }: Room & { bsize: number }): Room => ({
  blocks: Math.min(Math.floor((mib * MIB) / bsize), blocks - 1),
  files: Math.min(inodes, files - 1),
});

/** Whatever lies in `directory` is of its project from now on, and ends there. What is over the end already stays. */
export const holdProject = async (directory: string, limit: DataLimit, project: number): Promise<void> => {
  const whole = statfsSync(dirname(directory));
  const [room, now] = [roomOf(limit, whole), statfsSync(directory)];
  if (now.blocks === room.blocks && now.files === room.files) return;
  const ends = `bhard=${(room.blocks * whole.bsize) / 1024}k ihard=${room.files}`;
  // The end last: while it does not show, whatever was cut before is done again.
  await speak(directory, [`project -s -p ${named(directory)} ${project}`, `limit -p ${ends} ${project}`]);
};

/** What it takes of the card; null: no project holds it. */
export const heldByProject = (directory: string): bigint | null => {
  try {
    const [whole, own] = [statfsSync(dirname(directory), { bigint: true }), statfsSync(directory, { bigint: true })];
    return own.blocks === whole.blocks ? null : (own.blocks - own.bfree) * own.bsize;
  } catch {
    return null;
  }
};

/** The data go, and the kernel is to remember nothing of them. */
export const releaseProject = async (directory: string, project: number): Promise<void> => {
  if (heldByProject(directory) !== null) await speak(directory, [`limit -p bhard=0 ihard=0 ${project}`]);
};

/** Whether it holds, found by trying as somebody who has no say over quotas. */
export const holdsProjects = async (directory: string, uid: number): Promise<boolean> => {
  const at = `${directory}/trial`;
  try {
    mkdirSync(at, { recursive: true });
    chownSync(at, uid, uid);
    await holdProject(at, TRIAL_LIMIT, uid);
    return (await run('sh', ['-c', TRY, at], { uid })).code === 0;
  } catch {
    return false;
  } finally {
    await releaseProject(at, uid).catch(() => undefined);
    rmSync(at, { recursive: true, force: true });
  }
};
