/**
 * One direction of a TCP connection as its two ends see it: bytes come in order or not at all, what the way loses is
 * sent again, and only so much is under way at a time. It is a queue: a model that let a later piece overtake an
 * earlier one made phantoms of records. Bandwidth is in what the path answers; of TCP's own, only what an application
 * can notice is here.
 */
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { Paths } from './doors.ts';

export interface Net {
  clock: VirtualClock;
  paths: Paths;
  chance: Chance;
  /** Streams have been given work. */
  touch(): void;
  /** Every piece that departs, for whoever compares two runs. */
  tap(from: string, to: string, bytes: Uint8Array): void;
}

/** `hello`: what completes the handshake at the end that was dialled; `end`: FIN; `reset`: RST. */
export type Segment = { kind: 'data'; bytes: Buffer } | { kind: 'hello' | 'end' | 'reset' };

/** What becomes of a segment that has come: nobody is there (`lost`), or a kernel that knows no such connection (`refused`). */
export type Verdict = 'taken' | 'lost' | 'refused';

export interface LaneEnds {
  arrived(segment: Segment): Verdict;
  /** To the end that sends: its kernel gives the connection up. */
  failed(code: 'ECONNRESET' | 'ETIMEDOUT'): void;
}

/** Send and receive buffer together, where Linux starts from (tcp(7)): nobody writes more than this ahead of a reader. */
export const WINDOW_BYTES = 256 * 1024;
/** A TLS record at most (RFC 8446 §5.1). */
const SEGMENT_BYTES = 16 * 1024;
/** Around the content of a TLS 1.3 record; TCP's own headers are the path's affair. */
const RECORD_BYTES = 22;
/** The client's certificate, its proof and `Finished` (RFC 8446 §4.4). */
const HELLO_BYTES = 1000;
/** RFC 6298, with the bounds of Linux. */
const RETRY_LEAST_MS = 200;
const RETRY_MOST_MS = 120_000;
/** tcp_retries2 = 15. */
const GIVE_UP_MS = 924_600;
/** So many of a thousand pieces come in two: no reader may count on a packet coming whole. */
const SPLIT_PERMILLE = 20;

const sizeOf = (segment: Segment): number => {
  if (segment.kind === 'data') return segment.bytes.length + RECORD_BYTES;
  return segment.kind === 'hello' ? HELLO_BYTES : RECORD_BYTES;
};

export class Lane {
  readonly #net: Net;
  readonly #from: string;
  readonly #to: string;
  readonly #ends: LaneEnds;
  /** In the hands of the sender's kernel or on the way; the first ones have departed. */
  #segments: Segment[] = [];
  #departed = 0;
  #latestMs = 0;
  /** Arrivals that were planned under an earlier number do not happen. */
  #attempt = 0;
  /** Since the way has lost something that has not been made good. */
  #trouble: { sinceMs: number; waitMs: number } | null = null;
  #isWaiting = false;
  #tripMs = 0;
  /** More of the sender's than fits. */
  #rest: { bytes: Buffer; done: () => void } | null = null;
  #unackedBytes = 0;
  #readBytes = 0;
  #isAckOnWay = false;
  /** Nothing departs any more. */
  #isOver = false;

  constructor(net: Net, from: string, to: string, ends: LaneEnds) {
    this.#net = net;
    this.#from = from;
    this.#to = to;
    this.#ends = ends;
  }

  /** `done`: the kernel has taken all of it; only then may there be more. */
  send(bytes: Buffer, done: () => void): void {
    this.#rest = { bytes, done };
    this.#feed();
  }

  open(): void {
    this.#push({ kind: 'hello' });
  }

  /** What the kernel has taken still goes, and then the end. */
  end(): void {
    this.#rest = null;
    this.#push({ kind: 'end' });
  }

  /** What has not departed is forgotten, as when a connection is closed while there is something to read. */
  reset(): void {
    this.cut();
    this.#isOver = false;
    this.#push({ kind: 'reset' });
    this.#isOver = true;
  }

  /** The sending machine is no more: only what is on the way still comes. */
  cut(): void {
    this.#isOver = true;
    this.#rest = null;
    this.#segments.length = this.#departed;
  }

  /** The application at the far end has read so much, which makes room. */
  read(bytes: number): void {
    this.#readBytes += bytes;
    if (this.#rest !== null || this.#readBytes * 2 >= WINDOW_BYTES) this.#acknowledge();
  }

  #feed(): void {
    const rest = this.#rest;
    if (rest === null) return;
    while (rest.bytes.length > 0) {
      if (this.#unackedBytes >= WINDOW_BYTES) {
        this.#acknowledge();
        return;
      }
      const bytes = rest.bytes.subarray(0, this.#cutAt(rest.bytes.length));
      rest.bytes = rest.bytes.subarray(bytes.length);
      this.#unackedBytes += bytes.length;
      this.#push({ kind: 'data', bytes });
    }
    this.#rest = null;
    rest.done();
  }

  #cutAt(length: number): number {
    const { chance } = this.#net;
    const most = Math.min(length, SEGMENT_BYTES);
    return most > 1 && chance.bool(SPLIT_PERMILLE) ? chance.between(1, most - 1) : most;
  }

  #push(segment: Segment): void {
    if (this.#isOver) return;
    this.#segments.push(segment);
    this.#depart();
  }

  #depart(): void {
    const { clock, paths, tap } = this.#net;
    while (!this.#isWaiting) {
      const segment = this.#segments[this.#departed];
      if (segment === undefined) return;
      const delayMs = paths.delayMs(this.#from, this.#to, sizeOf(segment));
      if (delayMs === null) return this.#wait();
      if (segment.kind === 'data') tap(this.#from, this.#to, segment.bytes);
      this.#tripMs = delayMs;
      this.#latestMs = Math.max(this.#latestMs, clock.nowMs + delayMs);
      this.#departed++;
      const attempt = this.#attempt;
      clock.at(this.#latestMs, () => {
        if (attempt === this.#attempt) this.#arrive();
      });
    }
  }

  #arrive(): void {
    const [segment] = this.#segments;
    if (segment === undefined) return;
    const verdict = this.#ends.arrived(segment);
    if (verdict === 'taken') {
      this.#trouble = null;
      this.#segments.shift();
      this.#departed--;
      return;
    }
    this.#attempt++;
    this.#departed = 0;
    const backMs = verdict === 'lost' ? null : this.#net.paths.delayMs(this.#to, this.#from, 0);
    if (backMs === null) this.#wait();
    else this.#net.clock.at(this.#net.clock.nowMs + backMs, () => this.#fail('ECONNRESET'));
  }

  /** For the time-out of the first piece that has not come; each time twice as long. */
  #wait(): void {
    const { clock } = this.#net;
    // Nobody is there to send it again.
    if (this.#isOver) {
      this.#segments = [];
      return;
    }
    const leastMs = RETRY_LEAST_MS + 2 * this.#tripMs;
    const waitMs = this.#trouble === null ? leastMs : Math.min(RETRY_MOST_MS, 2 * this.#trouble.waitMs);
    this.#trouble = { sinceMs: this.#trouble?.sinceMs ?? clock.nowMs, waitMs };
    this.#isWaiting = true;
    clock.at(clock.nowMs + waitMs, () => {
      this.#isWaiting = false;
      if (this.#trouble !== null && clock.nowMs - this.#trouble.sinceMs >= GIVE_UP_MS) this.#fail('ETIMEDOUT');
      else this.#depart();
    });
  }

  #fail(code: 'ECONNRESET' | 'ETIMEDOUT'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#segments = [];
    this.#rest = null;
    this.#ends.failed(code);
  }

  /** Asked of the way back only when room is short: a link that carries one way takes a window and no more. */
  #acknowledge(): void {
    const { clock, paths, touch } = this.#net;
    if (this.#isAckOnWay || this.#readBytes === 0) return;
    this.#isAckOnWay = true;
    const bytes = this.#readBytes;
    const backMs = paths.delayMs(this.#to, this.#from, 0);
    clock.at(clock.nowMs + (backMs ?? RETRY_LEAST_MS + 2 * this.#tripMs), () => {
      this.#isAckOnWay = false;
      if (backMs !== null) {
        this.#readBytes -= bytes;
        this.#unackedBytes -= bytes;
        touch();
        this.#feed();
      } else if (!this.#isOver) this.#acknowledge();
    });
  }
}
