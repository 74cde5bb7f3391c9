/**
 * Debian packages for recipes that need a program and not its source: found, fetched and checked by apt (which checks
 * the archive's signature), unpacked by dpkg-deb. Neither needs root, and nothing of a package is run or installed.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { Run } from './command.ts';
import type { Item, Material } from './items.ts';
import type { PackagedSource } from './recipe.ts';
import { readTree } from './tree.ts';

export type Arch = 'x64' | 'arm64';

const DEBIAN_ARCH = { x64: 'amd64', arm64: 'arm64' } as const;

export interface Packages {
  arch: Arch;
  /** This machine's, whose own package lists and installed packages serve as well. */
  hostArch: Arch;
  /** Fetched and unpacked packages stay here; any number of builds may share it. */
  cachePath: string;
  run: Run;
}

interface Wanted {
  name: string;
  version: string | null;
  arch: (typeof DEBIAN_ARCH)[Arch];
  /** Where fetched packages of this processor lie. */
  store: string;
}

const APT = ['-q', '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20'];

/** A set of package lists of our own: for another processor, or where the system's are missing or too old. */
const ownLists = ({ arch, store }: Wanted): string[] => {
  const home = join(store, 'apt');
  for (const directory of ['state/lists/partial', 'cache/archives/partial']) mkdirSync(join(home, directory), { recursive: true });
  const status = join(home, 'status');
  if (!existsSync(status)) writeFileSync(status, '');
  const options = { 'Dir::State': join(home, 'state'), 'Dir::State::status': status, 'Dir::Cache': join(home, 'cache') };
  const words = { ...options, 'APT::Architecture': arch, 'APT::Architectures': arch };
  return Object.entries(words).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
};

const sha256 = (path: string): string => hex(nodeCrypto.sha256(readFileSync(path)));

/** `'<uri>' <file name> <bytes> SHA256:<hex>`, a line of apt-get's --print-uris. */
const URI_LINE = /^'[^']+' (\S+\.deb) \d+ SHA256:([0-9a-f]{64})$/m;

/** Path of the package that these lists name, fetched unless it is held; otherwise why not. */
const fetchWith = async (lists: string[], wanted: Wanted, run: Run): Promise<{ path: string } | { why: string }> => {
  const spec = wanted.version === null ? wanted.name : `${wanted.name}=${wanted.version}`;
  const download = async (...words: string[]) => run('apt-get', [...APT, ...lists, 'download', ...words, spec], wanted.store);
  const listed = await download('--print-uris');
  const [, file, hash] = URI_LINE.exec(listed.stdout) ?? [];
  if (listed.status !== 0 || file === undefined) return { why: lastLine(listed.stderr) };
  const path = join(wanted.store, file);
  if (existsSync(path) && sha256(path) === hash) return { path };
  rmSync(path, { force: true });
  const fetched = await download();
  if (fetched.status !== 0 || !existsSync(path)) return { why: lastLine(fetched.stderr) };
  if (sha256(path) === hash) return { path };
  rmSync(path);
  return { why: `${file} does not have the hash that the package list names` };
};

const lastLine = (text: string): string => text.trim().split('\n').at(-1) || 'there is no apt on this machine';

/** Among packages fetched earlier (or put there by hand); the one whose name sorts last, so that the choice is the same each time. */
const heldDeb = ({ name, version, arch, store }: Wanted): string | null => {
  const start = version === null ? `${name}_` : `${name}_${version.replaceAll(':', '%3a')}_`;
  const held = readdirSync(store).filter((file) => file.startsWith(start) && file.endsWith(`_${arch}.deb`));
  const last = held.sort().at(-1);
  return last === undefined ? null : join(store, last);
};

const fetchDeb = async (wanted: Wanted, isHost: boolean, run: Run): Promise<{ path: string } | { why: string }> => {
  const system = isHost ? await fetchWith([], wanted, run) : null;
  if (system !== null && 'path' in system) return system;
  const lists = ownLists(wanted);
  const own = await fetchWith(lists, wanted, run);
  if ('path' in own) return own;
  const updated = await run('apt-get', [...APT, ...lists, 'update'], wanted.store);
  const again = updated.status === 0 ? await fetchWith(lists, wanted, run) : { why: lastLine(updated.stderr) };
  if ('path' in again) return again;
  const held = heldDeb(wanted);
  const reasons = new Set([...(system === null ? [] : [system.why]), again.why]);
  return held === null ? { why: [...reasons].join('; ') } : { path: held };
};

/** Directory with the package's files. Unpacked beside and renamed, so that an interrupted build leaves no half of it. */
const unpack = async (deb: string, run: Run): Promise<string> => {
  const tree = `${deb}.${sha256(deb).slice(0, 16)}`;
  if (existsSync(tree)) return tree;
  const draft = mkdtempSync(`${tree}.`);
  const { status, stderr } = await run('dpkg-deb', ['-x', deb, draft], '/');
  if (status !== 0) {
    rmSync(draft, { recursive: true, force: true });
    refuse('bad-recipe', `${deb} cannot be unpacked: ${stderr.trim() || 'there is no dpkg-deb on this machine'}`);
  }
  if (existsSync(tree)) rmSync(draft, { recursive: true, force: true });
  else renameSync(draft, tree);
  return tree;
};

/** `bin/x` and `usr/bin/x` are one place since Debian merged them (trixie's packages say the latter). */
const namesOf = (path: string): string[] => {
  if (/^(bin|sbin|lib|lib64)\//.test(path)) return [path, `usr/${path}`];
  return /^usr\/(bin|sbin|lib|lib64)\//.test(path) ? [path, path.slice(4)] : [path];
};

/** True when this very package is installed here, in the wanted version, and dpkg finds none of its files changed. */
const isIntact = async ({ name, version, arch }: Wanted, run: Run): Promise<boolean> => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const shown = await run('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version} ${Architecture}', `${name}:${arch}`], '/');
  const [state, installed, processor] = shown.stdout.split(' ');
  if (shown.status !== 0 || state !== 'installed' || (version !== null && installed !== version)) return false;
  const verified = await run('dpkg', ['--verify', name], '/');
  return verified.status === 0 && verified.stdout.trim() === '' && (processor === arch || processor === 'all');
};

const ownsFile = async (name: string, path: string, run: Run): Promise<boolean> => {
  const { status, stdout } = await run('dpkg', ['-S', path], '/');
  return status === 0 && stdout.split('\n').some((line) => line.split(': ')[0]?.split(':')[0] === name && line.endsWith(`: ${path}`));
};

/** The same files as the package holds, off this machine's own system; `null` when it does not have them all. */
const installedItems = async (source: PackagedSource, wanted: Wanted, run: Run): Promise<Item[] | null> => {
  if (!(await isIntact(wanted, run))) return null;
  const items: Item[] = [];
  for (const { from, to, executable } of source.files) {
    const names = namesOf(from).map((name) => `/${name}`);
    const owned = await Promise.all(names.map((name) => ownsFile(wanted.name, name, run)));
    const name = names.find((_, at) => owned[at] === true);
    const found = name === undefined ? null : readTree({ topPath: '/', from: name.slice(1), to, executable });
    // A directory of the system may hold other packages' files.
    if (found?.length !== 1 || found[0]?.kind !== 'file') return null;
    items.push(...found);
  }
  return items;
};

/** By the name that apt gave the file: `<name>_<version>_<arch>.deb`, with the colon of an epoch escaped. */
const materialOf = (deb: string): Material => {
  const [name = '', version = '', arch = ''] = basename(deb, '.deb').split('_').map(decodeURIComponent);
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}`;
  return { name, version, purl, sha256: sha256(deb) };
};

/** Errors: `bad-recipe` when the package cannot be had (saying what to do) or lacks a file. */
export const packageItems = async (source: PackagedSource, { arch, hostArch, cachePath, run }: Packages): Promise<Item[]> => {
  const store = join(cachePath, 'debian', DEBIAN_ARCH[arch]);
  mkdirSync(store, { recursive: true });
  const wanted: Wanted = { name: source.package, version: source.version ?? null, arch: DEBIAN_ARCH[arch], store };
  const deb = await fetchDeb(wanted, arch === hostArch, run);
  if ('why' in deb) {
    const installed = arch === hostArch ? await installedItems(source, wanted, run) : null;
    const what = `the package ${wanted.name}${wanted.version === null ? '' : ` ${wanted.version}`} for ${wanted.arch}`;
    const remedy = `On Debian run "apt-get update" and build again; elsewhere put ${wanted.name}_<version>_${wanted.arch}.deb into ${store}.`;
    return installed ?? refuse('bad-recipe', `${what} cannot be fetched (${deb.why}). ${remedy}`);
  }
  const topPath = await unpack(deb.path, run);
  const of = materialOf(deb.path);
  return source.files.flatMap(({ from, to, executable }) => {
    for (const name of namesOf(from)) {
      const items = readTree({ topPath, from: name, to, executable });
      if (items !== null) return items.map((item): Item => (item.kind === 'file' ? { ...item, of } : item));
    }
    return refuse('bad-recipe', `the package ${wanted.name} has no ${from}`);
  });
};
