/**
 * Length-prefixed frames over a stream: four bytes of length, big endian, then as many of content. A length over the
 * limit is refused when its fourth byte has come, before anything of the content is kept. An empty frame is allowed:
 * between peers it is the heartbeat.
 */
import type { Duplex } from 'node:stream';
import type { Bytes } from '../protocol/bytes.ts';
import { asLichenError, LichenError, refuse } from '../protocol/errors.ts';

const PREFIX_BYTES = 4;

/** Cuts what comes in pieces of any size back into frames. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #onFrame: (frame: Bytes) => void;
  #prefix = 0;
  #prefixBytes = 0;
  #frame: Bytes | null = null;
  #filled = 0;

  constructor(maxBytes: number, onFrame: (frame: Bytes) => void) {
    this.#maxBytes = maxBytes;
    this.#onFrame = onFrame;
  }

  /** True between two frames, where a stream may end. */
  get atBoundary(): boolean {
    return this.#frame === null && this.#prefixBytes === 0;
  }

  /** Error: `too-large`; nothing may be pushed after it. */
  push(chunk: Bytes): void {
    let at = 0;
    while (at < chunk.length) at = this.#frame === null ? this.#readPrefix(chunk, at) : this.#readContent(this.#frame, chunk, at);
  }

  #readPrefix(chunk: Bytes, at: number): number {
    this.#prefix = this.#prefix * 256 + (chunk[at] ?? 0);
    if (++this.#prefixBytes < PREFIX_BYTES) return at + 1;
    if (this.#prefix > this.#maxBytes) refuse('too-large', `a frame of ${this.#prefix} bytes; at most ${this.#maxBytes} are allowed`);
    // One allocation of the right size, within the limit; growing step by step would copy it several times.
    this.#frame = new Uint8Array(this.#prefix);
    this.#filled = 0;
    if (this.#prefix === 0) this.#finish(this.#frame);
    return at + 1;
  }

  #readContent(frame: Bytes, chunk: Bytes, at: number): number {
    const part = chunk.subarray(at, at + frame.length - this.#filled);
    frame.set(part, this.#filled);
    this.#filled += part.length;
    if (this.#filled === frame.length) this.#finish(frame);
    return at + part.length;
  }

  #finish(frame: Bytes): void {
    this.#frame = null;
    this.#prefix = 0;
    this.#prefixBytes = 0;
    this.#onFrame(frame);
  }
}

export interface FrameEvents {
  frame(content: Bytes): void;
  /** Any bytes at all: the far end lives, though a long frame is still on its way. */
  heard?(): void;
  /** Once, last: the stream is over, with what was wrong if it was not its end between two frames. */
  ended(error: LichenError | null): void;
}

/** Reads frames until the stream ends; what `frame` throws ends it too. The stream is destroyed at the end. */
export const readFrames = (stream: Duplex, maxBytes: number, events: FrameEvents): void => {
  let open = true;
  const end = (error: LichenError | null): void => {
    if (!open) return;
    open = false;
    stream.destroy();
    events.ended(error);
  };
  const reader = new FrameReader(maxBytes, (content) => {
    if (open) events.frame(content);
  });
  stream.on('data', (chunk: Bytes) => {
    if (!open) return;
    events.heard?.();
    try {
      reader.push(chunk);
    } catch (thrown) {
      end(asLichenError(thrown));
    }
  });
  stream.on('error', (thrown: Error) => end(new LichenError('unavailable', `the connection broke: ${thrown.message}`)));
  const over = () => end(reader.atBoundary ? null : new LichenError('unavailable', 'the connection ended within a frame'));
  stream.on('end', over);
  stream.on('close', over);
};

/** False when the stream's buffer is full: wait for `drain`, or count what is written. */
export const writeFrame = (stream: Duplex, content: Bytes): boolean => {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(content.length);
  stream.cork();
  stream.write(prefix);
  const roomy = content.length === 0 ? !stream.writableNeedDrain : stream.write(content);
  stream.uncork();
  return roomy;
};
