/** A connection between two machines of the virtual world: a stream at each end, as `node:net` would give. */
import { Duplex } from 'node:stream';
import { Lane, type Net, type Segment, type Verdict } from './lane.ts';

/** The machine at one end. */
export interface Host {
  /** As paths know it. */
  at: string;
  /** Its kernel runs, and refuses what belongs to no connection that it knows. */
  answers(): boolean;
}

type Done = (error?: Error | null) => void;

const PROBLEMS = { ECONNRESET: 'the connection was reset', ETIMEDOUT: 'the other end did not answer' } as const;

/** As much as Node reads from a socket ahead. */
const BUFFER_BYTES = 64 * 1024;

export class PipeEnd extends Duplex {
  readonly #net: Net;
  readonly #host: Host;
  readonly #opened: () => void;
  #lanes: { out: Lane; in: Lane } | null = null;
  /** `gone`: the machine has vanished; `closed`: only this end of the connection has. */
  #state: 'open' | 'closed' | 'gone' = 'open';
  #saidEnd = false;
  /** Come, and not read yet; past what the stream takes. */
  #held: Segment[] = [];
  #isFull = false;

  constructor(net: Net, host: Host, opened: () => void) {
    super({ allowHalfOpen: false, readableHighWaterMark: BUFFER_BYTES, writableHighWaterMark: BUFFER_BYTES });
    this.#net = net;
    this.#host = host;
    this.#opened = opened;
    // A connection may break when nobody listens any more.
    this.on('error', () => {});
  }

  join(lanes: { out: Lane; in: Lane }): void {
    this.#lanes = lanes;
  }

  /** The machine has lost its power: not a word leaves it any more. */
  vanish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'gone';
    this.#lanes?.out.cut();
    this.#net.touch();
    this.destroy();
  }

  /** The process was killed: its kernel closes what is open. */
  kill(): void {
    this.#net.touch();
    this.destroy();
  }

  arrived(segment: Segment): Verdict {
    if (this.#state !== 'open') {
      if (!this.#host.answers()) return 'lost';
      return segment.kind === 'end' || segment.kind === 'reset' ? 'taken' : 'refused';
    }
    this.#net.touch();
    if (segment.kind === 'hello') this.#opened();
    else if (segment.kind === 'reset') this.failed('ECONNRESET');
    else if (this.#isFull) this.#held.push(segment);
    else this.#pass(segment);
    return 'taken';
  }

  failed(code: keyof typeof PROBLEMS): void {
    if (this.#state !== 'open') return;
    this.#net.touch();
    this.#lanes?.out.cut();
    this.destroy(Object.assign(new Error(`${code}: ${PROBLEMS[code]}`), { code }));
  }

  #pass(segment: Segment): void {
    if (segment.kind !== 'data') {
      this.push(null);
      return;
    }
    this.#lanes?.in.read(segment.bytes.length);
    this.#isFull = !this.push(segment.bytes);
  }

  override _read(): void {
    this.#isFull = false;
    while (!this.#isFull && this.#state === 'open') {
      const segment = this.#held.shift();
      if (segment === undefined) return;
      this.#net.touch();
      this.#pass(segment);
    }
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    // A copy: the two ends are two machines.
    this.#send(Buffer.from(chunk), done);
  }

  override _writev(pieces: { chunk: Uint8Array }[], done: Done): void {
    this.#send(Buffer.concat(pieces.map(({ chunk }) => chunk)), done);
  }

  #send(bytes: Buffer, done: Done): void {
    this.#net.touch();
    this.#lanes?.out.send(bytes, done);
  }

  override _final(done: Done): void {
    this.#net.touch();
    this.#saidEnd = true;
    this.#lanes?.out.end();
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#net.touch();
    if (this.#state === 'open') {
      this.#state = 'closed';
      if (this.#held.some(({ kind }) => kind === 'data')) this.#lanes?.out.reset();
      else if (!this.#saidEnd) this.#lanes?.out.end();
    }
    this.#held = [];
    done(error);
  }
}

/** `accepted` is called when the far machine has heard of it. */
export const openPipe = (net: Net, near: Host, far: Host, accepted: (end: PipeEnd) => void): { near: PipeEnd; far: PipeEnd } => {
  const nearEnd = new PipeEnd(net, near, () => {});
  const farEnd: PipeEnd = new PipeEnd(net, far, () => accepted(farEnd));
  const between = (from: Host, sender: PipeEnd, to: Host, receiver: PipeEnd): Lane =>
    new Lane(net, from.at, to.at, { arrived: (segment) => receiver.arrived(segment), failed: (code) => sender.failed(code) });
  const there = between(near, nearEnd, far, farEnd);
  const back = between(far, farEnd, near, nearEnd);
  nearEnd.join({ out: there, in: back });
  farEnd.join({ out: back, in: there });
  there.open();
  return { near: nearEnd, far: farEnd };
};
