/** What a shelf keeps at hand: what several ask for, never more than it may, and only what is right. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Shelf } from '../../../gateway/service/doors.ts';
import { hotShelf } from '../../../gateway/service/hot.ts';
import type { Bytes } from '../../../runtime/protocol/bytes.ts';
import { runs } from '../../support/properties.ts';

const PIECE = 100;
const piece = (nth: number): Bytes => new Uint8Array(PIECE).fill(nth);
const hashOf = (nth: number): Bytes => new Uint8Array(32).fill(nth);

/** A store that lends one Buffer for all it holds, as LMDB's does, and counts how often it is asked. */
class Store {
  asked: number[] = [];
  /** Has become something else on the disk. */
  readonly spoilt = new Set<number>();
  readonly #lent = Buffer.alloc(20 * PIECE);

  readonly lengthOf: (nth: number) => number | null;

  constructor(lengthOf: (nth: number) => number | null = () => PIECE) {
    this.lengthOf = lengthOf;
  }

  read = (hash: Bytes): Bytes | null => {
    const nth = hash[0] ?? 0;
    this.asked.push(nth);
    const length = this.lengthOf(nth);
    return length === null ? null : this.#lent.fill(this.spoilt.has(nth) ? nth + 1 : nth).subarray(0, length);
  };

  /** As the real one, it reads to know, and what it lent before is something else after. */
  isRight = (hash: Bytes, bytes: Bytes): boolean => {
    this.#lent.fill(255);
    return bytes.every((byte) => byte === hash[0]);
  };
}

/** Whatever kind of bytes. */
const read = (shelf: Shelf, nth: number): Bytes | null => {
  const bytes = shelf(hashOf(nth));
  return bytes === null ? null : Uint8Array.from(bytes);
};

describe('content at hand', () => {
  test('what a second one asks for is read twice and no more', () => {
    const store = new Store();
    const shelf = hotShelf(store, 10 * PIECE);
    for (let times = 0; times < 5; times++) expect(read(shelf, 7)).toEqual(piece(7));
    expect(store.asked).toEqual([7, 7]);
  });

  test('what only one asks for is lent on, and not kept', () => {
    const store = new Store();
    const shelf = hotShelf(store, 10 * PIECE);
    const lent = [0, 1, 2, 3].map((nth) => shelf(hashOf(nth))?.buffer);
    expect(new Set(lent).size).toBe(1);
  });

  test('what is full takes nothing in, and nothing is pushed out by more than there is room for', () => {
    const store = new Store();
    const shelf = hotShelf(store, 10 * PIECE);
    for (let times = 0; times < 2; times++) for (let nth = 0; nth < 100; nth++) shelf(hashOf(nth));
    store.asked = [];
    for (let nth = 0; nth < 100; nth++) shelf(hashOf(nth));
    expect(store.asked).toEqual(Array.from({ length: 90 }, (_, at) => at + 10));
  });

  test('what nobody wanted for a whole period makes room for what is wanted now', () => {
    const store = new Store();
    const shelf = hotShelf(store, 2 * PIECE, 10);
    const ask = (nth: number, times: number): void => {
      for (let time = 0; time < times; time++) shelf(hashOf(nth));
    };
    for (const nth of [1, 1, 2, 2]) ask(nth, 1);
    // The rest of this period and all of the next: 1 is wanted, 2 is not.
    ask(1, 6 + 10);
    store.asked = [];
    ask(3, 3);
    ask(1, 3);
    expect(store.asked).toEqual([3, 3]);
    ask(2, 2);
    expect(store.asked).toEqual([3, 3, 2, 2]);
  });

  test('of what is not right nothing stays, so that it is healed for all once it is healed on the disk', () => {
    const store = new Store();
    store.spoilt.add(3);
    const shelf = hotShelf(store, 10 * PIECE);
    for (let times = 0; times < 3; times++) expect(shelf(hashOf(3))?.[0]).toBe(4);
    store.spoilt.delete(3);
    for (let times = 0; times < 3; times++) expect(shelf(hashOf(3))?.[0]).toBe(3);
    expect(store.asked).toEqual([3, 3, 3, 3]);
  });

  test('a hash that begins like another is not taken for it', () => {
    const [one, other] = [hashOf(5), hashOf(5)];
    other[31] = 6;
    let asks = 0;
    const read = (hash: Bytes): Bytes => {
      asks++;
      return piece(hash[31] ?? 0);
    };
    const shelf = hotShelf({ read, isRight: () => true }, 10 * PIECE);
    for (let times = 0; times < 3; times++) {
      expect(shelf(one)).toEqual(piece(5));
      expect(shelf(other)).toEqual(piece(6));
    }
    // One of the two is held.
    expect(asks).toBe(4);
  });

  test('what is not here, and what is longer than there is room, is asked for each time', () => {
    const store = new Store((nth) => (nth === 1 ? null : 11 * PIECE));
    const shelf = hotShelf(store, 10 * PIECE);
    for (let times = 0; times < 3; times++) {
      expect(shelf(hashOf(1))).toBe(null);
      expect(shelf(hashOf(2))?.length).toBe(11 * PIECE);
    }
    expect(store.asked).toEqual([1, 2, 1, 2, 1, 2]);
  });

  test('says what the store says, and never holds more than it may (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 400 }), fc.nat(30), fc.integer({ min: 1, max: 100 }), (asks, pieces, period) => {
        const store = new Store((nth) => (nth % 7 === 6 ? null : PIECE));
        const shelf = hotShelf(store, pieces * PIECE, period);
        for (const nth of asks) expect(read(shelf, nth)).toEqual(nth % 7 === 6 ? null : piece(nth));
        store.asked = [];
        const all = Array.from({ length: 41 }, (_, nth) => nth).filter((nth) => nth % 7 !== 6);
        for (const nth of all) shelf(hashOf(nth));
        expect(all.length - store.asked.length).toBeLessThanOrEqual(pieces);
      }),
      runs(200),
    );
  });
});
