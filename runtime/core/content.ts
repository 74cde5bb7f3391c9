/** What a release's files are, and what of them lies in files that are held, worked out from its pages. */
import { type Bytes, hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import type { ChunkRef, Entry, FileRef, Manifest, Place } from '../protocol/nouns/release.ts';
import { treeOf } from '../protocol/pages.ts';
import { HASH_BYTES, Hashes } from './hashes.ts';
import { type FilePieces, Pieces, type Places } from './pieces.ts';

export const fileKey = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

/** Its chunks are those from here to there of all. */
interface Open {
  file: FileRef;
  bytes: number;
  from: number;
  to: number;
}

/** Each distinct file of the entries that it takes, with all its pieces: their hashes in one stretch, of which each file has its part. */
class FileList {
  readonly #files = new Map<string, Open>();
  readonly #hashes: Uint8Array;
  readonly #lengths: Uint32Array;
  #count = 0;
  #open: Open | null = null;

  /** At most so many chunks come. */
  constructor(most: number) {
    this.#hashes = new Uint8Array(most * HASH_BYTES);
    this.#lengths = new Uint32Array(most);
  }

  /** Error: `bad-schema` when one content is said to have two lengths. */
  take(entry: Entry): void {
    if (entry.kind === 'file') {
      const file: FileRef = { hash: entry.hash, executable: entry.executable };
      const known = this.#files.get(fileKey(file));
      if (known !== undefined && known.bytes !== entry.bytes)
        refuse('bad-schema', `${entry.path}: one content of ${known.bytes} and of ${entry.bytes} bytes`);
      this.#open = known === undefined ? { file, bytes: entry.bytes, from: this.#count, to: this.#count } : null;
      if (this.#open !== null) this.#files.set(fileKey(file), this.#open);
    }
    if (entry.kind === 'file' || entry.kind === 'more') this.#add(entry.chunks);
    else this.#open = null;
  }

  #add(chunks: ChunkRef[]): void {
    if (this.#open === null) return;
    for (const ref of chunks) {
      this.#hashes.set(ref[0], this.#count * HASH_BYTES);
      this.#lengths[this.#count++] = ref[1];
    }
    this.#open.to = this.#count;
  }

  /** Error: `bad-schema`, as above, of a chunk. */
  files(): FilePieces[] {
    const all = new Hashes(this.#hashes.subarray(0, this.#count * HASH_BYTES));
    for (const [number, first] of all.again()) {
      const [length, known] = [this.#lengths[number], this.#lengths[first]];
      if (length !== known) refuse('bad-schema', `chunk ${all.keyAt(number)} is said to have ${known} bytes and ${length}`);
    }
    return [...this.#files.values()].map(({ file, bytes, from, to }) => ({
      ...{ file, bytes },
      pieces: new Pieces(this.#hashes.subarray(from * HASH_BYTES, to * HASH_BYTES), this.#lengths.subarray(from, to)),
    }));
  }
}

/** Each distinct file once, with all its pieces. Error: `bad-schema` when one content is said to have two lengths. */
export const filesOf = (entries: Entry[]): FilePieces[] => {
  const list = new FileList(entries.reduce((sum, entry) => sum + ('chunks' in entry ? entry.chunks.length : 0), 0));
  for (const entry of entries) list.take(entry);
  return list.files();
};

/** In a page a chunk is a hash, a length, and what says so. */
const CHUNK_REF_BYTES = HASH_BYTES + 4;

/** A release's tree, without its chunks, and its files with them. Errors: those of `treeOf` and `filesOf`. */
export const releaseIn = (manifest: Manifest, pages: Bytes[]): { tree: Entry[]; files: FilePieces[] } => {
  const bytes = pages.reduce((sum, { length }) => sum + length, 0);
  const list = new FileList(Math.floor(bytes / CHUNK_REF_BYTES));
  const tree = treeOf(manifest, pages, (entry) => list.take(entry));
  return { tree, files: list.files() };
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
export const findPlaces = (files: readonly FilePieces[], wanted: Hashes, places: Map<string, Place>): void => {
  for (const { file, pieces } of files) {
    pieces.each((at, offset) => {
      const hash = pieces.hashAt(at);
      if (wanted.find(hash).length === 0) return;
      const key = hex(hash);
      if (!places.has(key)) places.set(key, { file, offset });
    });
  }
};

/** Each piece says where it may lie. */
export const placed = (files: readonly FilePieces[], places: Places): FilePieces[] =>
  files.map(({ file, bytes, pieces }) => ({ file, bytes, pieces: pieces.placed(places) }));
