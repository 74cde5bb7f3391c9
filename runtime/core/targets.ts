/** Chunks that have to be fetched, each with all its places that are still empty. */
import type { Bytes } from '../protocol/bytes.ts';
import type { FileRef, Place } from '../protocol/nouns/release.ts';
import { fileKey } from './content.ts';
import { HASH_BYTES, Hashes } from './hashes.ts';
import type { FilePieces } from './pieces.ts';

/** A chunk's place in a file of so many bytes. */
export interface Target extends Place {
  bytes: number;
  chunkBytes: number;
}

/** File → offsets of its pieces that are empty. Those of one file mostly come one after the other. */
const emptyIn = (lacks: readonly Place[]): Map<string, Set<number>> => {
  const empty = new Map<string, Set<number>>();
  let last: FileRef | null = null;
  let offsets = new Set<number>();
  for (const { file, offset } of lacks) {
    if (file !== last) {
      last = file;
      const key = fileKey(file);
      offsets = empty.get(key) ?? new Set();
      empty.set(key, offsets);
    }
    offsets.add(offset);
  }
  return empty;
};

const copyHash = (from: Bytes, at: number, to: Bytes, toAt: number): void => {
  for (let i = 0; i < HASH_BYTES; i++) to[toAt * HASH_BYTES + i] = from[at * HASH_BYTES + i] ?? 0;
};

/** A chunk has the number of the first piece that it is, in the order of the files: a number takes eight bytes where the hex of a hash takes ninety. */
export class Targets {
  readonly #files: readonly FilePieces[];
  /** Of each piece. */
  readonly #hashes: Hashes;
  readonly #fileAt: Uint32Array;
  readonly #offsets: Float64Array;
  readonly #lengths: Uint32Array;
  /** Each chunk once, ascending. */
  readonly numbers: readonly number[];
  /** File → how many of its pieces are empty; none: it is whole. */
  readonly lacking: ReadonlyMap<string, number>;

  constructor(files: readonly FilePieces[], lacks: readonly Place[]) {
    const empty = emptyIn(lacks);
    const hashes = new Uint8Array(lacks.length * HASH_BYTES);
    this.lacking = new Map([...empty].map(([key, offsets]) => [key, offsets.size]));
    this.#files = files;
    this.#fileAt = new Uint32Array(lacks.length);
    this.#offsets = new Float64Array(lacks.length);
    this.#lengths = new Uint32Array(lacks.length);
    let count = 0;
    for (const [index, { file, pieces }] of files.entries()) {
      const offsets = empty.get(fileKey(file));
      if (offsets === undefined) continue;
      pieces.each((at, offset, length) => {
        if (!offsets.has(offset)) return;
        copyHash(pieces.hashes, at, hashes, count);
        this.#fileAt[count] = index;
        this.#offsets[count] = offset;
        this.#lengths[count] = length;
        count++;
      });
    }
    this.#hashes = new Hashes(hashes.subarray(0, count * HASH_BYTES));
    const again = new Set([...this.#hashes.again()].map(([number]) => number));
    this.numbers = Array.from({ length: count }, (_, number) => number).filter((number) => !again.has(number));
  }

  hashOf(chunk: number): Bytes {
    return this.#hashes.at(chunk);
  }

  keyOf(chunk: number): string {
    return this.#hashes.keyAt(chunk);
  }

  /** null: it is none of these. */
  numberOf(hash: Bytes): number | null {
    return this.#hashes.find(hash)[0] ?? null;
  }

  /** Of a chunk of these. */
  lengthOf(chunk: number): number {
    return this.#lengths[chunk] ?? 0;
  }

  placesOf(hash: Bytes): Target[] {
    return [...this.#hashes.find(hash)].flatMap((piece) => this.#targetAt(piece));
  }

  #targetAt(piece: number): Target[] {
    const found = this.#files[this.#fileAt[piece] ?? 0];
    if (found === undefined) return [];
    const { file, bytes } = found;
    return [{ file, bytes, offset: this.#offsets[piece] ?? 0, chunkBytes: this.#lengths[piece] ?? 0 }];
  }
}
