/**
 * Stands in for `node-gyp-build-optional-packages` inside the one-file bundle (build.mjs aliases it).
 *
 * A shared object cannot be loaded from memory, so the addon that the bundle carries is unpacked to a file named by its hash in a
 * directory that only this user can enter, and read back and compared before each load: a torn or foreign file is replaced, never
 * executed. Where no such directory can be had (read-only root, full disk), an unnamed file in /dev/shm serves (open(2), O_TMPFILE).
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

/** Both are replaced by build.mjs: the addon (zstd, base64) and the SHA-256 of its unpacked bytes (hex). */
declare const LICHEN_LMDB_ADDON: string;
declare const LICHEN_LMDB_SHA256: string;

/** Linux's `__O_TMPFILE`; `O_DIRECTORY`, the other half of O_TMPFILE, differs between x64 and arm64 and comes from Node. */
const linuxTmpfile = 0o20000000;

/** Shape fixed by lmdb's `native.js`: called with its package directory, answers with the addon's exports. */
export default function loadEmbeddedAddon(_packageDirectory: string): unknown {
  const failures: string[] = [];
  for (const directory of cacheDirectories()) {
    try {
      return loadAddon(cachedFile(directory));
    } catch (error) {
      failures.push(`${directory}: ${reason(error)}`);
    }
  }
  try {
    return loadFromMemory();
  } catch (error) {
    failures.push(`/dev/shm: ${reason(error)}`);
  }
  throw new Error(`the storage engine could not be loaded (${failures.join('; ')})`);
}

function cacheDirectories(): string[] {
  // systemd sets CACHE_DIRECTORY for a unit with CacheDirectory=, systemd.exec(5).
  const { CACHE_DIRECTORY, XDG_CACHE_HOME } = process.env;
  const found = [CACHE_DIRECTORY ?? '', join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'lichen')];
  return found.filter((path) => path.startsWith('/'));
}

/** Path of the verified addon file below `directory`; throws when the directory is not ours alone or cannot be written. */
function cachedFile(directory: string): string {
  const home = join(directory, 'native');
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const stat = lstatSync(home);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) throw new Error('not a directory of this user');
  if ((stat.mode & 0o077) !== 0) chmodSync(home, 0o700);
  const path = join(home, `lmdb-${LICHEN_LMDB_SHA256}.node`);
  if (!isIntact(path)) writeWhole(path, unpack());
  return path;
}

function isIntact(path: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return false;
  }
  try {
    return sha256(readFileSync(descriptor)) === LICHEN_LMDB_SHA256;
  } finally {
    closeSync(descriptor);
  }
}

function writeWhole(path: string, bytes: Buffer): void {
  // Two boards may start at once on one machine: each writes a file of its own, and rename(2) is atomic.
  const draft = `${path}.${process.pid}`;
  rmSync(draft, { force: true });
  const descriptor = openSync(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o500);
  try {
    writeAll(descriptor, bytes);
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, path);
}

function loadFromMemory(): unknown {
  const descriptor = openSync('/dev/shm', linuxTmpfile | constants.O_DIRECTORY | constants.O_RDWR, 0o700);
  try {
    writeAll(descriptor, unpack());
    return loadAddon(`/proc/self/fd/${descriptor}`);
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

function unpack(): Buffer {
  const bytes = zstdDecompressSync(Buffer.from(LICHEN_LMDB_ADDON, 'base64'));
  if (sha256(bytes) !== LICHEN_LMDB_SHA256) throw new Error('the embedded addon is damaged');
  return bytes;
}

function loadAddon(path: string): unknown {
  const module: { exports: unknown } = { exports: {} };
  process.dlopen(module, path);
  return module.exports;
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
