/**
 * Fixed headers of MQTT 3.1.1 (OASIS 2014, §2.2), read as they pass: type, flags, remaining length. Neither aedes nor
 * mqtt.js limits a packet before it has buffered all of it (150 MB were seen for a client that had not even said
 * CONNECT), so both ends put this in front. It also holds the line that Lichen draws through MQTT: QoS 0 and 1, no
 * retained messages, only packets that this direction knows.
 */
import type { Bytes } from '../protocol/bytes.ts';
import { LichenError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';

export const PACKET = { publish: 3, disconnect: 14 } as const;

/** Who sends what, §2.2.1, without the packets of QoS 2; each with the flags it must have, §2.2.2 (null: PUBLISH's own). */
const FLAGS: Record<Sender, Record<number, number | null>> = {
  client: { 1: 0, 3: null, 4: 0, 8: 2, 10: 2, 12: 0, 14: 0 },
  server: { 2: 0, 3: null, 4: 0, 9: 0, 11: 0, 13: 0 },
};
const QOS_2 = 0b0100;
const RETAIN = 0b0001;
const LENGTH_BYTES_MAX = 4;

/** All of a PUBLISH: fixed header, topic (or its address in ASCII), packet identifier, payload (§3.3). */
export const publishBytes = (address: string | Bytes, payloadBytes: number, qos: 0 | 1): number => {
  const body = 2 + address.length + (qos === 0 ? 0 : 2) + payloadBytes;
  const lengthBytes = body < 128 ? 1 : body < 128 ** 2 ? 2 : body < 128 ** 3 ? 3 : 4;
  return 1 + lengthBytes + body;
};

/** Writes what stands before the payload of a PUBLISH of QoS 0 (§3.3), and answers with where that begins. */
export const writePublishHead = (out: Bytes, from: number, topic: Bytes, payloadBytes: number): number => {
  let at = from;
  out[at++] = PACKET.publish << 4;
  let left = 2 + topic.length + payloadBytes;
  for (; left >= 128; left >>= 7) out[at++] = (left & 127) | 128;
  out[at++] = left;
  out[at++] = topic.length >> 8;
  out[at++] = topic.length & 255;
  out.set(topic, at);
  return at + topic.length;
};

export type Sender = 'client' | 'server';

export class HeaderScanner {
  readonly #sender: Sender;
  /** All of a PUBLISH; other packets never need more than `packetBeforeConnectBytes`. */
  publishBytesMax: number = LIMITS.packetBytes;
  /** Type of the packet read last. */
  last = 0;
  #first: number | null = null;
  #lengthBytes = 0;
  #length = 0;
  #bodyLeft = 0;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** Reads on over any piece of the stream. An error means that the stream has to end: `too-large`, `bad-packet`. */
  scan(chunk: Bytes): LichenError | null {
    let at = 0;
    while (at < chunk.length) {
      if (this.#bodyLeft > 0) {
        const skipped = Math.min(this.#bodyLeft, chunk.length - at);
        this.#bodyLeft -= skipped;
        at += skipped;
        continue;
      }
      const byte = chunk[at++] ?? 0;
      const error = this.#first === null ? this.#begin(byte) : this.#readLength(this.#first, byte);
      if (error !== null) return error;
    }
    return null;
  }

  #begin(byte: number): LichenError | null {
    this.#first = byte;
    this.#length = 0;
    this.#lengthBytes = 0;
    const [type, flags] = [byte >> 4, byte & 15];
    const expected = FLAGS[this.#sender][type];
    if (expected === undefined) return new LichenError('bad-packet', `packet type ${type} is not for a ${this.#sender} to send`);
    if (expected !== null) return flags === expected ? null : new LichenError('bad-packet', `packet type ${type} with flags ${flags}`);
    if ((flags & QOS_2) !== 0) return new LichenError('bad-packet', 'a message of QoS 2');
    return (flags & RETAIN) !== 0 ? new LichenError('bad-packet', 'a retained message') : null;
  }

  /** Seven bits a byte, lowest first, §2.2.3; a longer form than needed is refused. */
  #readLength(first: number, byte: number): LichenError | null {
    this.#length += (byte & 127) * 128 ** this.#lengthBytes;
    this.#lengthBytes++;
    if (byte >= 128) {
      return this.#lengthBytes < LENGTH_BYTES_MAX ? null : new LichenError('bad-packet', 'a remaining length of more than four bytes');
    }
    if (byte === 0 && this.#lengthBytes > 1) return new LichenError('bad-packet', 'a remaining length that is not in its shortest form');
    const type = first >> 4;
    const total = 1 + this.#lengthBytes + this.#length;
    const max = type === PACKET.publish ? this.publishBytesMax : LIMITS.packetBeforeConnectBytes;
    if (total > max) return new LichenError('too-large', `an MQTT packet of ${total} bytes; at most ${max} are allowed here`);
    this.last = type;
    this.#first = null;
    this.#bodyLeft = this.#length;
    return null;
  }
}
