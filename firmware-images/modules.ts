/** Kernel modules: those that match, those that these need, and the tables by which the kernel finds them. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, matchesGlob } from 'node:path';
import { keep } from './keep.ts';
import type { Kernel } from './kernel.ts';
import { runTool } from './tool.ts';
import type { Tree } from './tree.ts';

/** Debian packs them; erofs does so again, and a small change of one then stays small. */
const PACKED = '.ko.xz';

const modulesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith(PACKED))
    .sort();

/** `.modinfo` is a list of NUL-ended `key=value`. */
const dependsOf = (module: Buffer): string[] => {
  const at = module.indexOf('\0depends=');
  return at < 0
    ? []
    : module
        .toString('latin1', at + 9, module.indexOf(0, at + 9))
        .split(',')
        .filter(Boolean);
};

const nameOf = (path: string): string => basename(path, path.endsWith(PACKED) ? PACKED : '.ko').replaceAll('-', '_');

/** Unpacked once and kept. */
const unpacked = (folder: string, path: string, store: string): Promise<string> =>
  keep(join(store, path.slice(0, -'.xz'.length)), async (draft) => writeFileSync(draft, await runTool('xz', ['-dc', join(folder, path)])));

/** Paths below `kernel/` (without `.xz`) to files, with what each of them needs. */
export const chooseModules = async (kernel: Kernel, patterns: string[], store: string): Promise<Map<string, string>> => {
  const all = modulesIn(kernel.modules);
  const byName = new Map(all.map((path) => [nameOf(path), path]));
  const chosen = new Map<string, string>();
  const queue = all.filter((path) => patterns.some((pattern) => matchesGlob(path, pattern)));
  for (const path of queue) {
    const name = path.slice(0, -'.xz'.length);
    if (chosen.has(name)) continue;
    const file = await unpacked(kernel.modules, path, store);
    chosen.set(name, file);
    for (const needed of dependsOf(readFileSync(file))) {
      const found = byName.get(needed.replaceAll('-', '_'));
      if (found !== undefined) queue.push(found);
    }
  }
  return chosen;
};

/** What modprobe reads. */
const TABLES = ['modules.alias', 'modules.dep', 'modules.softdep', 'modules.builtin'];

/** Modules with the tables that depmod makes for just these. */
export const moduleTree = async (kernel: Kernel, modules: Map<string, string>, draft: string): Promise<Tree> => {
  const home = join('usr/lib/modules', kernel.version);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(join(draft, 'lib/modules', kernel.version), { recursive: true });
  const at = (path: string): string => join(draft, 'lib/modules', kernel.version, path);
  for (const table of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    writeFileSync(at(table), readFileSync(join(kernel.lists, table)));
  for (const [path, file] of modules) {
    mkdirSync(dirname(at(`kernel/${path}`)), { recursive: true });
    writeFileSync(at(`kernel/${path}`), readFileSync(file));
  }
  await runTool('depmod', ['-b', draft, kernel.version]);
  const tree: Tree = new Map();
  for (const table of TABLES) tree.set(join(home, table), { kind: 'file', mode: 0o644, bytes: readFileSync(at(table)) });
  for (const [path, file] of modules) tree.set(join(home, 'kernel', path), { kind: 'file', mode: 0o644, from: file });
  return tree;
};
