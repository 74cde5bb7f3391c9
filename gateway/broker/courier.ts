/**
 * Content on its way to those who asked for it. Of what waits only hashes are held: whoever has room for it is handed a
 * parcel, which is as many messages as one packet may be long, put together where the store lends the bytes and written in
 * one piece. Each waits for its turn, and after so many bytes all else goes first: an acknowledgement never stands behind
 * the content of others.
 */
import type { Writable } from 'node:stream';
import { publishBytes, writePublishHead } from '../../runtime/adapters/mqtt-header.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { chunkHead } from '../../runtime/protocol/nouns/messages.ts';
import type { Clock } from '../../runtime/turn/clock.ts';
import type { Shelf } from '../service/doors.ts';

/** Written before all else gets its turn: a millisecond or two of encryption. */
const BURST_BYTES = 1024 * 1024;
/** Parcels that are kept to be filled again; more come and go. */
const SPARE = 64;

/** What one client waits for. */
export interface Load {
  stream: Writable;
  /** Of its chunks. */
  topic: Bytes;
  hashes: Bytes[];
  /** Those before it have gone. */
  next: number;
  shelf: Shelf;
  /** In line, or with a parcel that has not left yet. */
  busy: boolean;
}

export class Courier {
  readonly #clock: Pick<Clock, 'soon'>;
  #line: Load[] = [];
  #scheduled = false;
  readonly #spare: Buffer[] = [];

  constructor(clock: Pick<Clock, 'soon'>) {
    this.#clock = clock;
  }

  /** False: more than anybody who reads would have waiting. */
  give(load: Load, hashes: Bytes[]): boolean {
    if (load.hashes.length - load.next + hashes.length > LIMITS.wantsWaiting) return false;
    load.hashes = load.next === load.hashes.length ? hashes : [...load.hashes.slice(load.next), ...hashes];
    load.next = 0;
    this.#queue(load);
    return true;
  }

  #queue(load: Load): void {
    if (load.busy || load.next === load.hashes.length || load.stream.destroyed) return;
    load.busy = true;
    this.#line.push(load);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#burst();
    });
  }

  #burst(): void {
    const line = this.#line;
    let [bytes, served] = [0, 0];
    while (served < line.length && bytes < BURST_BYTES) {
      const load = line[served++];
      if (load !== undefined) bytes += this.#hand(load);
    }
    this.#line = line.slice(served);
    if (this.#line.length > 0) this.#schedule();
  }

  #hand(load: Load): number {
    const parcel = this.#spare.pop() ?? Buffer.allocUnsafeSlow(LIMITS.packetBytes);
    const length = fill(parcel, load);
    load.stream.write(parcel.subarray(0, length), () => {
      if (this.#spare.length < SPARE) this.#spare.push(parcel);
      load.busy = false;
      this.#queue(load);
    });
    return length;
  }
}

/** At least one message, as one always fits. Answers with how long they are together. */
const fill = (parcel: Buffer, load: Load): number => {
  const { topic, hashes, shelf } = load;
  let end = 0;
  for (; load.next < hashes.length; load.next++) {
    const hash = hashes[load.next] ?? new Uint8Array();
    const bytes = shelf(hash);
    const head = chunkHead(hash, bytes?.length ?? null);
    const length = head.length + (bytes?.length ?? 0);
    if (end + publishBytes(topic, length, 0) > parcel.length) return end;
    end = writePublishHead(parcel, end, topic, length);
    parcel.set(head, end);
    end += head.length;
    if (bytes !== null) parcel.set(bytes, end);
    end += bytes?.length ?? 0;
  }
  return end;
};
