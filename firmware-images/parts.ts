/** Everything that an image is made of, as trees of files. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { fetchPackages } from './archive.ts';
import type { Sources } from './beside/materials.ts';
import type { Board } from './boards/board.ts';
import { bootTree } from './boot-partition.ts';
import type { Carried } from './bundle.ts';
import { BENCH_MODULES } from './contents.ts';
import { cpioOf } from './cpio.ts';
import { isKernel, kernelIn } from './kernel.ts';
import { type LockedPackage, readLock } from './lock.ts';
import { lockedPackage } from './locked-package.ts';
import { chooseModules, moduleTree } from './modules.ts';
import { bundlePrograms, strippedNode } from './programs.ts';
import { benchClosure, benchFiles, filePackages, firstPrograms, firstTree, programsOf, rootTree } from './root.ts';
import type { Tree } from './tree.ts';
import { unpackPackages } from './unpack.ts';
import type { Work } from './work.ts';

export interface Parts {
  /** By the words for the kernel, one of which is about the root as it was packed. */
  boot(commandLine: string): Tree;
  root: Tree;
  kernelPath: string;
  /** The first root, packed. */
  first: Buffer;
  /** For the kernel, but for the one about the root. */
  words: string[];
  /** For tests that run inside. */
  bench: Tree;
  sources: Sources;
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
  const besides = await moduleTree(kernel, await chooseModules(kernel, [...board.modules, ...BENCH_MODULES], store), draft);
  const early = await moduleTree(kernel, await chooseModules(kernel, board.earlyModules, store), draft);
  rmSync(draft, { recursive: true, force: true });
  say('runtime: bundling');
  const [node, { bundles, carries }] = [await strippedNode(work), await bundlePrograms(work)];
  const root = rootTree(board, { trees, node, bundles, modules });
  const first = zstdCompressSync(cpioOf(firstTree(trees, early)), { params: { [constants.ZSTD_c_compressionLevel]: 15 } });
  return {
    boot: (commandLine) => bootTree(board, { trees, kernel, first, commandLine }),
    root,
    first,
    kernelPath: kernel.image,
    words: ['lichen.slot=a', ...board.commandLine],
    bench: new Map([...benchClosure(board, trees).tree, ...benchFiles(trees), ...besides]),
    sources: await sourcesOf({ board, packages, trees, node, carries }),
  };
};

interface Taken {
  board: Board;
  packages: LockedPackage[];
  trees: Map<string, string>;
  node: string;
  carries: Carried[];
}

/** Without what only tests want. */
const sourcesOf = async ({ board, packages, trees, node, carries }: Taken): Promise<Sources> => {
  const programs = [...programsOf(board, { trees, node }).packages, ...firstPrograms(trees).packages];
  const taken = new Set([...programs, ...filePackages(board), ...board.firmware.packages]);
  const name = `node-linux-${board.arch}`;
  return {
    ...{ trees, npm: [{ name, folder: await lockedPackage(name) }, ...carries] },
    packages: packages.filter((one) => taken.has(one.name) || isKernel(one)),
  };
};
