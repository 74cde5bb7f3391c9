/** Which blocks of an image have to be written (bmap 2.0, the format of bmap-tools): the empty ends of its partitions need not be. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { tableIn } from '../gpt.ts';

const BLOCK = 4096;
const MIB = 1024 * 1024;

/** First and last block, both written. */
export type Range = [number, number];

/** Where the last byte lies that is not zero, as the number of bytes before its end. */
const filledOf = (file: number, start: number, bytes: number): number => {
  const part = Buffer.alloc(MIB);
  for (let at = start + bytes; at > start; ) {
    const size = Math.min(MIB, at - start);
    at -= size;
    readSync(file, part, 0, size, at);
    const last = part.subarray(0, size).findLastIndex((byte) => byte !== 0);
    if (last >= 0) return at + last + 1 - start;
  }
  return 0;
};

/**
 * Everything but what follows the last byte of each partition. An empty block between others is written: to a FAT it means
 * something, and on a card that was used before something else lies there.
 */
export const rangesOf = (file: number, bytes: number): Range[] => {
  const { parts } = tableIn(file);
  const extents = parts.map(({ start, bytes: size }) => [start, start + filledOf(file, start, size)] as const);
  const tables = [[0, Math.min(...parts.map(({ start }) => start))] as const, [bytes - MIB, bytes] as const];
  const ranges: Range[] = [];
  for (const [from, to] of [...tables, ...extents].filter(([one, other]) => other > one).sort(([one], [other]) => one - other)) {
    const [first, last] = [Math.floor(from / BLOCK), Math.ceil(to / BLOCK) - 1];
    const before = ranges.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else ranges.push([first, last]);
  }
  return ranges;
};

const hashOf = (file: number, [first, last]: Range): string => {
  const hash = createHash('sha256');
  const part = Buffer.alloc(MIB);
  for (let at = first * BLOCK, end = (last + 1) * BLOCK; at < end; ) {
    const size = readSync(file, part, 0, Math.min(MIB, end - at), at);
    if (size === 0) break;
    hash.update(part.subarray(0, size));
    at += size;
  }
  return hash.digest('hex');
};

export const bmapOf = (path: string): string => {
  const file = openSync(path, 'r');
  const { size } = fstatSync(file);
  const ranges = rangesOf(file, size);
  const rows = ranges.map((range) => `        <Range chksum="${hashOf(file, range)}"> ${range[0]}-${range[1]} </Range>`);
  closeSync(file);
  const mapped = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const text = (own: string): string => `<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> ${size} </ImageSize>
    <BlockSize> ${BLOCK} </BlockSize>
    <BlocksCount> ${Math.ceil(size / BLOCK)} </BlocksCount>
    <MappedBlocksCount> ${mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> ${own} </BmapFileChecksum>
    <BlockMap>
${rows.join('\n')}
    </BlockMap>
</bmap>
`;
  // Its own sum is that of the file with zeros in its place.
  return text(
    createHash('sha256')
      .update(text('0'.repeat(64)))
      .digest('hex'),
  );
};
