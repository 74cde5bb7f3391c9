/** `lichen image build`: parts as file systems, file systems as one disk. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { sha256Of } from './archive.ts';
import { makeDisk, makeErofs, makeFat, mebibytesOf } from './disk.ts';
import { keep } from './keep.ts';
import { gatherParts, type Parts } from './parts.ts';
import { needTools, TOOLS, type Tool } from './tool.ts';
import { type Tree, text, withParents } from './tree.ts';
import { addHashes } from './verity.ts';
import type { Work } from './work.ts';

const BOOT_MIB = 128;
const SLOT_MIB = 256;
/** Packed file systems that are kept: the newest of each board, and the one before. */
const KEPT = 2;

export interface BuiltImage {
  board: string;
  image: string;
  imageBytes: number;
  rootBytes: number;
  sha256: string;
  seconds: number;
}

/** Two trees with one name hold the same. */
const nameOf = (tree: Tree): string => {
  const hash = createHash('sha256');
  for (const [path, entry] of withParents(tree)) {
    hash.update(`${path}\0${entry.kind}\0${entry.kind === 'link' ? entry.to : entry.mode.toString(8)}\0`);
    if (entry.kind === 'file')
      hash.update(
        createHash('sha256')
          .update('from' in entry ? readFileSync(entry.from) : entry.bytes)
          .digest(),
      );
  }
  return hash.digest('hex').slice(0, 32);
};

const bytesOf = (tree: Tree): number => {
  let sum = 0;
  for (const entry of tree.values())
    if (entry.kind === 'file') sum += 'from' in entry ? readFileSync(entry.from).length : entry.bytes.length;
  return sum;
};

export interface PackedRoot {
  path: string;
  /** For the kernel: by it the root is checked. */
  word: string;
}

export const packRoot = async (root: Tree, board: string, path: string): Promise<PackedRoot> => {
  await makeErofs(root, `${board} root`, path);
  return { path, word: addHashes(path) };
};

/** Packing is what takes long: a root that was packed before is taken as it is. */
const packedRoot = async ({ board, cachePath, say }: Work, root: Tree): Promise<PackedRoot> => {
  const store = join(cachePath, 'roots', board.name);
  const path = join(store, `${nameOf(root)}.root`);
  const note = `${path}.word`;
  await keep(path, async (draft) => {
    say('root: packing');
    writeFileSync(note, (await packRoot(root, board.name, draft)).word);
  });
  const age = (name: string): number => statSync(join(store, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const others = readdirSync(store).filter((name) => name.endsWith('.root') && name !== basename(path));
  for (const name of others.sort((one, other) => age(other) - age(one)).slice(KEPT - 1))
    for (const end of ['', '.word']) rmSync(join(store, `${name}${end}`), { force: true });
  return { path, word: readFileSync(note, 'utf8') };
};

export interface Built {
  parts: Parts;
  /** What the kernel is told. */
  commandLine: string;
  report: BuiltImage;
}

export const buildImage = async (work: Work, outPath: string): Promise<Built> => {
  const started = process.hrtime.bigint();
  needTools(Object.keys(TOOLS).filter((tool): tool is Tool => tool in TOOLS));
  const { board, say } = work;
  const parts = await gatherParts(work);
  // Which kind of image it is: of others it takes no update.
  parts.root.set('usr/lib/lichen/board', text(`${board.name}\n`));
  const root = await packedRoot(work, parts.root);
  say('disk: putting together');
  mkdirSync(outPath, { recursive: true });
  const [boot, image] = [join(outPath, `lichen-${board.name}.boot`), join(outPath, `lichen-${board.name}.img`)];
  const commandLine = [...parts.words, root.word].join(' ');
  await makeFat(parts.boot(commandLine), 'LICHEN', BOOT_MIB, boot);
  const layout = [
    { name: 'lichen-boot', type: 'uefi', mebibytes: BOOT_MIB, path: boot },
    { name: 'lichen-root-a', type: 'linux', mebibytes: SLOT_MIB, path: root.path },
  ];
  await makeDisk({ board: board.name, parts: layout, oldTable: board.firmware.oldTable }, `${image}.part`);
  rmSync(boot);
  renameSync(`${image}.part`, image);
  const seconds = Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000;
  const imageBytes = (BOOT_MIB + SLOT_MIB + 2) * 1024 * 1024;
  const report = { board: board.name, image, imageBytes, rootBytes: bytesOf(parts.root), sha256: sha256Of(image), seconds };
  say(`root ${(report.rootBytes / 2 ** 20).toFixed(0)} MiB, packed ${mebibytesOf(root.path)} MiB`);
  return { parts, commandLine, report };
};
