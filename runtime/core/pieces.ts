/** The pieces of a file that is to be put together. */
import { hex } from '../protocol/bytes.ts';
import type { Jigsaw, Piece, Place } from '../protocol/nouns/release.ts';
import { HASH_BYTES } from './hashes.ts';

/** Where chunks lie elsewhere, by the hex of their hashes. */
export type Places = ReadonlyMap<string, Place>;

/**
 * As one stretch of hashes and the numbers beside it, and made into objects when they are asked for: a release of 200 MB has 12,800
 * pieces, which as objects take several times as much of a small board's memory.
 */
export class Pieces implements Iterable<Piece> {
  readonly hashes: Uint8Array;
  readonly #lengths: Uint32Array;
  readonly #places: Places;

  constructor(hashes: Uint8Array, lengths: Uint32Array, places: Places = new Map()) {
    this.hashes = hashes;
    this.#lengths = lengths;
    this.#places = places;
  }

  placed(places: Places): Pieces {
    return new Pieces(this.hashes, this.#lengths, places);
  }

  /** Of all in their order: which it is, where it begins, how long it is. No object is made, of which a large release would need 12,800. */
  each(take: (at: number, offset: number, length: number) => void): void {
    let offset = 0;
    for (let at = 0; at < this.#lengths.length; at++) {
      const length = this.lengthAt(at);
      take(at, offset, length);
      offset += length;
    }
  }

  hashAt(at: number): Uint8Array {
    return this.hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES);
  }

  lengthAt(at: number): number {
    return this.#lengths[at] ?? 0;
  }

  placeAt(at: number): Place | null {
    return this.#places.size === 0 ? null : (this.#places.get(hex(this.hashAt(at))) ?? null);
  }

  *[Symbol.iterator](): Iterator<Piece> {
    let offset = 0;
    for (let at = 0; at < this.#lengths.length; at++) {
      yield new PieceAt(this, at, offset);
      offset += this.lengthAt(at);
    }
  }
}

/** What is asked of it is made when it is asked: of a piece that is not here, nobody asks for more than its offset and its place. */
class PieceAt implements Piece {
  readonly #pieces: Pieces;
  readonly #at: number;
  readonly offset: number;

  constructor(pieces: Pieces, at: number, offset: number) {
    this.#pieces = pieces;
    this.#at = at;
    this.offset = offset;
  }

  get chunk(): Piece['chunk'] {
    return [this.#pieces.hashAt(this.#at), this.#pieces.lengthAt(this.#at)];
  }

  get from(): Place | null {
    return this.#pieces.placeAt(this.#at);
  }
}

export interface FilePieces extends Jigsaw {
  pieces: Pieces;
}
