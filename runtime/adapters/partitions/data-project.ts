/**
 * `/data` with an end where the card's own file system counts by project (ext4 or XFS, mounted with prjquota): no second file
 * system, no second cache, and the end may move. A project's number is the uid that its data belong to, which is one board's
 * alone and goes with them to an heir. xfs_quota(8) speaks the kernel's generic calls, so it limits ext4 as well (`-f`); files
 * are put into a project by chattr(1), as xfs_quota marks them in a way that ext4 knows of directories only.
 *
 * Whoever owns a file may say which project it is of, outside of user namespaces: the filter of system calls keeps instances
 * from that (seccomp.ts).
 */
import { chownSync, mkdirSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type DataLimit, MIB } from '../../protocol/nouns/data.ts';
import { must, run } from './run.ts';
import { readText } from './state.ts';

const KIB = 1024;

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

const limitTo = async (directory: string, { blocks, files }: Room, bsize: number, project: number): Promise<void> => {
  const mount = mountOf(directory, readText('/proc/self/mounts') ?? '') ?? '/';
  const limit = `limit -p bhard=${(blocks * bsize) / KIB}k ihard=${files} ${project}`;
  await must('xfs_quota', ['-x', '-f', '-c', limit, mount]);
};

/** Files that are there, and directories with the mark by which what is made in them follows. Pipes and the like take no room. */
const putInto = async (directory: string, project: number): Promise<void> => {
  await must('find', [directory, '-type', 'd', '-exec', 'chattr', '+P', '-p', String(project), '{}', '+']);
  await must('find', [directory, '-type', 'f', '-exec', 'chattr', '-p', String(project), '{}', '+']);
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
  // The end comes last: for as long as none shows, whatever was cut before is done again.
  if (now.blocks === whole.blocks) await putInto(directory, project);
  await limitTo(directory, room, whole.bsize, project);
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
  if (heldByProject(directory) !== null) await limitTo(directory, { blocks: 0, files: 0 }, 1, project);
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
