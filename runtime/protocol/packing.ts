/**
 * Content on its way may be packed: one frame of Zstandard (RFC 8878) in the place of its bytes. Its name stays the hash
 * of what was packed, so nobody has to believe the frame, and whoever cannot pack sends it as it is.
 */
import { type Bytes, equal } from './bytes.ts';
import type { Crypto } from './crypto.ts';

/** What a frame holds; null: it is none, or holds more than that. Never takes more memory than a few times `maxBytes`. */
export type Unpack = (frame: Bytes, maxBytes: number) => Bytes | null;

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

const [CHECKSUM, DICTIONARY, SINGLE_SEGMENT] = [0b100, 0b11, 0b100000];
const RLE = 1;

/** Where the frame ends that begins here, by its own headers (RFC 8878 §3.1.1); null: it does not, or it wants a dictionary. */
const endOfFrame = (bytes: Bytes): number | null => {
  const descriptor = bytes[MAGIC.length] ?? DICTIONARY;
  if ((descriptor & DICTIONARY) !== 0) return null;
  const isSingle = (descriptor & SINGLE_SEGMENT) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? Number(isSingle) : 1 << sizeFlag;
  let at = MAGIC.length + 1 + (isSingle ? 0 : 1) + sizeBytes;
  for (let isLast = false; !isLast; ) {
    const [low, middle, high] = bytes.subarray(at, at + 3);
    if (low === undefined || middle === undefined || high === undefined) return null;
    const header = low | (middle << 8) | (high << 16);
    isLast = (header & 1) === 1;
    at += 3 + (((header >> 1) & 3) === RLE ? 1 : header >> 3);
  }
  return at + ((descriptor & CHECKSUM) === 0 ? 0 : 4);
};

/**
 * One frame, with nothing behind it that would be carried along. Content that is itself such a frame looks alike; its hash
 * tells.
 */
export const mayBePacked = (bytes: Bytes): boolean => MAGIC.every((byte, at) => bytes[at] === byte) && endOfFrame(bytes) === bytes.length;

/** The content of that hash in what came for it, plain or packed; null: it is something else. */
export const contentIn = (crypto: Crypto, unpack: Unpack, hash: Bytes, came: Bytes, maxBytes: number): Bytes | null => {
  if (equal(crypto.sha256(came), hash)) return came;
  const plain = mayBePacked(came) ? unpack(came, maxBytes) : null;
  return plain !== null && equal(crypto.sha256(plain), hash) ? plain : null;
};
