/** Chunks that have to be fetched, each with all its places that are still empty. */
import type { Bytes } from '../protocol/bytes.ts';
import type { Jigsaw, Place } from '../protocol/nouns/release.ts';
import { fileKey } from './content.ts';
import { HASH_BYTES, Hashes } from './hashes.ts';

/** A chunk's place in a file of so many bytes. */
export interface Target extends Place {
  bytes: number;
  chunkBytes: number;
}

/** File → offsets of its pieces that are empty. */
const emptyIn = (lacks: readonly Place[]): Map<string, Set<number>> => {
  const empty = new Map<string, Set<number>>();
  for (const { file, offset } of lacks) {
    const key = fileKey(file);
    const offsets = empty.get(key);
    if (offsets === undefined) empty.set(key, new Set([offset]));
    else offsets.add(offset);
  }
  return empty;
};

/** A chunk has the number of the first piece that it is, in the order of the files: a number takes eight bytes where the hex of a hash takes ninety. */
export class Targets {
  readonly #files: readonly Jigsaw[];
  /** Of each piece. */
  readonly #hashes: Hashes;
  readonly #fileAt: Uint32Array;
  readonly #offsets: Float64Array;
  readonly #lengths: Uint32Array;
  /** Each chunk once, ascending. */
  readonly numbers: readonly number[];

  constructor(files: readonly Jigsaw[], lacks: readonly Place[]) {
    const empty = emptyIn(lacks);
    const hashes = new Uint8Array(lacks.length * HASH_BYTES);
    this.#files = files;
    this.#fileAt = new Uint32Array(lacks.length);
    this.#offsets = new Float64Array(lacks.length);
    this.#lengths = new Uint32Array(lacks.length);
    let count = 0;
    for (const [index, { file, pieces }] of files.entries()) {
      const offsets = empty.get(fileKey(file));
      if (offsets === undefined) continue;
      for (const { offset, chunk } of pieces) {
        if (!offsets.has(offset)) continue;
        hashes.set(chunk[0], count * HASH_BYTES);
        this.#fileAt[count] = index;
        this.#offsets[count] = offset;
        this.#lengths[count] = chunk[1];
        count++;
      }
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
