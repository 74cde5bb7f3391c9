/**
 * A key file that a passphrase opens. 87 bytes: `LICHKEY1`, the logarithm of scrypt's N, r and p (RFC 7914) in a byte each, 16 bytes of
 * salt, 12 of nonce, and the 32-byte seed under AES-256-GCM with its tag; all that comes before is authenticated with it.
 */
import { createCipheriv, createDecipheriv, scryptSync } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Bytes } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import type { Entropy } from '../turn/entropy.ts';
import { signerFromSeed } from './crypto.ts';
import { kernelEntropy } from './entropy.ts';
import { type KeyFile, openKeyFile } from './keyfile.ts';

const MAGIC = Buffer.from('LICHKEY1');
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEED_BYTES = 32;
const HEAD_BYTES = MAGIC.length + 3 + SALT_BYTES + NONCE_BYTES;
export const SEALED_BYTES = HEAD_BYTES + SEED_BYTES + TAG_BYTES;
/** 128 MiB and some tenths of a second a try. */
const COST = { logN: 17, r: 8, p: 1 };
/** What a stranger's file may ask of the machine that opens it. */
const MOST = { logN: 20, r: 16, p: 4 };

const keyFrom = (passphrase: string, salt: Uint8Array, { logN, r, p }: typeof COST): Buffer => {
  if (passphrase === '') refuse('bad-usage', 'an empty passphrase keeps nobody out');
  return scryptSync(passphrase.normalize('NFC'), salt, 32, { N: 2 ** logN, r, p, maxmem: 128 * r * 2 ** logN * 2 });
};

export const isSealed = (file: Bytes): boolean => Buffer.from(file.subarray(0, MAGIC.length)).equals(MAGIC);

export const sealSeed = (seed: Bytes, passphrase: string, entropy: Entropy = kernelEntropy): Bytes => {
  const salt = entropy.bytes(SALT_BYTES);
  const nonce = entropy.bytes(NONCE_BYTES);
  const head = Buffer.concat([MAGIC, Buffer.from([COST.logN, COST.r, COST.p]), salt, nonce]);
  const cipher = createCipheriv('aes-256-gcm', keyFrom(passphrase, salt, COST), nonce);
  cipher.setAAD(head);
  return new Uint8Array(Buffer.concat([head, cipher.update(seed), cipher.final(), cipher.getAuthTag()]));
};

/** Errors: `not-authorised` for another passphrase or a file that was changed, `bad-key-file` for what is no such file. */
export const openSeed = (file: Bytes, passphrase: string): Bytes => {
  const [logN = 0, r = 0, p = 0] = file.subarray(MAGIC.length);
  const isOurs = isSealed(file) && file.length === SEALED_BYTES && logN >= 1 && r >= 1 && p >= 1;
  if (!isOurs || logN > MOST.logN || r > MOST.r || p > MOST.p) return refuse('bad-key-file', 'it is no key file that a passphrase opens');
  const head = file.subarray(0, HEAD_BYTES);
  const salt = head.subarray(MAGIC.length + 3, MAGIC.length + 3 + SALT_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', keyFrom(passphrase, salt, { logN, r, p }), head.subarray(HEAD_BYTES - NONCE_BYTES));
  decipher.setAAD(head);
  decipher.setAuthTag(file.subarray(HEAD_BYTES + SEED_BYTES));
  try {
    return new Uint8Array(Buffer.concat([decipher.update(file.subarray(HEAD_BYTES, HEAD_BYTES + SEED_BYTES)), decipher.final()]));
  } catch {
    return refuse('not-authorised', 'the passphrase is another one, or the file was changed');
  }
};

/** Null: it is there and plain, or not there. */
const readSealed = (path: string): Bytes | null => {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return null;
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size !== SEALED_BYTES) return null;
    const file = new Uint8Array(readFileSync(descriptor));
    return isSealed(file) ? file : null;
  } finally {
    closeSync(descriptor);
  }
};

/** A key file of either kind; the passphrase is asked for where one is needed. Errors: those of both. */
export const openAnyKey = (path: string, passphrase: () => string): KeyFile => {
  const sealed = readSealed(path);
  if (sealed === null) return openKeyFile(path);
  const seed = openSeed(sealed, passphrase());
  return { seed, signer: signerFromSeed(seed) };
};
