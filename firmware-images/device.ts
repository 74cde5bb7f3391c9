/** Whether a device may be written over: nothing of it is in use, and there is room. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { refuse } from '../runtime/protocol/errors.ts';

const SECTOR = 512;

/** By the kernel's own names; a test hands in others. */
export interface Places {
  blocks: string;
  mounts: string;
  swaps: string;
}
const PLACES: Places = { blocks: '/sys/class/block', mounts: '/proc/self/mountinfo', swaps: '/proc/swaps' };

const lines = (path: string): string[] => (existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []);

/** The disk itself and its partitions. */
const partsOf = (disk: string, { blocks }: Places): string[] => [
  disk,
  ...readdirSync(join(blocks, disk)).filter((name) => existsSync(join(blocks, disk, name, 'partition'))),
];

/** Why it must not be written over; null if it may. */
export const useOf = (disk: string, places: Places = PLACES): string | null => {
  if (existsSync(join(places.blocks, disk, 'partition'))) return `${disk} is a partition: name the whole disk`;
  for (const part of partsOf(disk, places)) {
    const number = readFileSync(join(places.blocks, part, 'dev'), 'utf8').trim();
    // By number and by name: some file systems have numbers of their own, and a root may be called otherwise (proc(5), mountinfo).
    const [, , , , where] =
      lines(places.mounts)
        .map((line) => line.split(' '))
        .find((words) => words[2] === number || words.includes(`/dev/${part}`)) ?? [];
    if (where !== undefined) return `/dev/${part} is mounted on ${where}: unmount it, if it is the right one`;
    if (lines(places.swaps).some((line) => line.startsWith(`/dev/${part} `))) return `/dev/${part} is swap space of this machine`;
    const holders = join(places.blocks, part, 'holders');
    const [holder] = existsSync(holders) ? readdirSync(holders) : [];
    if (holder !== undefined) return `/dev/${part} is in use by ${holder} of this machine`;
  }
  return null;
};

/** Error: `bad-usage`. A plain file may be written over as a card may; the kernel's own word on what is busy comes when it is opened. */
export const needFree = (path: string, bytes: number): void => {
  if (!existsSync(path)) refuse('bad-usage', `there is no ${path}`);
  const stat = statSync(path);
  if (stat.isFile()) return;
  if (!stat.isBlockDevice()) refuse('bad-usage', `${path} is neither a disk nor a file`);
  const disk = basename(realpathSync(path));
  const use = useOf(disk);
  if (use !== null) refuse('bad-usage', use);
  const room = Number(readFileSync(join(PLACES.blocks, disk, 'size'), 'utf8')) * SECTOR;
  if (room < bytes) refuse('bad-usage', `${path} has ${room} bytes, the image ${bytes}`);
};
