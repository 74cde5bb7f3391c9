/** What a release's files are, and what of them lies in files that are held, worked out from its pages. */
import { type Bytes, hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { type ChunkRef, type Entry, type EntryOf, type FileRef, type Manifest, notedPage, type Place } from '../protocol/nouns/release.ts';
import { type Reader, readPage, treeOf } from '../protocol/pages.ts';
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

/**
 * Each distinct file of a release, with all its pieces: their hashes in one stretch, of which each file has its part. A page's chunks are noted
 * behind what is kept while it is read, so that no object of them outlives the reading; those of an entry are kept when it is taken.
 */
export class FileList implements Reader<number> {
  readonly #files = new Map<string, Open>();
  readonly #page = notedPage((ref) => this.#note(ref));
  #hashes: Uint8Array;
  #lengths: Uint32Array;
  #kept = 0;
  #noted = 0;
  #open: Open | null = null;

  /** About so many chunks come. */
  constructor(expected: number) {
    this.#hashes = new Uint8Array(expected * HASH_BYTES);
    this.#lengths = new Uint32Array(expected);
  }

  entriesIn(page: Bytes): EntryOf<number>[] {
    this.#noted = this.#kept;
    return readPage(this.#page, page);
  }

  lengthOf(noted: number): number {
    return this.#lengths[noted] ?? 0;
  }

  /** Not taken apart by a pattern, which makes objects for each of thousands before the code is optimised. */
  #note(ref: ChunkRef): number {
    if (this.#noted === this.#lengths.length) this.#grow();
    this.#hashes.set(ref[0], this.#noted * HASH_BYTES);
    this.#lengths[this.#noted] = ref[1];
    return this.#noted++;
  }

  /** What is read a second time, as it was not laid out as usual, is noted twice. */
  #grow(): void {
    const [hashes, lengths] = [this.#hashes, this.#lengths];
    this.#hashes = new Uint8Array(2 * hashes.length + HASH_BYTES);
    this.#lengths = new Uint32Array(2 * lengths.length + 1);
    this.#hashes.set(hashes);
    this.#lengths.set(lengths);
  }

  /** Error: `bad-schema` when one content is said to have two lengths. */
  take(entry: EntryOf<number>): void {
    if (entry.kind === 'file') {
      const file: FileRef = { hash: entry.hash, executable: entry.executable };
      const known = this.#files.get(fileKey(file));
      if (known !== undefined && known.bytes !== entry.bytes)
        refuse('bad-schema', `${entry.path}: one content of ${known.bytes} and of ${entry.bytes} bytes`);
      this.#open = known === undefined ? { file, bytes: entry.bytes, from: this.#kept, to: this.#kept } : null;
      if (this.#open !== null) this.#files.set(fileKey(file), this.#open);
    }
    if (entry.kind === 'file' || entry.kind === 'more') this.#keep(entry.chunks);
    else this.#open = null;
  }

  #keep(noted: number[]): void {
    if (this.#open === null) return;
    for (const number of noted) {
      this.#hashes.copyWithin(this.#kept * HASH_BYTES, number * HASH_BYTES, (number + 1) * HASH_BYTES);
      this.#lengths[this.#kept++] = this.lengthOf(number);
    }
    this.#open.to = this.#kept;
  }

  /** Error: `bad-schema`, as above, of a chunk. */
  files(): FilePieces[] {
    const all = new Hashes(this.#hashes.subarray(0, this.#kept * HASH_BYTES));
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

/** In a page a chunk is a hash, a length, and what says so. */
const CHUNK_REF_BYTES = HASH_BYTES + 4;

/**
 * A release's tree, without its chunks, and each distinct file once, with all its pieces. Errors: those of `treeOf`; `bad-schema` when one content
 * is said to have two lengths.
 */
export const releaseIn = (manifest: Manifest, pages: Bytes[]): { tree: Entry[]; files: FilePieces[] } => {
  const bytes = pages.reduce((sum, { length }) => sum + length, 0);
  const list = new FileList(Math.ceil(bytes / CHUNK_REF_BYTES));
  const tree = treeOf(manifest, pages, list);
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
