/** A crypto door of the tests' own, so that what they check is not checked with itself. */
import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

export const testCrypto: Crypto = {
  sha256: (data) => new Uint8Array(createHash('sha256').update(data).digest()),
  verify: (publicKey, message, signature) => {
    if (publicKey.length !== 32 || signature.length !== 64) return false;
    return verify(null, message, createPublicKey({ key: Buffer.concat([SPKI, publicKey]), format: 'der', type: 'spki' }), signature);
  },
};

/** Ed25519 from a 32-byte seed. */
export const signerOf = (seed: Bytes): Signer => {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = new Uint8Array(createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI.length));
  return { publicKey, sign: (message) => new Uint8Array(sign(null, message, key)) };
};

const named = new Map<string, Signer>();

/** The same key for the same name, in every run. */
export const keyOf = (name: string): Signer => {
  const held = named.get(name) ?? signerOf(testCrypto.sha256(new TextEncoder().encode(name)));
  named.set(name, held);
  return held;
};

/**
 * Remembers what was verified: a property folds the same few documents thousands of times. Only for tests that do not
 * ask whether a signature holds.
 */
export const remembering = (crypto: Crypto): Crypto => {
  const verdicts = new Map<string, boolean>();
  return {
    sha256: crypto.sha256,
    verify: (publicKey, message, signature) => {
      const name = [publicKey, message, signature].map((part) => Buffer.from(part).toString('base64')).join('/');
      const held = verdicts.get(name) ?? crypto.verify(publicKey, message, signature);
      verdicts.set(name, held);
      return held;
    },
  };
};
