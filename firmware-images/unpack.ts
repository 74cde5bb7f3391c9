/** Packages as trees of files, unpacked once and kept. dpkg-deb only unpacks: no script of a package is run. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runTool } from './tool.ts';

/** Beside and renamed, so that an interrupted build leaves no half of it. */
export const unpackPackages = async (debs: Map<string, string>, cachePath: string): Promise<Map<string, string>> => {
  const store = join(cachePath, 'trees');
  mkdirSync(store, { recursive: true });
  const trees = new Map<string, string>();
  for (const [name, deb] of debs) {
    const tree = join(store, basename(deb, '.deb'));
    if (!existsSync(tree)) {
      const draft = mkdtempSync(`${tree}.`);
      await runTool('dpkg-deb', ['-x', deb, draft]);
      if (existsSync(tree)) rmSync(draft, { recursive: true, force: true });
      else renameSync(draft, tree);
    }
    trees.set(name, tree);
  }
  return trees;
};
