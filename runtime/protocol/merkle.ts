/**
 * Merkle tree hash of RFC 6962 §2.1, appended to in O(log n) through the frontier: the roots of the full subtrees
 * that make up the tree, largest first.
 */
import { type Bytes, concat } from './bytes.ts';
import type { Crypto } from './crypto.ts';

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

export interface Frontier {
  size: number;
  /** One hash for each set bit of `size`, highest first. */
  peaks: Bytes[];
}

export const EMPTY: Frontier = { size: 0, peaks: [] };

export const leafHash = (crypto: Crypto, data: Bytes): Bytes => crypto.sha256(concat(LEAF, data));
export const nodeHash = (crypto: Crypto, left: Bytes, right: Bytes): Bytes => crypto.sha256(concat(NODE, left, right));

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
