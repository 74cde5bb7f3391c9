/** MQTT 3.1.1 by hand, for what no client library would send. */
import type { Duplex } from 'node:stream';

const text = (word: string): Buffer => {
  const bytes = Buffer.from(word);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
};

const lengthOf = (bytes: number): number[] => (bytes < 128 ? [bytes] : [(bytes & 127) | 128, ...lengthOf(bytes >> 7)]);

/** A fixed header that announces so many bytes. */
export const header = (first: number, bytes: number): Buffer => Buffer.from([first, ...lengthOf(bytes)]);

const packet = (first: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([header(first, body.length), body]);
};

/** QoS 1 */
export const publish = (topic: string, payload: Uint8Array, first = 0x32): Buffer =>
  packet(first, text(topic), Buffer.from([0x7f, 0x01]), Buffer.from(payload));

export const subscribe = (topic: string): Buffer => packet(0x82, Buffer.from([0x7f, 0x02]), text(topic), Buffer.from([1]));

/** SUBACK of `subscribe` with one return code. */
export const suback = (code: number): Buffer => Buffer.from([0x90, 3, 0x7f, 0x02, code]);

/** All that has come since, once it holds `wanted`; rejects when the stream ends before. */
export const untilHeard = (stream: Duplex, wanted: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    let all = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      all = Buffer.concat([all, chunk]);
      if (all.includes(wanted)) resolve();
    });
    stream.once('close', () => reject(new Error(`closed after ${all.toString('hex')}`)));
  });

export const closed = (stream: Duplex): Promise<void> =>
  new Promise((resolve) => (stream.closed ? resolve() : stream.once('close', resolve)));
