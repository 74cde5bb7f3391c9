/**
 * Stands between a socket and aedes: nothing passes before its packet's header has been read and found short enough,
 * and at most one chunk waits here. Until CONNECT was accepted, all that may come is `packetBeforeConnectBytes`.
 */
import { Duplex } from 'node:stream';
import { HeaderScanner, PACKET } from '../../runtime/adapters/mqtt-header.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';

type Done = (error?: Error | null) => void;

export class Guard extends Duplex {
  readonly #socket: Duplex;
  readonly #refused: (error: LichenError) => void;
  readonly #scanner = new HeaderScanner('client');
  /** Bytes that may still come before CONNECT is accepted; null once it was. */
  #earlyLeft: number | null = LIMITS.packetBeforeConnectBytes;

  constructor(socket: Duplex, refused: (error: LichenError) => void) {
    // A high-water mark of one byte: the first chunk fills it, and the socket is paused until aedes takes it.
    super({ readableHighWaterMark: 1, decodeStrings: true });
    this.#socket = socket;
    this.#refused = refused;
    this.#scanner.publishBytesMax = LIMITS.packetBeforeConnectBytes;
    socket.on('data', (chunk: Bytes) => this.#chunk(chunk));
    socket.once('end', () => this.push(null));
    socket.once('close', () => this.destroy());
    socket.on('error', () => this.destroy());
    // aedes takes its listener away when it closes a client; a late error must not end the process.
    this.on('error', () => {});
    socket.pause();
  }

  accept(): void {
    this.#earlyLeft = null;
    this.#scanner.publishBytesMax = LIMITS.packetBytes;
  }

  /** The client ended the session itself (MQTT 3.1.1 §3.14), so that its last will is void. */
  get saidGoodbye(): boolean {
    return this.#scanner.last === PACKET.disconnect;
  }

  #chunk(chunk: Bytes): void {
    if (this.destroyed) return;
    const error = this.#judge(chunk);
    if (error !== null) {
      this.#refused(error);
      this.destroy();
    } else if (!this.push(chunk)) {
      this.#socket.pause();
    }
  }

  #judge(chunk: Bytes): LichenError | null {
    const error = this.#scanner.scan(chunk);
    if (error !== null || this.#earlyLeft === null) return error;
    this.#earlyLeft -= chunk.length;
    return this.#earlyLeft < 0
      ? new LichenError('too-large', `more than ${LIMITS.packetBeforeConnectBytes} bytes before CONNECT was accepted`)
      : null;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Bytes, _encoding: BufferEncoding, done: Done): void {
    this.#pass(this.#socket.write(chunk), done);
  }

  /** mqtt-packet writes a packet in five pieces: together they are one TLS record instead of five. */
  override _writev(pieces: { chunk: Bytes }[], done: Done): void {
    this.#socket.cork();
    let roomy = true;
    for (const { chunk } of pieces) roomy = this.#socket.write(chunk);
    this.#socket.uncork();
    this.#pass(roomy, done);
  }

  #pass(roomy: boolean, done: Done): void {
    if (roomy) done();
    else this.#socket.once('drain', () => done());
  }

  override _final(done: Done): void {
    this.#socket.end(() => done());
  }

  override _destroy(_error: Error | null, done: Done): void {
    this.#socket.destroy();
    done();
  }
}
