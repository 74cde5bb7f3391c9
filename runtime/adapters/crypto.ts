/**
 * The crypto door on node:crypto (OpenSSL): verifying is about a hundred times faster than in JavaScript, and it
 * refuses S ≥ L. What OpenSSL lets pass is refused here before: keys of small order, under which anyone can sign,
 * and encodings of a point that are not the one (RFC 8032 §5.1.3 asks for y < p).
 */
import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { type Bytes, concat } from '../protocol/bytes.ts';
import type { Crypto, Signer } from '../protocol/crypto.ts';
import { refuse } from '../protocol/errors.ts';

/** What stands before the 32 bytes of a key: SubjectPublicKeyInfo and PrivateKeyInfo of RFC 8410 §4 and §7, in DER. */
export const SPKI_PREFIX = Uint8Array.from(Buffer.from('302a300506032b6570032100', 'hex'));
export const PKCS8_PREFIX = Uint8Array.from(Buffer.from('302e020100300506032b657004220420', 'hex'));

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** The order of the base point, little endian. */
const L = Uint8Array.from(Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex'));
const P = Uint8Array.from(Buffer.from('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'hex'));
/**
 * y of the points whose order divides 8. With either sign that is ten encodings; the other four (y = p and p + 1)
 * fall to the check for y < p.
 */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((text) => Uint8Array.from(Buffer.from(text, 'hex')));

/** a < b for numbers of 32 bytes, little endian. Both are public, so this need not take constant time. */
const isBelow = (a: Bytes, b: Bytes): boolean => {
  for (let i = KEY_BYTES - 1; i >= 0; i--) {
    const [x = 0, y = 0] = [a[i], b[i]];
    if (x !== y) return x < y;
  }
  return false;
};

/** True for what must never be registered or believed: not 32 bytes, not canonical, or one of the 14 small-order encodings. */
export const isWeakKey = (publicKey: Bytes): boolean => {
  if (publicKey.length !== KEY_BYTES) return true;
  const y = Uint8Array.from(publicKey);
  y[31] = (y[31] ?? 0) & 0x7f;
  return !isBelow(y, P) || SMALL_ORDER.some((small) => small.every((byte, i) => byte === y[i]));
};

/** Importing a key costs as much as a fifth of verifying with it, and the same few keys sign nearly everything. */
const KEYS_KEPT = 2048;
const imported = new Map<string, KeyObject>();

const importKey = (publicKey: Bytes): KeyObject | null => {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString('latin1');
  const known = imported.get(name);
  if (known !== undefined) {
    // Taken out and put in again, so that the oldest in the map is the one not used for longest.
    imported.delete(name);
    imported.set(name, known);
    return known;
  }
  if (isWeakKey(publicKey)) return null;
  const key = createPublicKey({ key: Buffer.from(concat(SPKI_PREFIX, publicKey)), format: 'der', type: 'spki' });
  const [oldest] = imported.keys();
  if (imported.size >= KEYS_KEPT && oldest !== undefined) imported.delete(oldest);
  imported.set(name, key);
  return key;
};

/** A plain Uint8Array: `slice` of a Buffer shares memory, that of the former copies. */
const plain = (buffer: Buffer): Bytes => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

export const nodeCrypto: Crypto = {
  sha256: (data) => plain(hash('sha256', data, 'buffer')),
  verify: (publicKey, message, signature) => {
    if (signature.length !== SIGNATURE_BYTES || !isBelow(signature.subarray(KEY_BYTES), L)) return false;
    const key = importKey(publicKey);
    return key !== null && verify(null, message, key, signature);
  },
};

/** Ed25519 (RFC 8032) from its 32-byte seed. Error: `weak-key` for a seed of another length. */
export const signerFromSeed = (seed: Bytes): Signer => {
  if (seed.length !== KEY_BYTES) refuse('weak-key', `a seed has ${KEY_BYTES} bytes, not ${seed.length}`);
  const key = createPrivateKey({ key: Buffer.from(concat(PKCS8_PREFIX, seed)), format: 'der', type: 'pkcs8' });
  const exported = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = Uint8Array.from(exported.subarray(SPKI_PREFIX.length));
  return { publicKey, sign: (message) => plain(sign(null, message, key)) };
};
