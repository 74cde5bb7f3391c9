/**
 * What lies behind the file system of a slot: hashes of its blocks, hashes of these, up to one block whose hash the kernel is told (Linux,
 * "dm-verity", version 1: SHA-256, blocks of 4 KiB, no salt, no header). What does not agree with them cannot be read.
 */

export const BLOCK = 4096;
export const HASH_BYTES = 32;
const PER_BLOCK = BLOCK / HASH_BYTES;

/** How many blocks each level has, the one above all others last. */
export const levelsOver = (blocks: number): number[] => {
  const levels: number[] = [];
  for (let count = blocks; count > 1; ) {
    count = Math.ceil(count / PER_BLOCK);
    levels.push(count);
  }
  return levels;
};

/** A file system of so many bytes with its hashes. */
export const withHashes = (bytes: number): number => bytes + levelsOver(bytes / BLOCK).reduce((sum, count) => sum + count, 0) * BLOCK;
