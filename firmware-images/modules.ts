/** Kernel modules: those that match, those that these need, and the tables by which the kernel finds them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, matchesGlob } from 'node:path';
import { refuse } from '../runtime/protocol/errors.ts';
import { runTool } from './tool.ts';
import type { Tree } from './tree.ts';

/** Debian packs them; erofs does so again, and a small change of one then stays small. */
const PACKED = '.ko.xz';

export interface Kernel {
  version: string;
  /** Path of the image that is started. */
  image: string;
  tree: string;
}

export const kernelIn = (tree: string): Kernel => {
  const [version] = readdirSync(join(tree, 'usr/lib/modules'));
  const image = readdirSync(join(tree, 'boot')).find((name) => name.startsWith('vmlinuz-'));
  if (version === undefined || image === undefined) return refuse('image-failed', `${tree} holds no kernel`);
  return { version, image: join(tree, 'boot', image), tree };
};

const modulesIn = (folder: string): string[] =>
  readdirSync(join(folder, 'kernel'), { recursive: true, encoding: 'utf8' })
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
const unpacked = async (folder: string, path: string, store: string): Promise<string> => {
  const target = join(store, path.slice(0, -'.xz'.length));
  if (!existsSync(target)) {
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(`${target}.part`, await runTool('xz', ['-dc', join(folder, 'kernel', path)]));
    renameSync(`${target}.part`, target);
  }
  return target;
};

/** Paths below `kernel/` (without `.xz`) to files, with what each of them needs. */
export const chooseModules = async (kernel: Kernel, patterns: string[], store: string): Promise<Map<string, string>> => {
  const folder = join(kernel.tree, 'usr/lib/modules', kernel.version);
  const all = modulesIn(folder);
  const byName = new Map(all.map((path) => [nameOf(path), path]));
  const chosen = new Map<string, string>();
  const queue = all.filter((path) => patterns.some((pattern) => matchesGlob(path, pattern)));
  for (const path of queue) {
    const name = path.slice(0, -'.xz'.length);
    if (chosen.has(name)) continue;
    const file = await unpacked(folder, path, store);
    chosen.set(name, file);
    for (const needed of dependsOf(readFileSync(file))) {
      const found = byName.get(needed.replaceAll('-', '_'));
      if (found !== undefined) queue.push(found);
    }
  }
  return chosen;
};

const TABLES = [
  'modules.alias',
  'modules.dep',
  'modules.softdep',
  'modules.symbols',
  'modules.builtin',
  'modules.builtin.modinfo',
  'modules.order',
];

/** Modules with the tables that depmod makes for just these. */
export const moduleTree = async (kernel: Kernel, modules: Map<string, string>, draft: string): Promise<Tree> => {
  const home = join('usr/lib/modules', kernel.version);
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(join(draft, 'lib/modules', kernel.version), { recursive: true });
  const at = (path: string): string => join(draft, 'lib/modules', kernel.version, path);
  for (const table of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
    writeFileSync(at(table), readFileSync(join(kernel.tree, home, table)));
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
