/** The Debian archive through apt: resolved against lists of our own, fetched by hash. Nothing of this machine's own packages counts. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { refuse } from '../runtime/protocol/errors.ts';
import { draftOf } from './keep.ts';
import type { LockedPackage } from './lock.ts';
import { runTool } from './tool.ts';
import type { Work } from './work.ts';

const SUITE = 'trixie';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const HELPER = '/usr/lib/apt/apt-helper';
const PATIENT = ['-q', '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=30'];

/** Base addresses by archive, each with its closing slash. */
type Mirror = Record<LockedPackage['archive'], string>;

/** The one that this machine is set up with; the security archive lies beside the main one. */
const findMirror = async (given?: string): Promise<Mirror> => {
  const words = given === undefined ? (await runTool('apt-get', ['indextargets', '--format', '$(REPO_URI)'])).toString().split('\n') : [];
  const main = given === undefined ? words.find((word) => /\/debian\/?$/.test(word)) : given;
  if (main === undefined) return refuse('image-failed', 'apt has no Debian mirror here: name one with --mirror URL');
  const base = main.replace(/\/*$/, '/');
  const security = words.find((word) => /\/debian-security\/?$/.test(word)) ?? base.replace(/\/$/, '-security/');
  return { debian: base, 'debian-security': security.replace(/\/*$/, '/') };
};

export const sha256Of = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

const sourcesOf = (mirror: Mirror, more: string[]): string =>
  [
    `${mirror.debian} ${SUITE} main`,
    `${mirror.debian} ${SUITE}-updates main`,
    `${mirror['debian-security']} ${SUITE}-security main`,
    ...more.map((source) => `${mirror.debian} ${source}`),
  ]
    .map((source) => `deb [signed-by=${KEYRING}] ${source}\n`)
    .join('');

/** `'<uri>' <file name> <bytes> SHA256:<hex>`, a line of apt-get's --print-uris. */
const URI_LINE = /^'([^']+)' ([^_\s]+)_([^_\s]+)_([^_\s]+)\.deb (\d+) SHA256:([0-9a-f]{64})$/gm;

/** The newest packages of these names with all that they depend on. The archive's signature is checked by apt. */
export const resolvePackages = async (names: string[], { board, cachePath, mirror: given }: Work): Promise<LockedPackage[]> => {
  const { name: boardName, debianArch, sources } = board;
  const mirror = await findMirror(given);
  const home = join(cachePath, 'apt', boardName);
  for (const directory of ['state/lists/partial', 'cache/archives/partial']) mkdirSync(join(home, directory), { recursive: true });
  writeFileSync(join(home, 'status'), '');
  writeFileSync(join(home, 'sources.list'), sourcesOf(mirror, sources));
  const words: Record<string, string> = {
    'Dir::Etc::sourcelist': join(home, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State': join(home, 'state'),
    'Dir::State::status': join(home, 'status'),
    'Dir::Cache': join(home, 'cache'),
    'APT::Architecture': debianArch,
    'APT::Architectures': debianArch,
    'APT::Install-Recommends': 'false',
    'Acquire::Languages': 'none',
    'Acquire::ForceHash': 'SHA256',
  };
  const options = [...PATIENT, ...Object.entries(words).flatMap(([key, value]) => ['-o', `${key}=${value}`])];
  await runTool('apt-get', [...options, 'update']);
  const listed = (await runTool('apt-get', [...options, '-qq', '-y', '--print-uris', 'install', ...names])).toString();
  return [...listed.matchAll(URI_LINE)].map(([, uri = '', name = '', version = '', arch = '', bytes = '', sha256 = '']) => {
    const archive = uri.startsWith(mirror['debian-security']) ? 'debian-security' : 'debian';
    return {
      name,
      version: decodeURIComponent(version),
      arch,
      archive,
      path: uri.slice(mirror[archive].length),
      bytes: Number(bytes),
      sha256,
    };
  });
};

const held = (path: string, sha256: string): boolean => existsSync(path) && sha256Of(path) === sha256;

/** Paths of the packages by name. A mirror keeps only the newest of each: what it has dropped is told, and never replaced silently. */
export const fetchPackages = async (wanted: LockedPackage[], { cachePath, mirror: given, say }: Work): Promise<Map<string, string>> => {
  const store = join(cachePath, 'packages');
  mkdirSync(store, { recursive: true });
  const paths = new Map<string, string>();
  const missing = wanted.filter(({ name, sha256 }) => {
    const path = join(store, `${sha256}.deb`);
    paths.set(name, path);
    return !held(path, sha256);
  });
  const bytes = missing.reduce((sum, one) => sum + one.bytes, 0);
  if (missing.length === 0) return paths;
  say(`packages: fetching ${missing.length} of ${wanted.length}, ${(bytes / 1e6).toFixed(0)} MB`);
  const mirror = await findMirror(given);
  for (const { name, version, archive, path, sha256 } of missing) {
    const target = join(store, `${sha256}.deb`);
    const draft = draftOf(target);
    try {
      await runTool(HELPER, [...PATIENT, 'download-file', `${mirror[archive]}${path}`, draft, `SHA256:${sha256}`]);
    } catch (thrown) {
      rmSync(draft, { force: true });
      const why = thrown instanceof Error ? thrown.message : String(thrown);
      refuse(
        'image-failed',
        `${name} ${version} cannot be fetched (${why}). If the mirror has dropped that version, "lichen image lock" takes the newest.`,
      );
    }
    if (!held(draft, sha256)) refuse('image-failed', `what the mirror sent as ${name} ${version} is not what the lock file pins`);
    renameSync(draft, target);
  }
  return paths;
};
