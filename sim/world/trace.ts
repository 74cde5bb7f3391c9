/** One hash over every byte that crossed a wire or reached a disk, in order: the same seed must give the same. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';

export interface Trace {
  note(what: string, ...bytes: (Bytes | null)[]): void;
  hash(): string;
}

const BLOCK_BYTES = 64 * 1024;
const STATE_BYTES = 32;

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
  const write = (bytes: Bytes): void => {
    room(4);
    at = block.writeUInt32LE(bytes.length, at);
    for (let from = 0; from < bytes.length; ) {
      room(1);
      const take = Math.min(bytes.length - from, BLOCK_BYTES - at);
      block.set(take === bytes.length ? bytes : bytes.subarray(from, from + take), at);
      at += take;
      from += take;
    }
  };
  const say = (word: string): void => {
    // A word of the simulator's own: short.
    room(4 + word.length * 3);
    const length = block.write(word, at + 4, 'utf8');
    block.writeUInt32LE(length, at);
    at += 4 + length;
  };
  return {
    note: (what, ...bytes) => {
      say(what);
      for (const piece of bytes) write(piece ?? new Uint8Array(0));
    },
    hash: () => hex(nodeCrypto.sha256(block.subarray(0, at))),
  };
};
