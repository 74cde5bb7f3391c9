/**
 * `/data` as the release before left it, beside that which the newer one writes: taken before that begins, given back when it
 * does not do, dropped when it does. A copy (shared blocks, where the card's file system can) is made under another name and
 * gets its own when all of it is on the card; giving back is two renames. Wherever the power goes, the next start goes on from
 * what it finds:
 *
 *     data                  nothing is kept
 *     data, .next           a copy was being made: it goes
 *     data, .kept           kept
 *     .kept, .gone          being given back: the second rename is still to come
 *     data, .gone           given back: what the newer one wrote goes
 *
 * What a hook found is kept beside it in the same way (`.found`), for as long as it has not ended well: until then the hook
 * that was cut, or failed, is undone before anything begins. What it found is then what is kept, without another copy.
 */
import { existsSync, readFileSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import type { KeptData, PartitionSpec } from '../../ports/partitions.ts';
import { LichenError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { dataImage } from './data-image.ts';
import { heldByProject } from './data-project.ts';
import { must, until } from './run.ts';
import { list } from './state.ts';

const [NEXT, KEPT, FOUND, GONE] = ['.next', '.kept', '.found', '.gone'];
/** A card writes a gigabyte in that time. */
const COPY_LIMIT_MS = 15 * 60_000;
/** For the mount of an image whose last process just ended. */
const MOUNT_LIMIT_MS = 10_000;
const BLOCK_BYTES = 512;
const KIB = 1024;

/** What of a partition's folder is its data, whatever state they are in. */
export const isData = (name: string): boolean => /^data(\.img)?(\.kept|\.found|\.gone)?$/.test(name);

/**
 * Where the data lie: in a file with a file system in it, or as they are. What was kept when they had no end yet is given back
 * as it was: the image is made of it anew.
 */
const placeOf = (directory: string): string => {
  const [plain, image] = [`${directory}/data`, dataImage(directory)];
  if ([KEPT, FOUND].some((form) => existsSync(plain + form))) return plain;
  return ['', KEPT, FOUND].some((form) => existsSync(image + form)) ? image : plain;
};

const remove = (path: string): void => rmSync(path, { recursive: true, force: true });

/** The steps by which the card is changed; a test cuts the power before one of them. */
export interface Hands {
  copy(from: string, to: string): Promise<void>;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** All of it, and its name, are on the card. */
  sync(directory: string): Promise<void>;
  /** Bytes that the card has left there. */
  left(directory: string): bigint;
}

export const HANDS: Hands = {
  // With owners, modes, times and links as they are; `cp` of coreutils shares blocks by itself.
  copy: async (from, to) => void (await must('cp', ['-a', from, to], { timeoutMs: COPY_LIMIT_MS })),
  rename: renameSync,
  remove,
  sync: async (directory) => void (await must('sync', ['-f', directory], { timeoutMs: COPY_LIMIT_MS })),
  left: (directory) => {
    const { bavail, bsize } = statfsSync(directory, { bigint: true });
    return bavail * bsize;
  },
};

/** Goes on with what was cut. */
const mend = (place: string, hands: Hands): void => {
  hands.remove(place + NEXT);
  const form = [FOUND, KEPT].find((one) => existsSync(place + one));
  if (!existsSync(place) && form !== undefined) hands.rename(place + form, place);
  hands.remove(place + GONE);
};

const bytesOf = async (place: string): Promise<bigint> => {
  const of = statSync(place, { throwIfNoEntry: false });
  if (of === undefined) return 0n;
  if (of.isFile()) return BigInt(of.blocks * BLOCK_BYTES);
  const kib = (): Promise<string> => must('du', ['-sk', place], { timeoutMs: COPY_LIMIT_MS });
  return heldByProject(place) ?? BigInt(Number((await kib()).split(/\s/)[0]) * KIB);
};

const checkRoom = async (place: string, directory: string, hands: Hands): Promise<void> => {
  const left = hands.left(directory) - (await bytesOf(place));
  if (left >= BigInt(LIMITS.cardReserveBytes)) return;
  const lacks = (BigInt(LIMITS.cardReserveBytes) - left + 1_048_575n) / 1_048_576n;
  throw new LichenError('storage-full', `${lacks} MiB more are needed to keep /data for the way back`);
};

const isMounted = (image: string): boolean =>
  list('/sys/block').some((name) => {
    try {
      return readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim() === image;
    } catch {
      return false;
    }
  });

const take = async (place: string, form: string, directory: string, hands: Hands): Promise<void> => {
  if (existsSync(place + form) || !existsSync(place)) return;
  await checkRoom(place, directory, hands);
  if (!(await until(() => !isMounted(place), MOUNT_LIMIT_MS))) throw new LichenError('engine-failed', `${place} is still mounted`);
  await hands.copy(place, place + NEXT);
  await hands.sync(directory);
  hands.rename(place + NEXT, place + form);
  await hands.sync(directory);
};

const giveBack = async (place: string, form: string, directory: string, hands: Hands): Promise<void> => {
  if (!existsSync(place + form)) return;
  // What was kept has no image: should this be cut, it is not given back yet, and will be.
  if (place !== dataImage(directory)) hands.remove(dataImage(directory));
  hands.rename(place, place + GONE);
  hands.rename(place + form, place);
  await hands.sync(directory);
  hands.remove(place + GONE);
};

/** By one rename each, so that it is never there in part: what is there is given back. */
const settle = async (place: string, directory: string, hands: Hands): Promise<void> => {
  if (!existsSync(place + FOUND)) return;
  hands.rename(place + FOUND, existsSync(place + KEPT) ? place + GONE : place + KEPT);
  await hands.sync(directory);
  hands.remove(place + GONE);
};

/**
 * Nothing of the partition runs. Idempotent: what is kept is not taken again, what was given back not given again. Errors:
 * `storage-full` when there is no room for a copy beside what the board's store keeps free.
 */
export const keepData = async (directory: string, what: KeptData | undefined, hands: Hands = HANDS): Promise<void> => {
  const place = placeOf(directory);
  mend(place, hands);
  if (what === 'take') await take(place, KEPT, directory, hands);
  else if (what === 'return') await giveBack(place, KEPT, directory, hands);
  else if (what === 'drop') hands.remove(place + KEPT);
};

/**
 * Nothing of the partition runs, and something is about to. A hook that has not ended well is undone; what `hooked` says ended well is not undone
 * any more. What is kept is taken, given back or dropped then, and only after that does a hook that is about to begin find what it finds, as it
 * did before. Idempotent. Error: as `keepData`.
 */
export const orderData = async (
  directory: string,
  { hook, hooked = false, kept }: Pick<PartitionSpec, 'hook' | 'hooked' | 'kept'>,
  hands: Hands = HANDS,
): Promise<void> => {
  const place = placeOf(directory);
  mend(place, hands);
  if (hooked) await settle(place, directory, hands);
  else await giveBack(place, FOUND, directory, hands);
  await keepData(directory, kept, hands);
  if (hook === 'after') await take(place, FOUND, directory, hands);
};
