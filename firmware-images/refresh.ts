/** `lichen image lock`: resolves everything anew, and pins what is really taken of it. */
import { mkdirSync } from 'node:fs';
import { fetchPackages, resolvePackages } from './archive.ts';
import { copyrightHolder } from './beside/materials.ts';
import { BENCH_FILES, benchPrograms, FIRST_PROGRAMS, PROGRAMS } from './contents.ts';
import { isKernel } from './kernel.ts';
import { type LockedPackage, writeLock } from './lock.ts';
import { strippedNode } from './programs.ts';
import { benchClosure, filePackages, firstPrograms, programsOf } from './root.ts';
import { needTools } from './tool.ts';
import { unpackPackages } from './unpack.ts';
import type { Work } from './work.ts';

/** Node comes from a package registry and cannot say by Debian's names what it needs of the system. */
const NODE_NEEDS = ['libc6', 'libgcc-s1', 'libstdc++6'];

export const refreshLock = async (work: Work): Promise<LockedPackage[]> => {
  needTools(['apt-get', 'dpkg-deb']);
  mkdirSync(work.cachePath, { recursive: true });
  work.say('packages: resolving');
  const { board } = work;
  const own = [...board.firmware.packages, ...Object.keys(board.programs ?? {}), ...filePackages(board), board.kernel];
  const bench = [...Object.keys(benchPrograms(board)), ...BENCH_FILES.map((one) => one.package)];
  const names = [...new Set([...Object.keys(PROGRAMS), ...Object.keys(FIRST_PROGRAMS), ...bench, ...own, ...NODE_NEEDS])];
  const candidates = await resolvePackages(names, work);
  const trees = await unpackPackages(await fetchPackages(candidates, work), work.cachePath);
  const taken = new Set([
    ...programsOf(board, { trees, node: await strippedNode(work) }).packages,
    ...filePackages(board),
    ...firstPrograms(trees).packages,
    ...benchClosure(board, trees).packages,
    ...BENCH_FILES.map((one) => one.package),
    ...[...board.firmware.packages, ...candidates.filter(isKernel).map(({ name }) => name)],
  ]);
  const holders = [...taken].map((name) => copyrightHolder(name, trees.get(name) ?? ''));
  const pinned = candidates.filter(({ name }) => taken.has(name) || holders.includes(name));
  writeLock(board, pinned);
  return pinned;
};
