/**
 * Content that is asked for again and again. The boards of a rollout want the same pieces within the same minutes, so what a second one asks
 * for is kept at hand, where it need not be looked for, nor copied out of the store for each of them. Whoever fetches what nobody else wants
 * leaves nothing here but a hash.
 *
 * What is full takes nothing in: were pieces to push each other out, more of them than there is room for would be copied in without end and
 * found by nobody. Room comes with time, counted in asks: what nobody wanted for a whole period goes.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Shelf } from '../service/doors.ts';

export interface Held {
  read: Shelf;
  /** Whether it is what its hash says: what has changed on the disk is healed there, and must not live on here. */
  isRight(hash: Bytes, bytes: Bytes): boolean;
}

/** A shelf like the one beneath, of which at most `most` bytes are held; a period is of so many asks. */
export const hotShelf = ({ read, isRight }: Held, most: number = LIMITS.hotBytes, period: number = LIMITS.hotPeriodAsks): Shelf => {
  /** Asked for in this period, and in the one before. */
  let young = new Map<string, Bytes>();
  let old = new Map<string, Bytes>();
  /** Of what is not held, in this period. */
  let asked = new Set<string>();
  let asks = 0;
  let bytes = 0;

  const age = (): void => {
    for (const piece of old.values()) bytes -= piece.length;
    old = young;
    young = new Map();
    asked = new Set();
    asks = 0;
  };

  const isAskedAgain = (key: string): boolean => {
    if (asked.has(key)) return true;
    asked.add(key);
    return false;
  };

  return (hash) => {
    if (asks === period) age();
    asks++;
    const key = hex(hash);
    const held = young.get(key);
    if (held !== undefined) return held;
    const older = old.get(key);
    if (older !== undefined) {
      old.delete(key);
      young.set(key, older);
      return older;
    }
    const lent = read(hash);
    if (lent === null || bytes + lent.length > most || !isAskedAgain(key)) return lent;
    // A store may lend a Buffer, whose slice is the same memory.
    const own = new Uint8Array(lent);
    if (!isRight(hash, own)) return own;
    bytes += own.length;
    young.set(key, own);
    return own;
  };
};
