/** One hash over every byte that crossed a wire or reached a disk, in order: the same seed must give the same. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';

export interface Trace {
  note(what: string, ...bytes: (Bytes | null)[]): void;
  hash(): string;
}

const BLOCK_BYTES = 64 * 1024;
const STATE_BYTES = 32;
const NOTHING = new Uint8Array(0);

/** Blocks are chained, as the crypto door hashes what is whole. Each piece is led by its length, so that none runs into the next. */
export const startTrace = (): Trace => {
  const block = Buffer.alloc(BLOCK_BYTES);
  let at = STATE_BYTES;
  const flush = (): void => {
    const state = nodeCrypto.sha256(block.subarray(0, at));
    block.set(state, 0);
    at = STATE_BYTES;
  };
  const room = (bytes: number): void => {
    if (at + bytes > BLOCK_BYTES) flush();
  };
  const lead = (length: number): void => {
    block[at] = length;
    block[at + 1] = length >>> 8;
    block[at + 2] = length >>> 16;
    block[at + 3] = length >>> 24;
    at += 4;
  };
  const write = (bytes: Bytes): void => {
    room(4);
    lead(bytes.length);
    for (let from = 0; from < bytes.length; ) {
      room(1);
      const take = Math.min(bytes.length - from, BLOCK_BYTES - at);
      block.set(take === bytes.length ? bytes : bytes.subarray(from, from + take), at);
      at += take;
      from += take;
    }
  };
  const say = (word: string): void => {
    // A word of the simulator's own: short, and of letters that are one byte each, which beats a call of the encoder.
    room(4 + word.length * 3);
    let seen = 0;
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i);
      seen |= code;
      block[at + 4 + i] = code;
    }
    const length = seen < 0x80 ? word.length : block.write(word, at + 4, 'utf8');
    lead(length);
    at += length;
  };
  return {
    note: (what, ...bytes) => {
      say(what);
      for (const piece of bytes) write(piece ?? NOTHING);
    },
    hash: () => hex(nodeCrypto.sha256(block.subarray(0, at))),
  };
};
