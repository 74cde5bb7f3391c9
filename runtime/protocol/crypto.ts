/** The crypto door: passed in, so that a browser, an auditor and the simulator can each bring their own. */
import type { Bytes } from './bytes.ts';

export interface Crypto {
  sha256(data: Bytes): Bytes;
  /** Ed25519 (RFC 8032), strict: S < L, canonical points, no small-order key. */
  verify(publicKey: Bytes, message: Bytes, signature: Bytes): boolean;
}

/** Holds one private key; what it signs is decided by who calls it. */
export interface Signer {
  readonly publicKey: Bytes;
  sign(message: Bytes): Bytes;
}

/** Seals what the holder of one X25519 key alone can read: HPKE base mode (RFC 9180), one message a key made for it. */
export interface Sealer {
  /** `seed`: 32 random bytes, never used again. Error: `weak-key`. */
  sealTo(publicKey: Bytes, info: Bytes, aad: Bytes, plain: Bytes, seed: Bytes): Bytes;
}

/** Holds one X25519 key and opens what was sealed to it. */
export interface Opener {
  readonly publicKey: Bytes;
  /** Error: `bad-signature`. */
  open(info: Bytes, aad: Bytes, box: Bytes): Bytes;
}
