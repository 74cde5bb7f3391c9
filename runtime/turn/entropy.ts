/** The entropy door: cryptographic in the world, seeded in the simulator. */
import type { Bytes } from '../protocol/bytes.ts';

export interface Entropy {
  bytes(length: number): Bytes;
}

/** Uniform in [0, limit), for jitter; 32 bits suffice for that. */
export const below = (entropy: Entropy, limit: number): number => {
  const drawn = entropy.bytes(4).reduce((value, byte) => value * 256 + byte, 0);
  return Math.floor((drawn / 2 ** 32) * limit);
};
