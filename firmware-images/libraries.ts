/** Programs with the libraries that their headers name, and theirs: nothing that is not needed, and nothing that is can be missing. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { refuse } from '../runtime/protocol/errors.ts';
import { isElf, neededBy } from './elf.ts';
import type { Tree } from './tree.ts';

/** `usr/lib` and where Debian's multiarch puts the libraries of one processor. */
const LIBRARY_FOLDER = /^usr\/lib(64|\/[a-z0-9_]+-linux-gnu)?$/;

/** Merged /usr: `lib64/x` and `usr/lib64/x` are one place. */
const merged = (path: string): string => (/^(bin|sbin|lib|lib64)\//.test(path) ? `usr/${path}` : path);

interface Found {
  package: string;
  file: string;
}

/** Libraries and loaders by their paths. */
const indexOf = (trees: Map<string, string>): Map<string, Found> => {
  const found = new Map<string, Found>();
  for (const [name, tree] of trees) {
    const below = existsSync(join(tree, 'usr/lib')) ? readdirSync(join(tree, 'usr/lib')).map((folder) => `usr/lib/${folder}`) : [];
    for (const folder of ['usr/lib', 'usr/lib64', ...below].filter((path) => LIBRARY_FOLDER.test(path) && existsSync(join(tree, path))))
      for (const file of readdirSync(join(tree, folder)).filter((one) => one.includes('.so')))
        found.set(`${folder}/${file}`, { package: name, file: join(tree, folder, file) });
  }
  return found;
};

export interface Closure {
  tree: Tree;
  /** Packages of which something is taken. */
  packages: Set<string>;
}

/** `programs`: paths in the image to files of this machine. */
export const closeOver = (programs: Map<string, { package: string; from: string }>, trees: Map<string, string>): Closure => {
  const libraries = indexOf(trees);
  const closure: Closure = { tree: new Map(), packages: new Set() };
  const queue: { path: string; from: string }[] = [];
  const take = (path: string, from: string): void => {
    if (closure.tree.has(path)) return;
    closure.tree.set(path, { kind: 'file', mode: lstatSync(from).mode & 0o777, from });
    queue.push({ path, from });
  };
  const refuseFor = (asker: string, name: string): never =>
    refuse('image-failed', `${asker} needs ${name}, which no locked package has: "lichen image lock" refreshes the lock`);
  const takeAt = (path: string, asker: string): void => {
    const { package: name, file } = libraries.get(path) ?? refuseFor(asker, path);
    closure.packages.add(name);
    if (!lstatSync(file).isSymbolicLink()) return take(path, file);
    const to = readlinkSync(file);
    closure.tree.set(path, { kind: 'link', to });
    takeAt(merged(normalize(to.startsWith('/') ? to.slice(1) : join(dirname(path), to))), path);
  };
  const placeOf = (name: string, asker: string): string =>
    [...libraries.keys()].find((path) => basename(path) === name) ?? refuseFor(asker, name);
  for (const [path, program] of programs) {
    closure.packages.add(program.package);
    take(path, program.from);
  }
  for (const { path, from } of queue) {
    const bytes = readFileSync(from);
    if (!isElf(bytes)) continue;
    const { interpreter, libraries: names } = neededBy(bytes);
    if (interpreter !== null) takeAt(merged(interpreter.slice(1)), path);
    for (const name of names) takeAt(placeOf(name, path), path);
  }
  return closure;
};
