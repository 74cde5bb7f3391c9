/**
 * `/data` with an end: a file of fixed size with a file system in it, so that bytes and inodes are held by any kernel that has
 * loop devices, whatever lies below. The file is sparse: it takes of the card what was written. It is mounted where crun
 * makes the partition and nowhere else; the partition's own mount namespace keeps it, and the last process to end lets it go.
 */
import { chmodSync, closeSync, existsSync, ftruncateSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { type DataLimit, MIB } from '../../protocol/nouns/data.ts';
import { must, run, toolPath } from './run.ts';
import { list } from './state.ts';

/** $0 image, $1 where, then the command that sees it there. What mkfs leaves inside is nothing of the tenant's. */
const MOUNT = `
mount -t ext4 -o loop,nosuid,nodev,noatime,discard "$0" "$1" || exit 1
chmod 700 "$1"
rmdir "$1/lost+found" 2> /dev/null
shift
exec "$@"
`;

/** A write over the end must fail where one within it went well. */
const TRY = 'head -c 65536 /dev/zero > "$0/within" && ! head -c 2097152 /dev/zero > "$0/over" 2> /dev/null';

/** Below this a journal would take more than it saves. */
const JOURNAL_FROM_MIB = 32;
/** In which stat(2) counts, whatever the file system's are. */
const BLOCK_BYTES = 512;
/** Of a new ext4, before anything is in it. */
const OWN_INODES = 11;

export const dataImage = (directory: string): string => `${directory}/data.img`;

/** The command in a mount namespace of its own in which the image lies at `at`. */
export const withData = (image: string, at: string, command: string[]): string[] => [
  ...[toolPath('unshare'), '--mount', '--propagation', 'slave', 'sh', '-c', MOUNT, image, at],
  ...command,
];

/**
 * One that is there already is kept as it is: what is in it is the tenant's. So is what lies in `from`, where data without an
 * end were kept before: it moves into the image, and if it does not fit there is none.
 */
export const makeImage = async (image: string, { mib, inodes }: DataLimit, uid: number, from: string | null): Promise<void> => {
  if (existsSync(image)) return;
  const next = `${image}.next`;
  const fd = openSync(next, 'w', 0o600);
  ftruncateSync(fd, mib * MIB);
  closeSync(fd);
  chmodSync(next, 0o600);
  const journal = mib < JOURNAL_FROM_MIB ? ['-O', '^has_journal'] : ['-J', 'size=4'];
  // Tables are written now: a kernel that goes on with it later would do so on nobody's account.
  const extended = `root_owner=${uid}:${uid},lazy_itable_init=0,lazy_journal_init=0,nodiscard`;
  const held = from === null ? [] : list(from).map((name) => `${from}/${name}`);
  const filled = from === null || held.length === 0 ? [] : ['-d', from];
  await must('mkfs.ext4', ['-q', '-F', '-m', '0', '-N', String(inodes + OWN_INODES), ...journal, ...filled, '-E', extended, next]);
  renameSync(next, image);
  for (const path of held) rmSync(path, { recursive: true, force: true });
};

/** What it takes of the card. What was deleted in it is given back (`discard`), after a while. */
export const heldIn = (image: string): bigint => BigInt((statSync(image, { throwIfNoEntry: false })?.blocks ?? 0) * BLOCK_BYTES);

/** Whether it holds, found by trying. */
export const holdsData = async (directory: string): Promise<boolean> => {
  const [image, at] = [`${directory}/trial.img`, `${directory}/trial`];
  try {
    mkdirSync(at, { recursive: true });
    await makeImage(image, { mib: 1, inodes: 16 }, 0, null);
    const [file = '', ...args] = withData(image, at, ['sh', '-c', TRY, at]);
    return (await run(file, args)).code === 0;
  } catch {
    return false;
  } finally {
    for (const path of [image, `${image}.next`, at]) rmSync(path, { recursive: true, force: true });
  }
};
