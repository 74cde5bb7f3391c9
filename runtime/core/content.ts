/** What a release's files are, and what of them lies in files that are held, worked out from its pages. */
import { hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import type { ChunkRef, Entry, FileRef, Jigsaw, Place } from '../protocol/nouns/release.ts';
import { HASH_BYTES, Hashes } from './hashes.ts';
import { type FilePieces, Pieces, type Places } from './pieces.ts';

export const fileKey = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

interface Open {
  file: FileRef;
  bytes: number;
  chunks: ChunkRef[];
}

/** Hashes of all in one stretch, of which each file has its part. */
const pieced = (files: readonly Open[]): FilePieces[] => {
  const count = files.reduce((sum, { chunks }) => sum + chunks.length, 0);
  const hashes = new Uint8Array(count * HASH_BYTES);
  const lengths = new Uint32Array(count);
  let at = 0;
  const pieces = files.map(({ file, bytes, chunks }) => {
    const from = at;
    for (const [hash, length] of chunks) {
      hashes.set(hash, at * HASH_BYTES);
      lengths[at++] = length;
    }
    return { file, bytes, pieces: new Pieces(hashes.subarray(from * HASH_BYTES, at * HASH_BYTES), lengths.subarray(from, at)) };
  });
  const all = new Hashes(hashes);
  for (const [number, first] of all.again()) {
    const [length, known] = [lengths[number], lengths[first]];
    if (length !== known) refuse('bad-schema', `chunk ${all.keyAt(number)} is said to have ${known} bytes and ${length}`);
  }
  return pieces;
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
  return pieced([...out.values()]);
};

/** All chunks of these files. */
export const chunksOf = (files: readonly FilePieces[]): Hashes => {
  const count = files.reduce((sum, { pieces }) => sum + pieces.hashes.length, 0);
  const hashes = new Uint8Array(count);
  let at = 0;
  for (const { pieces } of files) {
    hashes.set(pieces.hashes, at);
    at += pieces.hashes.length;
  }
  return new Hashes(hashes);
};

/** Adds where chunks of `wanted` lie in these files, of each chunk the first place. */
export const findPlaces = (files: readonly Jigsaw[], wanted: Hashes, places: Map<string, Place>): void => {
  for (const { file, pieces } of files) {
    for (const { offset, chunk } of pieces) {
      if (wanted.find(chunk[0]).length === 0) continue;
      const key = hex(chunk[0]);
      if (!places.has(key)) places.set(key, { file, offset });
    }
  }
};

/** Each piece says where it may lie. */
export const placed = (files: readonly FilePieces[], places: Places): FilePieces[] =>
  files.map(({ file, bytes, pieces }) => ({ file, bytes, pieces: pieces.placed(places) }));
