/** The tree of the root, and that of the first root from which the kernel finds it. */
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Board, Taken } from './boards/board.ts';
import { APPLETS, BENCH_FILES, benchPrograms, FILES, FIRST_PROGRAMS, PROGRAMS } from './contents.ts';
import { type Closure, closeOver } from './libraries.ts';
import { type Entry, type Tree, text } from './tree.ts';

const files = join(import.meta.dirname, 'board-files');
const HOME = 'usr/lib/lichen';

/** Run before there is a root, and beside it. */
const FIRST = ['init', 'guard'];
/** Wanted on either side. */
const BOTH = ['records'];
/** Lies where busybox looks for it. */
const TABLE = 'inittab';

const OS_RELEASE = `NAME=Lichen
ID=lichen
ID_LIKE=debian
PRETTY_NAME="Lichen"
`;

/** /usr is merged, as in Debian. */
const skeleton = (): Tree => {
  const tree: Tree = new Map();
  for (const name of ['boot', 'data', 'dev', 'mnt', 'proc', 'root', 'run', 'sys', 'tmp', 'var'])
    tree.set(name, { kind: 'directory', mode: 0o755 });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) tree.set(name, { kind: 'link', to: `usr/${name}` });
  tree.set('usr/lib64', { kind: 'directory', mode: 0o755 });
  tree.set('etc/group', text('root:x:0:\nnogroup:x:65534:\n'));
  tree.set('etc/passwd', text('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n'));
  tree.set('etc/hosts', text('127.0.0.1 localhost\n::1 localhost\n'));
  tree.set('etc/mtab', { kind: 'link', to: '../proc/self/mounts' });
  tree.set('etc/nsswitch.conf', text('hosts: files dns\n'));
  tree.set('etc/os-release', text(OS_RELEASE));
  tree.set('etc/resolv.conf', { kind: 'link', to: '../run/resolv.conf' });
  tree.set('usr/bin/sh', { kind: 'link', to: 'dash' });
  // Debian's busybox knows its init by this name only.
  tree.set('usr/sbin/linuxrc', { kind: 'link', to: '../bin/busybox' });
  // Which kind of file system it makes, mke2fs takes from the name it is called by.
  tree.set('usr/sbin/mkfs.ext4', { kind: 'link', to: 'mke2fs' });
  // By this path the kernel itself asks for drivers.
  tree.set('usr/sbin/modprobe', { kind: 'link', to: '../bin/busybox' });
  return tree;
};

export interface RootParts {
  /** Unpacked packages by name. */
  trees: Map<string, string>;
  /** A file of this machine. */
  node: string;
  /** By their names in the image. */
  bundles: Map<string, Uint8Array>;
  modules: Tree;
}

type Wanted = Map<string, { package: string; from: string }>;

const wantedOf = (programs: Record<string, string[]>, trees: Map<string, string>): Wanted =>
  new Map(
    Object.entries(programs).flatMap(([name, paths]) =>
      paths.map((path) => [path, { package: name, from: join(trees.get(name) ?? name, path) }] as const),
    ),
  );

export const programsOf = (board: Board, { trees, node }: Pick<RootParts, 'trees' | 'node'>): Closure =>
  closeOver(new Map([['usr/bin/node', { package: 'node', from: node }], ...wantedOf({ ...PROGRAMS, ...board.programs }, trees)]), trees);

/** Packages of which files are taken, by name. */
export const filePackages = (board: Board): string[] => [...new Set((board.files ?? []).map((one) => one.package))];

const filesOf = (board: Board, trees: Map<string, string>): Tree => {
  const shared = Object.entries(FILES).flatMap(([name, paths]) => paths.map((from): Taken => ({ package: name, from })));
  return taken([...shared, ...(board.files ?? [])], trees);
};

const taken = (files: Taken[], trees: Map<string, string>): Tree => {
  return new Map(
    files.map((one) => {
      const from = join(trees.get(one.package) ?? one.package, one.from);
      const entry: Entry = lstatSync(from).isSymbolicLink()
        ? { kind: 'link', to: readlinkSync(from) }
        : { kind: 'file', mode: 0o644, from };
      return [one.to ?? one.from, entry];
    }),
  );
};

/** What tests want besides (contents.ts). */
/** Of these files are taken besides. */
export const benchFiles = (trees: Map<string, string>): Tree => taken(BENCH_FILES, trees);

export const benchClosure = (board: Board, trees: Map<string, string>): Closure => closeOver(wantedOf(benchPrograms(board), trees), trees);

const ROOM = 128 * 1024;

/** With empty lines, the more the longer it is, up to a length that the next version most often has too: then nothing else in the file system moves, and an update is short. */
const roomy = (bytes: Uint8Array): Uint8Array => {
  const room = bytes.length > 8 * ROOM ? ROOM : ROOM / 8;
  return Buffer.concat([bytes, Buffer.alloc((room - (bytes.length % room)) % room, '\n')]);
};

export const rootTree = (board: Board, parts: RootParts): Tree => {
  const tree: Tree = new Map([...skeleton(), ...programsOf(board, parts).tree, ...filesOf(board, parts.trees), ...parts.modules]);
  for (const name of APPLETS) if (!tree.has(`usr/bin/${name}`)) tree.set(`usr/bin/${name}`, { kind: 'link', to: 'busybox' });
  for (const name of readdirSync(files).filter((name) => !FIRST.includes(name) && name !== TABLE))
    tree.set(`${HOME}/${name}`, { kind: 'file', mode: 0o755, from: join(files, name) });
  tree.set('etc/inittab', { kind: 'file', mode: 0o644, from: join(files, TABLE) });
  for (const [name, bytes] of parts.bundles) tree.set(`${HOME}/${name}`, { kind: 'file', mode: 0o755, bytes: roomy(bytes) });
  return tree;
};

export const firstPrograms = (trees: Map<string, string>): Closure => closeOver(wantedOf(FIRST_PROGRAMS, trees), trees);

const FIRST_APPLETS = [
  ...['[', 'awk', 'basename', 'cat', 'chroot', 'cp', 'dirname', 'echo', 'grep', 'insmod', 'kill', 'mkdir', 'modprobe', 'mount', 'mv'],
  ...['readlink', 'reboot', 'rm', 'sed', 'sh', 'sleep', 'sort', 'switch_root', 'sync', 'xargs'],
];

export const firstTree = (trees: Map<string, string>, modules: Tree): Tree => {
  const tree: Tree = new Map();
  for (const name of ['dev', 'proc', 'root', 'sys', 'tmp']) tree.set(name, { kind: 'directory', mode: 0o755 });
  for (const name of [...FIRST, ...BOTH]) tree.set(name, { kind: 'file', mode: 0o755, bytes: readFileSync(join(files, name)) });
  tree.set('bin/busybox', { kind: 'file', mode: 0o755, from: join(trees.get('busybox-static') ?? '', 'usr/bin/busybox') });
  for (const name of FIRST_APPLETS) tree.set(`bin/${name}`, { kind: 'link', to: 'busybox' });
  for (const [path, entry] of [...modules, ...firstPrograms(trees).tree]) tree.set(path.replace(/^usr\//, ''), entry);
  tree.set('sbin/modprobe', { kind: 'link', to: '../bin/busybox' });
  return tree;
};
