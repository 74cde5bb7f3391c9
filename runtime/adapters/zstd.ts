/** Packing of content: Node's own Zstandard, kept from what a stranger's frame may ask for. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Bytes } from '../protocol/bytes.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Unpack } from '../protocol/packing.ts';

/** A window that holds the longest content; a frame that wants a larger one would be given that much memory first. */
const WINDOW_LOG = Math.ceil(Math.log2(LIMITS.chunkMaxBytes));
/** 16 KiB take 2 ms; level 19 takes three times as long for one per cent. */
const LEVEL = 12;

const plain = (buffer: Buffer): Bytes => new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

export const unpackZstd: Unpack = (frame, maxBytes) => {
  try {
    return plain(
      zstdDecompressSync(frame, { maxOutputLength: Math.max(1, maxBytes), params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG } }),
    );
  } catch (thrown) {
    // A Node without zstd: that says nothing of the frame, nor of whoever sent it.
    if (thrown instanceof TypeError) throw thrown;
    return null;
  }
};

/** Packed where that saves a sixteenth; else as it is. */
export const packZstd = (bytes: Bytes): Bytes => {
  const params = { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_windowLog]: WINDOW_LOG };
  const frame = plain(zstdCompressSync(bytes, { params }));
  return frame.length * 16 <= bytes.length * 15 ? frame : bytes;
};
