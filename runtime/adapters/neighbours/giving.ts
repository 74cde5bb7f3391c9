/** Giving pieces to others on the network: one at a time, in turns among who asks, never faster than the limit. */
import type { TLSSocket } from 'node:tls';
import type { ReadPiece } from '../../ports/neighbours.ts';
import { type Bytes, concat } from '../../protocol/bytes.ts';
import { refuse } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { decodeAs } from '../../protocol/noun.ts';
import { chunkHead } from '../../protocol/nouns/messages.ts';
import { type NeighbourPiece, neighbourWant } from '../../protocol/nouns/neighbours.ts';
import { readFrames, writeFrame } from '../frames.ts';

/** What one that reads slowly is given before it has read. */
const UNREAD_BYTES = 128 * 1024;
const SECOND_MS = 1000;

/** From the first that has it. */
export const readFrom =
  (...places: readonly ReadPiece[]): ReadPiece =>
  async (piece) => {
    for (const read of places) {
      const bytes = await read(piece);
      if (bytes !== null) return bytes;
    }
    return null;
  };

interface Taker {
  socket: TLSSocket;
  /** Whether it may still have what it asks for. */
  may(): boolean;
  waiting: NeighbourPiece[];
}

export class Giver {
  readonly #read: ReadPiece;
  readonly #takers: Taker[] = [];
  #busy = false;
  /** So far. */
  bytes = 0;

  constructor(read: ReadPiece) {
    this.#read = read;
  }

  serve(socket: TLSSocket, may: () => boolean): void {
    const taker: Taker = { socket, may, waiting: [] };
    this.#takers.push(taker);
    socket.on('drain', () => this.#next());
    readFrames(socket, LIMITS.neighbourFrameBytes, {
      frame: (content) => {
        const { pieces } = decodeAs(neighbourWant, content, 'want');
        if (taker.waiting.length + pieces.length > 2 * LIMITS.neighbourPieces)
          refuse('too-large', 'more was asked for than is given at once');
        taker.waiting.push(...pieces);
        this.#next();
      },
      ended: () => {
        const at = this.#takers.indexOf(taker);
        if (at >= 0) this.#takers.splice(at, 1);
      },
    });
  }

  #next(): void {
    if (this.#busy) return;
    const at = this.#takers.findIndex(({ socket, waiting }) => waiting.length > 0 && socket.writableLength < UNREAD_BYTES);
    const [taker] = at < 0 ? [] : this.#takers.splice(at, 1);
    if (taker === undefined) return;
    this.#takers.push(taker);
    const piece = taker.waiting.shift();
    if (piece === undefined) return;
    this.#busy = true;
    void this.#give(taker, piece).then((bytes) => {
      this.bytes += bytes;
      setTimeout(() => this.#goOn(), (bytes / LIMITS.neighbourBytesPerS) * SECOND_MS);
    });
  }

  #goOn(): void {
    this.#busy = false;
    this.#next();
  }

  async #give({ socket, may }: Taker, piece: NeighbourPiece): Promise<number> {
    const bytes = may() ? await this.#read(piece).catch(() => null) : null;
    if (!socket.destroyed && socket.writable) writeFrame(socket, answerOf(piece, bytes));
    return bytes?.length ?? 0;
  }
}

const answerOf = ({ chunk: [hash] }: NeighbourPiece, bytes: Bytes | null): Bytes =>
  bytes === null ? chunkHead(hash, null) : concat(chunkHead(hash, bytes.length), bytes);
