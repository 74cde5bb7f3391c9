/**
 * Chance from a seed. Each purpose draws from a stream of its own, by name, so that drawing once more for one does not
 * change what another gets: taking one fault away leaves all others as they were.
 */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Entropy } from '../../runtime/turn/entropy.ts';

export interface Chance {
  /** A whole number in [0, limit). */
  below(limit: number): number;
  /** In [0, 1). */
  unit(): number;
  bool(permille: number): boolean;
  /** A whole number in [least, most]. */
  between(least: number, most: number): number;
  pick<T>(list: readonly [T, ...T[]]): T;
  bytes(length: number): Bytes;
  fork(name: string): Chance;
}

/** sfc32 (Doty-Humphrey, PractRand): 128 bits of state, fast, passes BigCrush. Not for keys. */
const sfc32 = (seed: Bytes): (() => number) => {
  const view = new DataView(seed.buffer, seed.byteOffset, seed.byteLength);
  let [a, b, c, d] = [view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12)];
  return () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
};

export const chanceFrom = (seed: string): Chance => {
  const draw = sfc32(nodeCrypto.sha256(utf8(seed)));
  const unit = (): number => draw() / 2 ** 32;
  const below = (limit: number): number => Math.floor(unit() * limit);
  return {
    below,
    unit,
    bool: (permille) => unit() * 1000 < permille,
    between: (least, most) => least + below(most - least + 1),
    pick: (list) => list[below(list.length)] ?? list[0],
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let at = 0; at < length; at += 4) {
        const word = draw();
        for (let i = 0; i < 4 && at + i < length; i++) out[at + i] = word >>> (8 * i);
      }
      return out;
    },
    fork: (name) => chanceFrom(`${seed}/${name}`),
  };
};

export const entropyOf = (chance: Chance): Entropy => ({ bytes: (length) => chance.bytes(length) });
