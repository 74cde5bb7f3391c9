/** Everything that an image is made of, as trees of files. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { fetchPackages } from './archive.ts';
import { bootTree } from './boot-partition.ts';
import { cpioOf } from './cpio.ts';
import { kernelIn } from './kernel.ts';
import { readLock } from './lock.ts';
import { chooseModules, moduleTree } from './modules.ts';
import { bundleRuntime, strippedNode } from './programs.ts';
import { benchClosure, firstTree, rootTree } from './root.ts';
import type { Tree } from './tree.ts';
import { unpackPackages } from './unpack.ts';
import type { Work } from './work.ts';

export interface Parts {
  boot: Tree;
  root: Tree;
  kernelPath: string;
  /** The first root, packed. */
  first: Buffer;
  commandLine: string;
  /** For tests that run inside. */
  bench: Tree;
}

export const gatherParts = async (work: Work): Promise<Parts> => {
  const { board, cachePath, say } = work;
  mkdirSync(cachePath, { recursive: true });
  const packages = readLock(board);
  const trees = await unpackPackages(await fetchPackages(packages, work), cachePath);
  const kernel = kernelIn(trees);
  say(`kernel ${kernel.version}: choosing modules`);
  const [store, draft] = [join(cachePath, 'modules', kernel.version), join(cachePath, `draft-${process.pid}`)];
  const modules = await moduleTree(kernel, await chooseModules(kernel, board.modules, store), draft);
  const early = await moduleTree(kernel, await chooseModules(kernel, board.earlyModules, store), draft);
  rmSync(draft, { recursive: true, force: true });
  say('runtime: bundling');
  const root = rootTree({ trees, node: await strippedNode(work), runtime: await bundleRuntime(work), modules });
  const first = zstdCompressSync(cpioOf(firstTree(trees, early)), { params: { [constants.ZSTD_c_compressionLevel]: 15 } });
  const commandLine = ['lichen.slot=a', ...board.commandLine].join(' ');
  return {
    boot: bootTree(board, { trees, kernel, first, commandLine }),
    root,
    first,
    kernelPath: kernel.image,
    commandLine,
    bench: benchClosure(board, trees).tree,
  };
};
