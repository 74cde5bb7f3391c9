/** The table of partitions of an image or a disk (UEFI 2.10, section 5.3), as far as images have one. */
import { readSync } from 'node:fs';
import { refuse } from '../runtime/protocol/errors.ts';

export const SECTOR = 512;
const ENTRIES_MAX = 128;

export interface Extent {
  name: string;
  start: number;
  bytes: number;
}

export interface Table {
  /** As sfdisk writes it, in lower case. */
  disk: string;
  parts: Extent[];
}

/** Three numbers lie with their bytes turned, the rest as they are written. */
const uuidIn = (bytes: Buffer): string => {
  const text = (from: number, to: number, turned: boolean): string => {
    const part = Buffer.from(bytes.subarray(from, to));
    return (turned ? part.reverse() : part).toString('hex');
  };
  return [text(0, 4, true), text(4, 6, true), text(6, 8, true), text(8, 10, false), text(10, 16, false)].join('-');
};

const readAt = (file: number, at: number, length: number): Buffer => {
  const bytes = Buffer.alloc(length);
  const read = readSync(file, bytes, 0, length, at);
  return bytes.subarray(0, read);
};

export const tableIn = (file: number): Table => {
  const header = readAt(file, SECTOR, SECTOR);
  if (header.toString('latin1', 0, 8) !== 'EFI PART') refuse('image-failed', 'this is no image of a disk: it has no table of partitions');
  const [at, count, size] = [Number(header.readBigUInt64LE(72)) * SECTOR, header.readUInt32LE(80), header.readUInt32LE(84)];
  if (count > ENTRIES_MAX || size !== 128) refuse('image-failed', 'its table of partitions is of a kind that images do not have');
  const entries = readAt(file, at, count * size);
  const parts: Extent[] = [];
  for (let row = 0; row + size <= entries.length; row += size) {
    const [first, last] = [Number(entries.readBigUInt64LE(row + 32)), Number(entries.readBigUInt64LE(row + 40))];
    if (last === 0) continue;
    const name = entries.toString('utf16le', row + 56, row + 128).replace(/\0.*$/s, '');
    parts.push({ name, start: first * SECTOR, bytes: (last - first + 1) * SECTOR });
  }
  return { disk: uuidIn(header.subarray(56, 72)), parts };
};
