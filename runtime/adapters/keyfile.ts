/** One private key in one file: a 32-byte seed that only its user can read, made at the first start and never again. */
import { closeSync, constants, fstatSync, fsyncSync, linkSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Bytes } from '../protocol/bytes.ts';
import type { Signer } from '../protocol/crypto.ts';
import { LichenError, refuse } from '../protocol/errors.ts';
import type { Entropy } from '../turn/entropy.ts';
import { signerFromSeed } from './crypto.ts';
import { kernelEntropy } from './entropy.ts';

const SEED_BYTES = 32;

export interface KeyFile {
  /** Also what the TLS certificate is made from. */
  seed: Bytes;
  signer: Signer;
}

const codeOf = (thrown: unknown): string => (thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '');

const failed = (path: string, thrown: unknown): LichenError => {
  const code = codeOf(thrown);
  if (code === 'ENOSPC' || code === 'EDQUOT') return new LichenError('storage-full', `the key file ${path}: ${code}`);
  if (code === 'ELOOP') return new LichenError('bad-key-file', `the key file ${path} is a link`, 'Name the file that it leads to.');
  if (code === 'EACCES')
    return new LichenError(
      'bad-key-file',
      `this user may not open the key file ${path}`,
      'Be the user whose key it is, or name another one.',
    );
  return new LichenError('bad-key-file', `the key file ${path}: ${code || String(thrown)}`);
};

/** Null if there is no such file. */
const readSeed = (path: string): Bytes | null => {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return null;
    throw failed(path, thrown);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) refuse('bad-key-file', `${path} is not a plain file`);
    // First, as to what is no key at all it does not matter who may read it.
    if (stat.size !== SEED_BYTES) refuse('bad-key-file', `${path} has ${stat.size} bytes, and a key has ${SEED_BYTES}`);
    if ((stat.mode & 0o077) !== 0) {
      refuse(
        'bad-key-file',
        `the key file ${path} has mode ${(stat.mode & 0o777).toString(8)}; others may have read it`,
        `\`chmod 600 ${path}\`; if others of this machine are not to be trusted, make a new key.`,
      );
    }
    const seed = new Uint8Array(SEED_BYTES);
    if (readSync(descriptor, seed, 0, SEED_BYTES, 0) !== SEED_BYTES) refuse('bad-key-file', `${path} could not be read whole`);
    return seed;
  } finally {
    closeSync(descriptor);
  }
};

export const syncDirectory = (path: string): void => {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
};

/**
 * Durable, readable to its user only, and never over another file. link(2) rather than rename(2): it fails where a file stands already, so that of two processes that start at once
 * both end with the same key instead of one overwriting what the other has shown to the world.
 */
export const writeOnce = (path: string, bytes: Bytes): void => {
  const draft = `${path}.${process.pid}.draft`;
  rmSync(draft, { force: true });
  const descriptor = openSync(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    try {
      writeSync(descriptor, bytes);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    linkSync(draft, path);
  } catch (thrown) {
    if (codeOf(thrown) !== 'EEXIST') throw thrown;
  } finally {
    rmSync(draft, { force: true });
  }
  syncDirectory(dirname(path));
};

/** Loads the key at `path`, or makes one. Errors: `bad-key-file` (mode, size, kind of file), `storage-full`. */
export const openKeyFile = (path: string, entropy: Entropy = kernelEntropy): KeyFile => {
  let seed = readSeed(path);
  if (seed === null) {
    try {
      writeOnce(path, entropy.bytes(SEED_BYTES));
    } catch (thrown) {
      throw failed(path, thrown);
    }
    seed = readSeed(path) ?? refuse('bad-key-file', `${path} is gone again`);
  }
  return { seed, signer: signerFromSeed(seed) };
};
