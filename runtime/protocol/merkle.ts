/**
 * Merkle tree hash of RFC 6962 §2.1, appended to in O(log n) through the frontier: the roots of the full subtrees
 * that make up the tree, largest first.
 */
import type { Bytes } from './bytes.ts';
import type { Crypto } from './crypto.ts';

const LEAF = 0;
const NODE = 1;

/** Where what is hashed is put together: leaves come by the million, and none of it outlives its hash. */
const scratch = new Uint8Array(1024);

export interface Frontier {
  size: number;
  /** One hash for each set bit of `size`, highest first. */
  peaks: Bytes[];
}

export const EMPTY: Frontier = { size: 0, peaks: [] };

export const leafHash = (crypto: Crypto, data: Bytes): Bytes => {
  const length = 1 + data.length;
  const whole = length <= scratch.length ? scratch : new Uint8Array(length);
  whole[0] = LEAF;
  whole.set(data, 1);
  return crypto.sha256(whole.subarray(0, length));
};

export const nodeHash = (crypto: Crypto, left: Bytes, right: Bytes): Bytes => {
  scratch[0] = NODE;
  scratch.set(left, 1);
  scratch.set(right, 1 + left.length);
  return crypto.sha256(scratch.subarray(0, 1 + left.length + right.length));
};

export const append = (crypto: Crypto, frontier: Frontier, data: Bytes): Frontier => {
  const peaks = [...frontier.peaks];
  let carry = leafHash(crypto, data);
  for (let size = frontier.size; size % 2 === 1; size = (size - 1) / 2) {
    const left = peaks.pop();
    if (left !== undefined) carry = nodeHash(crypto, left, carry);
  }
  return { size: frontier.size + 1, peaks: [...peaks, carry] };
};

export const rootOf = (crypto: Crypto, frontier: Frontier): Bytes => {
  const [last, ...rest] = [...frontier.peaks].reverse();
  return last === undefined ? crypto.sha256(new Uint8Array(0)) : rest.reduce((right, left) => nodeHash(crypto, left, right), last);
};
