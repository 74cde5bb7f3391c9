/** `lichen image release`: the system of an image as a signed release, for boards that were started from an image of its kind. */
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBundle } from '../recipes/builder/bundle.ts';
import { bundleOf, type Packed, pack, withParents } from '../recipes/builder/pack.ts';
import { openKeyFile } from '../runtime/adapters/keyfile.ts';
import { ENTRY } from '../runtime/adapters/slots/u-boot.ts';
import { withHashes } from '../runtime/adapters/slots/verity.ts';
import { hex } from '../runtime/protocol/bytes.ts';
import { refuse } from '../runtime/protocol/errors.ts';
import { ROOT_FILE, RUNTIME_FILE } from '../runtime/protocol/image.ts';
import type { Manifest } from '../runtime/protocol/nouns/release.ts';
import { parse, publisherId } from '../runtime/protocol/schema.ts';
import type { Board } from './boards/board.ts';
import { BOARDS } from './boards/boards.ts';
import { uuidOf } from './disk.ts';
import { tableIn } from './gpt.ts';
import { bundleRuntime } from './programs.ts';
import { runTool } from './tool.ts';
import { wordFor } from './verity.ts';
import type { Work } from './work.ts';

export interface ReleaseInput {
  image: string;
  /** File with the publisher's seed. */
  keyPath: string;
  publisher: string;
  sequence: number;
  /** For people. */
  label: string;
  outPath: string;
}

export interface ReleaseReport {
  release: string;
  board: string;
  sequence: number;
  bytes: number;
  chunks: number;
}

const WORDS_FILE = 'boot/words';
const MIB = 2 ** 20;
const [SUPER_AT, EROFS] = [1024, 0xe0f5e1e2];

interface Root {
  bytes: Buffer;
  /** By which it is checked. */
  word: string;
}

/** With its hashes, and without what follows them in its partition. */
const rootIn = (file: number, start: number, bytes: number): Root => {
  const head = Buffer.alloc(2 * SUPER_AT);
  readSync(file, head, 0, head.length, start);
  const files = head.readUInt32LE(SUPER_AT + 36) * 2 ** head.readUInt8(SUPER_AT + 12);
  const whole = withHashes(files);
  if (head.readUInt32LE(SUPER_AT) !== EROFS || whole > bytes) refuse('image-failed', 'its root is none that images have');
  const root = Buffer.alloc(whole);
  for (let at = 0; at < whole; ) at += readSync(file, root, at, whole - at, start + at);
  return { bytes: root, word: wordFor(root, files) };
};

/** What the kernel is told, but for the slot. */
const wordsIn = (folder: string): string => {
  const entry = join(folder, 'lichen-a.conf');
  const [path, line] = existsSync(entry) ? [entry, /^options (.*)$/m] : [join(folder, 'a', ENTRY), /^words=(.*)$/m];
  const said = existsSync(path) ? line.exec(readFileSync(path, 'utf8'))?.[1] : undefined;
  if (said === undefined) return refuse('image-failed', 'its boot partition does not say how its kernel is started');
  return said
    .split(' ')
    .filter((word) => !word.startsWith('lichen.slot='))
    .join(' ');
};

/** Files of slot a on the boot partition. */
const bootIn = async (image: string, start: number): Promise<{ path: string; bytes: Uint8Array }[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'lichen-boot-'));
  const at = `${image}@@${start}`;
  try {
    await runTool('mcopy', ['-s', '-n', '-i', at, '::lichen/a', folder]);
    await runTool('mcopy', ['-n', '-i', at, '::loader/entries/lichen-a.conf', folder]).catch(() => undefined);
    const names = readdirSync(join(folder, 'a')).filter((name) => name !== ENTRY && name !== 'release');
    const files = names.map((name) => ({ path: `boot/${name}`, bytes: new Uint8Array(readFileSync(join(folder, 'a', name))) }));
    return [...files, { path: WORDS_FILE, bytes: new TextEncoder().encode(`${wordsIn(folder)}\n`) }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const partsOf = (image: string): { board: Board; root: Root; bootAt: number } => {
  const file = openSync(image, 'r');
  try {
    const { disk, parts } = tableIn(file);
    const board =
      BOARDS.find(({ name }) => uuidOf(name) === disk) ?? refuse('image-failed', `${image} is no image that this version knows`);
    const [boot, root] = ['lichen-boot', 'lichen-root-a'].map((name) => parts.find((part) => part.name === name));
    if (boot === undefined || root === undefined) return refuse('image-failed', `${image} lacks its partitions`);
    return { board, root: rootIn(file, root.start, root.bytes), bootAt: boot.start };
  } finally {
    closeSync(file);
  }
};

/** No program of it runs in a partition: what a manifest says of that is the least that it may say. */
const UNUSED = { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 1 };

/** Errors: `image-failed`, `not-found`, `bad-release`, those of the key file and of `writeBundle`. */
export const releaseImage = async (input: ReleaseInput): Promise<ReleaseReport> => {
  const { image, keyPath } = input;
  if (!existsSync(image)) refuse('not-found', image);
  if (image.endsWith('.xz')) refuse('bad-usage', `${image} is packed: unpack it first, xz -dk ${image}`);
  if (!existsSync(keyPath)) refuse('not-found', `there is no key file ${keyPath}`);
  const { board, root, bootAt } = partsOf(image);
  const boot = await bootIn(image, bootAt);
  const words = Buffer.from(boot.find(({ path }) => path === WORDS_FILE)?.bytes ?? '').toString();
  if (!words.trim().split(' ').includes(root.word)) refuse('image-failed', 'what its kernel is told of the root is not true of its root');
  const files = [{ path: ROOT_FILE, bytes: new Uint8Array(root.bytes) }, ...boot];
  const packed = pack(withParents(files.map((file) => ({ kind: 'file', executable: false, ...file }))));
  return signed(input, packed, { board, recipe: `image-${board.name}`, file: ROOT_FILE, image: { board: board.name } });
};

interface What {
  board: Board;
  recipe: string;
  /** The one that is started. */
  file: string;
  image: NonNullable<Manifest['image']>;
}

const signed = (input: Omit<ReleaseInput, 'image'>, packed: Packed, { board, recipe, file, image }: What): ReleaseReport => {
  const { keyPath, sequence, label, outPath } = input;
  const about = {
    ...{ publisher: parse(publisherId, input.publisher, 'publisher'), recipe, label, sequence, arch: board.arch },
    ...{ args: [`/${file}`], env: {}, engine: 'none' as const, parameters: {}, limits: UNUSED, promises: [], demands: 'dev' as const },
    image,
  };
  const bundle = bundleOf(packed, about, openKeyFile(keyPath).signer);
  writeBundle(bundle, outPath);
  return { release: hex(bundle.release), board: board.name, sequence, bytes: packed.bytes, chunks: bundle.chunks.size };
};

/** The runtime alone, as it is in the sources now. Errors: as of `releaseImage`. */
export const releaseRuntime = async (work: Work, input: Omit<ReleaseInput, 'image'>): Promise<ReleaseReport> => {
  if (!existsSync(input.keyPath)) refuse('not-found', `there is no key file ${input.keyPath}`);
  const { board } = work;
  const bytes = new Uint8Array(await bundleRuntime(work));
  const packed = pack([{ kind: 'file', path: RUNTIME_FILE, executable: false, bytes }]);
  return signed(input, packed, {
    board,
    recipe: `runtime-${board.name}`,
    file: RUNTIME_FILE,
    image: { board: board.name, part: 'runtime' },
  });
};

export const inWords = ({ release, board, bytes, chunks }: ReleaseReport, out: string): string =>
  `${board} ${release}\n${(bytes / MIB).toFixed(1)} MiB in ${chunks} chunks.\nPush what is in ${out} ("lichen release push"), then "lichen board update".`;
