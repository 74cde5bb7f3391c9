/**
 * One link between two gateways, whichever of them dialled: frames of CBOR both ways, and an empty frame as heartbeat.
 * TCP alone notices a peer that lost its power after a quarter of an hour; here silence counts.
 */
import type { Duplex } from 'node:stream';
import { readFrames, writeFrame } from '../../runtime/adapters/frames.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs } from '../../runtime/protocol/noun.ts';
import { type PeerFrame, peerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { Clock } from '../../runtime/turn/clock.ts';

export interface PeerLinkOptions {
  stream: Duplex;
  clock: Clock;
  /** How often this end says that it lives. */
  heartbeatMs: number;
  /** After so long without a byte from the other end it is taken for dead; more than two heartbeats. */
  silenceMs: number;
  frame(frame: PeerFrame): void;
  /** Once, last. */
  ended(error: LichenError): void;
}

const HEARTBEAT = new Uint8Array(0);

export class PeerLink {
  readonly #options: PeerLinkOptions;
  #beat: () => void = () => {};
  #heardMs: number;
  #over = false;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    const { stream, clock } = options;
    this.#heardMs = clock.now().monoMs;
    readFrames(stream, LIMITS.peerFrameBytes, {
      frame: (content) => this.#frame(content),
      heard: () => {
        this.#heardMs = clock.now().monoMs;
      },
      ended: (error) => this.end(error ?? new LichenError('unavailable', 'the peer closed the link')),
    });
    this.#tick();
  }

  /** Ends the link when more waits than a peer that keeps up would leave: it catches up by its vector. */
  send(frame: PeerFrame): void {
    if (this.#over) return;
    const { stream } = this.#options;
    const content = encodeAs(peerFrame, frame, 'peer frame');
    if (content.length > LIMITS.peerFrameBytes) {
      this.end(new LichenError('too-large', `a peer frame of ${content.length} bytes; at most ${LIMITS.peerFrameBytes} are allowed`));
      return;
    }
    writeFrame(stream, content);
    if (stream.writableLength > LIMITS.peerQueueBytes) {
      this.end(new LichenError('unavailable', `the peer reads too slowly: ${stream.writableLength} bytes wait for it`));
    }
  }

  end(error: LichenError): void {
    if (this.#over) return;
    this.#over = true;
    this.#beat();
    this.#options.stream.destroy();
    this.#options.ended(error);
  }

  #frame(content: Bytes): void {
    // What is wrong with a frame is thrown, and readFrames ends the stream with it.
    if (!this.#over && content.length > 0) this.#options.frame(decodeAs(peerFrame, content, 'peer frame'));
  }

  #tick(): void {
    const { clock, heartbeatMs, silenceMs, stream } = this.#options;
    if (this.#over) return;
    const silentMs = clock.now().monoMs - this.#heardMs;
    if (silentMs >= silenceMs) {
      this.end(new LichenError('unavailable', `the peer has been silent for ${silentMs} ms`));
      return;
    }
    // While the buffer is full the peer hears from us anyway, or is gone.
    if (!stream.writableNeedDrain) writeFrame(stream, HEARTBEAT);
    this.#beat = clock.after(Math.min(heartbeatMs, silenceMs - silentMs), () => this.#tick());
  }
}
