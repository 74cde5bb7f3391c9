/**
 * What boards on one network say to each other. A word goes to all and says nothing to whoever does not know the release that
 * it is about; pieces travel in a session under a key that follows from the release's manifest (docs/spec/delivery.md).
 */
import * as v from 'valibot';
import type { Bytes } from '../bytes.ts';
import { concat, utf8 } from '../bytes.ts';
import type { Crypto } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import { payloadOf } from '../noun.ts';
import { bytes, hash, nonce, positive, uint, uintUpTo, version1 } from '../schema.ts';
import { type Manifest, manifestNoun } from './release.ts';

const PORT_MAX = 65_535;

/** "I have of this release, or am about to, and give from this port." */
export const neighbourWord = v.strictObject({
  v: version1,
  /** Drawn for each question; an answer repeats it. */
  nonce,
  /** Who it is, for as long as it runs: it says nothing of whose board it is. */
  who: bytes(8),
  port: v.pipe(uintUpTo(PORT_MAX), v.minValue(1)),
  /** It has all of it. */
  whole: v.boolean(),
  /** Who knows the same release is to answer. */
  asks: v.boolean(),
  /** HMAC-SHA-256 under the release's key over all of this, with no bytes in this place. */
  tag: bytes(32),
});
export type NeighbourWord = v.InferOutput<typeof neighbourWord>;

/** Where in a file of the release a piece lies, and what it is: whoever holds the file need not look it up. */
export const neighbourPiece = v.strictObject({
  file: v.strictObject({ hash, executable: v.boolean() }),
  offset: uint,
  chunk: v.tuple([hash, v.pipe(positive, v.maxValue(LIMITS.chunkMaxBytes))]),
});
export type NeighbourPiece = v.InferOutput<typeof neighbourPiece>;

/** Each is answered by one `chunk`, in any order. */
export const neighbourWant = v.strictObject({
  v: version1,
  pieces: v.pipe(v.array(neighbourPiece), v.minLength(1), v.maxLength(LIMITS.neighbourPieces)),
});
export type NeighbourWant = v.InferOutput<typeof neighbourWant>;

/**
 * Under which a release is spoken of on a network. It follows from the whole manifest: the release's hash, which stands in
 * lists and on bills, is not enough to come by it.
 */
export const neighbourKey = (crypto: Crypto, manifest: Manifest): Bytes =>
  crypto.sha256(concat(utf8('lichen neighbours 1\n'), payloadOf(manifestNoun, manifest)));
