/**
 * HPKE (RFC 9180) on node:crypto, base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305. What is
 * sealed is `enc || ciphertext`. Everything is OpenSSL's but the key schedule, which is the RFC's §5.1.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
} from 'node:crypto';
import { type Bytes, concat, utf8 } from '../protocol/bytes.ts';
import type { Opener, Sealer } from '../protocol/crypto.ts';
import { refuse } from '../protocol/errors.ts';

/** What stands before the 32 bytes of a key, in DER (RFC 8410). */
const SPKI = Uint8Array.from(Buffer.from('302a300506032b656e032100', 'hex'));
const PKCS8 = Uint8Array.from(Buffer.from('302e020100300506032b656e04220420', 'hex'));
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const NONE = new Uint8Array(0);
const KEM = Uint8Array.from([...utf8('KEM'), 0x00, 0x20]);
const SUITE = Uint8Array.from([...utf8('HPKE'), 0x00, 0x20, 0x00, 0x01, 0x00, 0x03]);
const ALGORITHM = 'chacha20-poly1305';

const plain = (buffer: Buffer): Bytes => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
const hmac = (key: Bytes, data: Bytes): Bytes => plain(createHmac('sha256', key).update(data).digest());

const labeledExtract = (suite: Bytes, salt: Bytes, label: string, ikm: Bytes): Bytes =>
  hmac(salt, concat(utf8('HPKE-v1'), suite, utf8(label), ikm));

/** RFC 5869 with at most one block: nothing here is longer than a hash. */
const labeledExpand = (suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Bytes =>
  hmac(prk, concat(Uint8Array.from([length >> 8, length & 255]), utf8('HPKE-v1'), suite, utf8(label), info, Uint8Array.from([1]))).subarray(
    0,
    length,
  );

const publicKeyOf = (bytes: Bytes): KeyObject => {
  if (bytes.length !== KEY_BYTES) refuse('weak-key', `an X25519 key has ${KEY_BYTES} bytes, not ${bytes.length}`);
  return createPublicKey({ key: Buffer.from(concat(SPKI, bytes)), format: 'der', type: 'spki' });
};

interface Pair {
  privateKey: KeyObject;
  publicKey: Bytes;
}

/** X25519 from its 32 bytes. */
export const boxPair = (seed: Bytes): Pair => {
  if (seed.length !== KEY_BYTES) refuse('weak-key', `a seed has ${KEY_BYTES} bytes, not ${seed.length}`);
  const privateKey = createPrivateKey({ key: Buffer.from(concat(PKCS8, seed)), format: 'der', type: 'pkcs8' });
  const exported = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: Uint8Array.from(exported.subarray(SPKI.length)) };
};

/** OpenSSL refuses the points under which everybody arrives at the same secret. */
export const agreed = (privateKey: KeyObject, publicKey: Bytes): Bytes => {
  try {
    return plain(diffieHellman({ privateKey, publicKey: publicKeyOf(publicKey) }));
  } catch {
    return refuse('weak-key', 'an X25519 key of small order');
  }
};

const keysFor = (dh: Bytes, enc: Bytes, to: Bytes, info: Bytes): { key: Bytes; nonce: Bytes } => {
  const prk = labeledExtract(KEM, NONE, 'eae_prk', dh);
  const shared = labeledExpand(KEM, prk, 'shared_secret', concat(enc, to), 32);
  const [pskId, infoHash] = [labeledExtract(SUITE, NONE, 'psk_id_hash', NONE), labeledExtract(SUITE, NONE, 'info_hash', info)];
  const context = concat(Uint8Array.from([0]), pskId, infoHash);
  const secret = labeledExtract(SUITE, shared, 'secret', NONE);
  return { key: labeledExpand(SUITE, secret, 'key', context, 32), nonce: labeledExpand(SUITE, secret, 'base_nonce', context, 12) };
};

/** `sender`: a pair used for this message alone. */
export const sealFrom = (sender: Pair, to: Bytes, info: Bytes, aad: Bytes, text: Bytes): Bytes => {
  const { key, nonce } = keysFor(agreed(sender.privateKey, to), sender.publicKey, to, info);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad, { plaintextLength: text.length });
  return concat(sender.publicKey, plain(cipher.update(text)), plain(cipher.final()), plain(cipher.getAuthTag()));
};

export const nodeSealer: Sealer = { sealTo: (to, info, aad, text, seed) => sealFrom(boxPair(seed), to, info, aad, text) };

/** Errors: `bad-signature` when it was sealed to another key or was changed. */
export const openBox = ({ privateKey, publicKey }: Pair, info: Bytes, aad: Bytes, box: Bytes): Bytes => {
  if (box.length < KEY_BYTES + TAG_BYTES) refuse('bad-signature', 'a sealed box that is too short to be one');
  const enc = box.subarray(0, KEY_BYTES);
  const { key, nonce } = keysFor(agreed(privateKey, enc), enc, publicKey, info);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  const text = box.subarray(KEY_BYTES, box.length - TAG_BYTES);
  decipher.setAAD(aad, { plaintextLength: text.length });
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  try {
    return concat(plain(decipher.update(text)), plain(decipher.final()));
  } catch {
    return refuse('bad-signature', 'the box was sealed to another key, or changed');
  }
};

export const openerFromSeed = (seed: Bytes): Opener => {
  const pair = boxPair(seed);
  return { publicKey: pair.publicKey, open: (info, aad, box) => openBox(pair, info, aad, box) };
};
