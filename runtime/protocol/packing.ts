/**
 * Content on its way may be packed: one frame of Zstandard (RFC 8878) in the place of its bytes. Its name stays the hash
 * of what was packed, so nobody has to believe the frame, and whoever cannot pack sends it as it is.
 */
import { type Bytes, equal } from './bytes.ts';
import type { Crypto } from './crypto.ts';

/** What a frame holds; null: it is none, or holds more than that. Never takes more memory than a few times `maxBytes`. */
export type Unpack = (frame: Bytes, maxBytes: number) => Bytes | null;

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** Content that is itself such a frame begins alike; its hash tells. */
export const mayBePacked = (bytes: Bytes): boolean => MAGIC.every((byte, at) => bytes[at] === byte);

/** The content of that hash in what came for it, plain or packed; null: it is something else. */
export const contentIn = (crypto: Crypto, unpack: Unpack, hash: Bytes, came: Bytes, maxBytes: number): Bytes | null => {
  if (equal(crypto.sha256(came), hash)) return came;
  const plain = mayBePacked(came) ? unpack(came, maxBytes) : null;
  return plain !== null && equal(crypto.sha256(plain), hash) ? plain : null;
};
