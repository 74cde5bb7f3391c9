/** Hashes in one stretch of memory, found again without an object for each: a release of 200 MB has 12,800 chunks. */
import { type Bytes, hex } from '../protocol/bytes.ts';

/** In which SHA-256 counts. */
export const HASH_BYTES = 32;

/** Bytewise, of the hash at `at` and the one at `otherAt`. */
const compareAt = (hashes: Bytes, at: number, others: Bytes, otherAt: number): number => {
  for (let i = 0; i < HASH_BYTES; i++) {
    const difference = (hashes[at * HASH_BYTES + i] ?? 0) - (others[otherAt * HASH_BYTES + i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

export class Hashes {
  readonly #bytes: Bytes;
  /** Ascending, and of equal ones the first first. Sorted, as whoever signs a release could have all of them fall into one place of a table. */
  readonly #order: Uint32Array;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
    this.#order = new Uint32Array(bytes.length / HASH_BYTES).map((_, number) => number);
    this.#order.sort((a, b) => compareAt(bytes, a, bytes, b) || a - b);
  }

  /** How many different ones there are. */
  get size(): number {
    let again = 0;
    for (const _ of this.again()) again++;
    return this.#order.length - again;
  }

  at(number: number): Bytes {
    return this.#bytes.subarray(number * HASH_BYTES, (number + 1) * HASH_BYTES);
  }

  keyAt(number: number): string {
    return hex(this.at(number));
  }

  /** Numbers of all that are this one, ascending. */
  find(hash: Bytes): Uint32Array {
    return this.#order.subarray(this.#before(hash, 0), this.#before(hash, 1));
  }

  /** How many are less than this one, or with 1 not more. */
  #before(hash: Bytes, most: 0 | 1): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareAt(this.#bytes, this.#order[middle] ?? 0, hash, 0) < most) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Of each that is there before, its number and that of the first. */
  *again(): Generator<[number: number, first: number]> {
    let first = 0;
    for (let at = 1; at < this.#order.length; at++) {
      const [number, before] = [this.#order[at] ?? 0, this.#order[first] ?? 0];
      if (compareAt(this.#bytes, number, this.#bytes, before) === 0) yield [number, before];
      else first = at;
    }
  }
}
