/**
 * A declared stand-in for Ed25519, for volume: a signature is a keyed hash, and whoever verifies looks the key up in a
 * table that nobody inside the world can see. It refuses what Ed25519 refuses: another message, another key, a
 * signature made without the private key. It is no cryptography; the same runs can be had with the real one.
 */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, concat, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';

export interface Keys {
  crypto: Crypto;
  /** The same key for the same seed of 32 bytes. */
  signer(seed: Bytes): Signer;
}

const SECRET = new TextEncoder().encode('stand-in secret');

export const standInKeys = (): Keys => {
  const secrets = new Map<string, Bytes>();
  const { sha256 } = nodeCrypto;
  const sign = (secret: Bytes, message: Bytes): Bytes => {
    const first = sha256(concat(secret, message));
    return concat(first, sha256(concat(secret, first)));
  };
  return {
    crypto: {
      sha256,
      verify: (publicKey, message, signature) => {
        const secret = secrets.get(hex(publicKey));
        return secret !== undefined && equal(sign(secret, message), signature);
      },
    },
    signer: (seed) => {
      const secret = sha256(concat(SECRET, seed));
      const publicKey = sha256(secret);
      secrets.set(hex(publicKey), secret);
      return { publicKey, sign: (message) => sign(secret, message) };
    },
  };
};
