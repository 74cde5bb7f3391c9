/** What has to be fetched of a release, and what of it lies in files that are held, worked out from its pages. */
import { hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import type { ChunkRef, Entry, FileRef, Jigsaw, Place } from '../protocol/nouns/release.ts';
import { type FilePieces, type Places, piecesOf } from './pieces.ts';
import type { Target } from './tables.ts';

export const fileKey = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

interface Open {
  file: FileRef;
  bytes: number;
  chunks: ChunkRef[];
}

const checkLengths = (files: readonly Open[]): void => {
  const lengths = new Map<string, number>();
  for (const { chunks } of files) {
    for (const [hash, bytes] of chunks) {
      const key = hex(hash);
      const known = lengths.get(key) ?? bytes;
      if (known !== bytes) refuse('bad-schema', `chunk ${key} is said to have ${known} bytes and ${bytes}`);
      lengths.set(key, bytes);
    }
  }
};

/** Each distinct file once, with all its pieces. Error: `bad-schema` when one content is said to have two lengths. */
export const filesOf = (entries: Entry[]): FilePieces[] => {
  const out = new Map<string, Open>();
  let open: Open | null = null;
  for (const entry of entries) {
    if (entry.kind === 'file') {
      const file: FileRef = { hash: entry.hash, executable: entry.executable };
      const known = out.get(fileKey(file));
      if (known !== undefined && known.bytes !== entry.bytes)
        refuse('bad-schema', `${entry.path}: one content of ${known.bytes} and of ${entry.bytes} bytes`);
      open = known === undefined ? { file, bytes: entry.bytes, chunks: [...entry.chunks] } : null;
      if (open !== null) out.set(fileKey(file), open);
    } else if (entry.kind === 'more') open?.chunks.push(...entry.chunks);
    else open = null;
  }
  const files = [...out.values()];
  checkLengths(files);
  return files.map(({ file, bytes, chunks }) => ({ file, bytes, pieces: piecesOf(chunks) }));
};

/** Adds where chunks of `wanted` lie in these files, of each chunk the first place. */
export const findPlaces = (files: readonly Jigsaw[], wanted: ReadonlySet<string>, places: Map<string, Place>): void => {
  for (const { file, pieces } of files) {
    for (const { offset, chunk } of pieces) {
      const key = hex(chunk[0]);
      if (wanted.has(key) && !places.has(key)) places.set(key, { file, offset });
    }
  }
};

/** Each piece says where it may lie. */
export const placed = (files: readonly FilePieces[], places: Places): FilePieces[] =>
  files.map(({ file, bytes, pieces }) => ({ file, bytes, pieces: pieces.placed(places) }));

/** Chunk → all its places that are still empty. A chunk that is needed in several is fetched once. */
export const targetsOf = (files: readonly Jigsaw[], lacks: readonly Place[]): Map<string, Target[]> => {
  const empty = new Map<string, Set<number>>();
  for (const { file, offset } of lacks) {
    const key = fileKey(file);
    const offsets = empty.get(key);
    if (offsets === undefined) empty.set(key, new Set([offset]));
    else offsets.add(offset);
  }
  const targets = new Map<string, Target[]>();
  for (const { file, bytes, pieces } of files) {
    const offsets = empty.get(fileKey(file));
    for (const { offset, chunk } of pieces) {
      if (offsets?.has(offset) !== true) continue;
      const key = hex(chunk[0]);
      const target = { file, bytes, offset, chunkBytes: chunk[1] };
      const known = targets.get(key);
      if (known === undefined) targets.set(key, [target]);
      else known.push(target);
    }
  }
  return targets;
};
