/** Packages as trees of files, unpacked once and kept. dpkg-deb only unpacks: no script of a package is run. */
import { basename, join } from 'node:path';
import { keep } from './keep.ts';
import { runTool } from './tool.ts';

export const unpackPackages = async (debs: Map<string, string>, cachePath: string): Promise<Map<string, string>> => {
  const store = join(cachePath, 'trees');
  const trees = new Map<string, string>();
  for (const [name, deb] of debs) {
    const unpack = async (draft: string): Promise<void> => void (await runTool('dpkg-deb', ['-x', deb, draft]));
    trees.set(name, await keep(join(store, basename(deb, '.deb')), unpack));
  }
  return trees;
};
