/** The hashes behind the root (runtime/adapters/slots/verity.ts), made once where the image is made. */
import { createHash } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import { BLOCK, HASH_BYTES, levelsOver } from '../runtime/adapters/slots/verity.ts';
import { refuse } from '../runtime/protocol/errors.ts';

export interface Hashes {
  /** Level by level, the topmost first. */
  tree: Buffer;
  top: Buffer;
}

const hashed = (block: Buffer): Buffer => createHash('sha256').update(block).digest();

/** Hashes of each block, in whole blocks. */
const levelOver = (below: Buffer, blocks: number): Buffer => {
  const level = Buffer.alloc(blocks * BLOCK);
  for (let at = 0; at < below.length; at += BLOCK) hashed(below.subarray(at, at + BLOCK)).copy(level, (at / BLOCK) * HASH_BYTES);
  return level;
};

export const hashesOf = (data: Buffer): Hashes => {
  if (data.length === 0 || data.length % BLOCK !== 0) refuse('image-failed', 'a root is whole blocks of 4 KiB');
  const levels: Buffer[] = [];
  for (const blocks of levelsOver(data.length / BLOCK)) levels.unshift(levelOver(levels[0] ?? data, blocks));
  return { tree: Buffer.concat(levels), top: hashed(levels[0] ?? data) };
};

const wordOf = (bytes: number, top: Buffer): string => `lichen.root=${bytes / BLOCK}:${top.toString('hex')}`;

/** Appends the hashes of a file system to it. The kernel's word for the first root, which checks by it. */
export const addHashes = (path: string): string => {
  const data = readFileSync(path);
  const { tree, top } = hashesOf(data);
  appendFileSync(path, tree);
  return wordOf(data.length, top);
};

/** The word of a root that has its hashes already. Error: `image-failed` if they are not its own. */
export const wordFor = (root: Buffer, bytes: number): string => {
  const { tree, top } = hashesOf(root.subarray(0, bytes));
  if (!tree.equals(root.subarray(bytes))) refuse('image-failed', 'the hashes behind its root are not those of its root');
  return wordOf(bytes, top);
};
