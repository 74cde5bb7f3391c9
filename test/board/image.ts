/** The image that all board tests start from, built as a person builds it, and cards made of it. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Board } from '../../firmware-images/boards/board.ts';
import { genericAmd64 } from '../../firmware-images/boards/generic-amd64.ts';
import { makeErofs } from '../../firmware-images/disk.ts';
import { buildImage, packRoot } from '../../firmware-images/image.ts';
import { gatherParts } from '../../firmware-images/parts.ts';
import { type Tree, text } from '../../firmware-images/tree.ts';
import { defaultCache } from '../../firmware-images/work.ts';
import { until } from '../../sim/harness/wait.ts';

const [SLOT_A_AT, SLOT_BYTES] = [129 * 1024 ** 2, 256 * 1024 ** 2];
const BLOCK = 4096;
export type Slot = 'a' | 'b';
/** Where its root begins on a card. */
export const slotAt = (slot: Slot): number => (slot === 'a' ? SLOT_A_AT : SLOT_A_AT + SLOT_BYTES);

const CARD_BYTES = 4 * 1024 ** 3;
/** With everything fetched, unpacked and packed anew. */
const BUILD_LIMIT_MS = 1_200_000;
/** Where the first partition of an image begins, as mtools say it. */
const BOOT_AT = '@@1M';

/** Of any image. */
export const ROOT_BYTES_MAX = 160_000_000;

export interface TestImage {
  path: string;
  /** Of the root, as it lies in its slot. */
  rootBytes: number;
  kernelPath: string;
  firstPath: string;
  /** What its kernel is told. */
  commandLine: string;
  /** A disk with programs that only tests want. */
  benchPath: string;
}

/** Built by an earlier file of this run of tests (once.ts), from the same sources. */
const builtBefore = (note: string): TestImage | null => {
  const { run, image }: { run?: string; image?: TestImage } = existsSync(note) ? JSON.parse(readFileSync(note, 'utf8')) : {};
  return run !== undefined && run === process.env.LICHEN_BOARD_RUN ? (image ?? null) : null;
};

/** Two files are run at once: the one that comes first builds, and the other waits for it. */
const comesFirst = (board: Board): boolean => {
  const run = process.env.LICHEN_BOARD_RUN;
  return run === undefined || mkdirSync(join(run, board.name), { recursive: true }) !== undefined;
};

export const testImage = async (board: Board = genericAmd64): Promise<TestImage> => {
  const cachePath = defaultCache();
  const out = join(cachePath, 'board-tests', board.name);
  const note = join(out, 'run.json');
  const before = builtBefore(note);
  if (before !== null) return before;
  mkdirSync(out, { recursive: true });
  if (!comesFirst(board)) return until(`the image for ${board.name}`, BUILD_LIMIT_MS, () => builtBefore(note));
  const say = (line: string): void => void process.stderr.write(`image: ${line}\n`);
  const { parts, commandLine, report } = await buildImage({ board, cachePath, say }, out);
  const firstPath = join(out, 'first');
  writeFileSync(firstPath, parts.first);
  const benchPath = join(out, 'bench');
  await makeErofs(parts.bench, 'bench', benchPath);
  const image = { path: report.image, rootBytes: report.rootBytes, kernelPath: parts.kernelPath, firstPath, commandLine, benchPath };
  writeFileSync(note, JSON.stringify({ run: process.env.LICHEN_BOARD_RUN, image }));
  return image;
};

/** A card is larger than the image that is written to it. */
export const writeCard = ({ path }: TestImage, card: string, bytes = CARD_BYTES): void => {
  copyFileSync(path, card, constants.COPYFILE_FICLONE);
  truncateSync(card, bytes);
};

/** Onto the first partition, and from it, as any computer does it. */
export const putOn = (card: string, from: string, name: string): void =>
  void execFileSync('mcopy', ['-o', '-i', `${card}${BOOT_AT}`, from, `::${name}`]);
export const takeFrom = (card: string, name: string, to: string): void =>
  void execFileSync('mcopy', ['-n', '-i', `${card}${BOOT_AT}`, `::${name}`, to]);

export const takeFolder = (card: string, name: string, to: string): void =>
  void execFileSync('mcopy', ['-s', '-n', '-i', `${card}${BOOT_AT}`, `::${name}`, to]);

/** What lies in slot a, into slot b as well. */
export const copySlot = (card: string): void => {
  const [from, to] = [slotAt('a'), slotAt('b')].map((place) => place / 1024 ** 2);
  execFileSync('dd', [`if=${card}`, `of=${card}`, 'bs=1M', `skip=${from}`, `seek=${to}`, 'count=256', 'conv=notrunc', 'status=none']);
};

/** A folder of the first partition, changed by what works on folders. */
export const changeFolder = (card: string, name: string, scratch: string, change: (boot: string) => void): void => {
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch);
  takeFolder(card, name, scratch);
  change(scratch);
  execFileSync('mdeltree', ['-i', `${card}${BOOT_AT}`, `::${name}`]);
  execFileSync('mcopy', ['-s', '-n', '-i', `${card}${BOOT_AT}`, join(scratch, name), '::']);
};

const entryOf = ({ name }: Board): string => (name === 'pi' ? 'lichen/a/entry.txt' : 'loader/entries/lichen-a.conf');

/** Of slot a, as somebody with a computer would do it. */
const rewordSlot = (card: string, board: Board, change: (entry: string) => string): void => {
  takeFrom(card, entryOf(board), `${card}.entry`);
  writeFileSync(`${card}.entry`, change(readFileSync(`${card}.entry`, 'utf8')));
  putOn(card, `${card}.entry`, entryOf(board));
  rmSync(`${card}.entry`);
};

/** The tree of the same image with something else in it, as a newer one would have. A kernel of it that gives up starts again at once. */
export const otherImage = async (
  image: TestImage,
  path: string,
  change: (root: Tree) => void,
  board: Board = genericAmd64,
): Promise<void> => {
  const say = (line: string): void => void process.stderr.write(`other image: ${line}\n`);
  const { root } = await gatherParts({ board, cachePath: defaultCache(), say });
  root.set('usr/lib/lichen/board', text(`${board.name}\n`));
  change(root);
  const packed = await packRoot(root, board.name, `${path}.root`);
  copyFileSync(image.path, path, constants.COPYFILE_FICLONE);
  const file = openSync(path, 'r+');
  const whole = Buffer.alloc(SLOT_BYTES);
  readFileSync(packed.path).copy(whole);
  rmSync(packed.path);
  writeSync(file, whole, 0, whole.length, SLOT_A_AT);
  closeSync(file);
  rewordSlot(path, board, (entry) => entry.replace(/lichen\.root=\S+/, packed.word).replace('panic=10', 'panic=1'));
};

/** As a card that is worn out does it: a byte in the middle of a file in a slot's root is another one. */
export const spoilFile = async (card: string, slot: Slot, name: RegExp, board: Board = genericAmd64): Promise<void> => {
  const { root } = await gatherParts({ board, cachePath: defaultCache(), say: () => undefined });
  const [, entry] = [...root].find(([path]) => name.test(path)) ?? [];
  if (entry?.kind !== 'file') throw new Error(`there is no file ${name} in a root`);
  const bytes = 'from' in entry ? readFileSync(entry.from) : Buffer.from(entry.bytes);
  const middle = Math.floor(bytes.length / 2 / BLOCK) * BLOCK;
  const file = openSync(card, 'r+');
  const whole = Buffer.alloc(SLOT_BYTES);
  const start = slotAt(slot);
  readSync(file, whole, 0, whole.length, start);
  const found = whole.indexOf(bytes.subarray(middle, middle + BLOCK));
  if (found < 0 || found % BLOCK !== 0) throw new Error(`${name} does not lie in slot ${slot}`);
  whole[found + 7] = (whole[found + 7] ?? 0) ^ 1;
  writeSync(file, whole, found, BLOCK, start + found);
  closeSync(file);
};
