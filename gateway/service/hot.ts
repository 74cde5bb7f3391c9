/**
 * Content that is asked for again and again. The boards of a rollout want the same pieces within the same minutes, so what a second one asks
 * for is kept at hand, where it need not be looked for, nor copied out of the store for each of them. Whoever fetches what nobody else wants
 * leaves nothing here but a hash.
 *
 * What is full takes nothing in: were pieces to push each other out, more of them than there is room for would be copied in without end and
 * found by nobody. Room comes with time, counted in asks: what nobody wanted for a whole period goes.
 */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Shelf } from './doors.ts';
import type { Service } from './events.ts';
import { heldUnder, isContent } from './pieces.ts';

export interface Held {
  read: Shelf;
  /** Whether it is what its hash says: what has changed on the disk is healed there, and must not live on here. */
  isRight(hash: Bytes, bytes: Bytes): boolean;
}

interface Piece {
  hash: Bytes;
  bytes: Bytes;
}

/** 30 bits, which a Map finds without a text being made. Of two pieces whose hashes begin alike one is held: whoever makes such gains nothing. */
const keyOf = (hash: Bytes): number => (hash[0] ?? 0) | ((hash[1] ?? 0) << 8) | ((hash[2] ?? 0) << 16) | (((hash[3] ?? 0) & 63) << 24);

const isOf = (piece: Piece | undefined, hash: Bytes): piece is Piece => piece !== undefined && equal(piece.hash, hash);

/** A shelf like the one beneath, of which at most `most` bytes are held; a period is of so many asks. */
export const hotShelf = ({ read, isRight }: Held, most: number = LIMITS.hotBytes, period: number = LIMITS.hotPeriodAsks): Shelf => {
  /** Asked for in this period, and in the one before; a key is in one of them. */
  let young = new Map<number, Piece>();
  let old = new Map<number, Piece>();
  /** Of what is not held, in this period. */
  let asked = new Set<number>();
  let asks = 0;
  let bytes = 0;

  const age = (): void => {
    for (const piece of old.values()) bytes -= piece.bytes.length;
    old = young;
    young = new Map();
    asked = new Set();
    asks = 0;
  };

  const isAskedAgain = (key: number): boolean => {
    if (asked.has(key)) return true;
    asked.add(key);
    return false;
  };

  return (hash) => {
    if (asks === period) age();
    asks++;
    const key = keyOf(hash);
    const held = young.get(key);
    if (isOf(held, hash)) return held.bytes;
    const older = old.get(key);
    if (isOf(older, hash)) {
      old.delete(key);
      young.set(key, older);
      return older.bytes;
    }
    const lent = read(hash);
    const isTaken = held !== undefined || older !== undefined;
    if (lent === null || isTaken || bytes + lent.length > most || !isAskedAgain(key)) return lent;
    // A store may lend a Buffer, whose slice is the same memory.
    const own = new Uint8Array(lent);
    if (!isRight(hash, own)) return own;
    bytes += own.length;
    young.set(key, { hash: new Uint8Array(hash), bytes: own });
    return own;
  };
};

/** What a gateway gives of the content that `get` finds in its store. Sizes as of `hotShelf`. */
export const contentShelf = (get: (key: string) => Bytes | null, service: Service, most?: number, period?: number): Shelf =>
  hotShelf({ read: (hash) => heldUnder({ get }, hash), isRight: (hash, bytes) => isContent({ get }, service, hash, bytes) }, most, period);
