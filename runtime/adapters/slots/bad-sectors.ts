/**
 * A card that has lost a sector says EIO whenever it is read, and takes what is written over the whole of it, which it keeps elsewhere from then
 * on. So what cannot be read is what is not there: it has to be written, and never stands in the way of that.
 */
import type { FileHandle } from 'node:fs/promises';
import type { Bytes } from '../../protocol/bytes.ts';
import { codeOf } from '../disk.ts';
import { writeAt } from '../files-gather.ts';
import { BLOCK } from './verity.ts';

export const isUnreadable = (thrown: unknown): boolean => codeOf(thrown) === 'EIO';

/** What can be read there up to the end of the file, or up to what the card has lost. */
export const readStretch = async (handle: FileHandle, offset: number, length: number): Promise<{ bytes: Bytes; lost: boolean }> => {
  const bytes = new Uint8Array(length);
  let done = 0;
  try {
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
  } catch (thrown) {
    if (!isUnreadable(thrown)) throw thrown;
    return { bytes: bytes.subarray(0, done), lost: true };
  }
  return { bytes: bytes.subarray(0, done), lost: false };
};

/**
 * The kernel reads a block of which only a part is written, and cannot where the card has lost it. What else was in that block is lost as well:
 * it is written whole first, with nothing in it.
 */
export const writeOver = async (handle: FileHandle, bytes: Bytes, offset: number): Promise<void> => {
  try {
    await writeAt(handle, bytes, offset);
  } catch (thrown) {
    if (!isUnreadable(thrown)) throw thrown;
    for (const edge of new Set([offset, offset + bytes.length - 1].map((at) => at - (at % BLOCK))))
      if ((await readStretch(handle, edge, BLOCK)).lost) await writeAt(handle, new Uint8Array(BLOCK), edge);
    await writeAt(handle, bytes, offset);
  }
};
