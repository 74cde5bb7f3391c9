/**
 * A declared stand-in for SHA-256 and Ed25519, for volume: a signature is a keyed hash, and whoever verifies looks the key
 * up in a table that nobody inside the world can see. It refuses what Ed25519 refuses: another message, another key, a
 * signature made without the private key. It is no cryptography; the same runs can be had with the real one.
 */
import { type Bytes, concat, equal } from '../../runtime/protocol/bytes.ts';
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';
import { laneKey, mix, mixTwice } from './mix.ts';

export interface Keys {
  crypto: Crypto;
  /** The same key for the same seed of 32 bytes. */
  signer(seed: Bytes): Signer;
}

interface Pair {
  publicKey: Bytes;
  secret: Int32Array;
}

const SECRET = new TextEncoder().encode('stand-in secret');

/** By which a public key is found; those that share it are told apart. */
const shortOf = (publicKey: Bytes): number =>
  ((publicKey[0] ?? 0) << 24) | ((publicKey[1] ?? 0) << 16) | ((publicKey[2] ?? 0) << 8) | (publicKey[3] ?? 0);

export const standInKeys = (): Keys => {
  const pairs = new Map<number, Pair[]>();
  const secretOf = (publicKey: Bytes): Int32Array | undefined =>
    pairs.get(shortOf(publicKey))?.find((pair) => equal(pair.publicKey, publicKey))?.secret;
  return {
    crypto: {
      sha256: (content) => mix(content),
      verify: (publicKey, message, signature) => {
        const secret = secretOf(publicKey);
        return secret !== undefined && equal(mixTwice(message, secret), signature);
      },
    },
    signer: (seed) => {
      const hidden = mix(concat(SECRET, seed));
      const [publicKey, secret] = [mix(hidden), laneKey(hidden)];
      const short = shortOf(publicKey);
      if (secretOf(publicKey) === undefined) pairs.set(short, [...(pairs.get(short) ?? []), { publicKey, secret }]);
      return { publicKey, sign: (message) => mixTwice(message, secret) };
    },
  };
};
