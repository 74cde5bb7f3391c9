/**
 * Content-defined chunking: FastCDC (W. Xia et al., USENIX ATC 2016) with normalised chunking of level 2. Boundaries
 * hang on the bytes around them and not on their place, so an insertion moves the chunks behind it without changing them.
 *
 * Boundaries decide what a board must fetch again, so the gear table is part of the format in practice: it comes from
 * a constant, and a test pins it. A board cuts its own system, to find in it what a newer one has as well; a release cut otherwise is as valid, only shared less.
 */
import { type Bytes, utf8 } from './bytes.ts';
import type { Crypto } from './crypto.ts';
import { LIMITS } from './limits.ts';

/** One random-looking 32-bit number for each value of a byte. */
export type Gear = Uint32Array;

export interface ChunkBounds {
  minBytes: number;
  /** A power of two. */
  meanBytes: number;
  maxBytes: number;
}

export const CHUNK_BOUNDS: ChunkBounds = {
  minBytes: LIMITS.chunkMinBytes,
  meanBytes: LIMITS.chunkMeanBytes,
  maxBytes: LIMITS.chunkMaxBytes,
};

export const gearFrom = (crypto: Pick<Crypto, 'sha256'>): Gear =>
  Uint32Array.from({ length: 256 }, (_, byte) => {
    const [a = 0, b = 0, c = 0, d = 0] = crypto.sha256(utf8(`lichen.gear.1\n${byte}`));
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  });

/** The top `ones` bits: in a shifting hash of 32 bits they alone have seen the last 32 bytes. */
const topBits = (ones: number): number => (0xffffffff << (32 - ones)) | 0;

/** Up to a turn near the mean a boundary must match two bits more than the mean asks for, after it two fewer (the paper calls it normalised chunking). */
const NORMALISATION_BITS = 2;

/** Length of the first chunk of `bytes` from `start`; all that is left when that is not more than the minimum. */
const chunkLength = (bytes: Bytes, start: number, gear: Gear, bounds: ChunkBounds): number => {
  const left = bytes.length - start;
  const bits = Math.log2(bounds.meanBytes);
  const strict = topBits(bits + NORMALISATION_BITS);
  const loose = topBits(bits - NORMALISATION_BITS);
  const end = start + Math.min(left, bounds.maxBytes);
  // Skipping the minimum lengthens chunks; with the turn at the mean itself 16 KiB became 18.2 of random bytes, so they are 16.6.
  const turn = Math.min(start + bounds.meanBytes - bounds.minBytes / 2, end);
  let print = 0;
  let at = start + bounds.minBytes;
  for (; at < turn; at++) {
    print = ((print << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
    if ((print & strict) === 0) return at + 1 - start;
  }
  for (; at < end; at++) {
    print = ((print << 1) + (gear[bytes[at] ?? 0] ?? 0)) | 0;
    if ((print & loose) === 0) return at + 1 - start;
  }
  return end - start;
};

/** Views into `bytes`, in order; together they are `bytes`. No bytes, no chunks. Only the last may be under the minimum. */
export const chunksOf = (bytes: Bytes, gear: Gear, bounds: ChunkBounds = CHUNK_BOUNDS): Bytes[] => {
  const chunks: Bytes[] = [];
  for (let start = 0; start < bytes.length; ) {
    const length = chunkLength(bytes, start, gear, bounds);
    chunks.push(bytes.subarray(start, start + length));
    start += length;
  }
  return chunks;
};
