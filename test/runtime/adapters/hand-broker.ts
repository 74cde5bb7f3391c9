/** A gateway by hand, that answers a board as a test wants it to: rightly, wrongly, or not at all. */
import type { Duplex } from 'node:stream';
import type { Identity } from '../../../runtime/adapters/certificate.ts';
import { type Listening, listen } from '../../../runtime/adapters/tls.ts';

const TYPE = { connect: 1, publish: 3, subscribe: 8, ping: 12 } as const;

export class HandBroker {
  readonly streams: Duplex[] = [];
  /** Types of the packets that came, in order. */
  readonly heard: number[] = [];
  onConnect = (stream: Duplex): void => void stream.write(Buffer.from([0x20, 2, 0, 0]));
  onPing = (stream: Duplex): void => void stream.write(Buffer.from([0xd0, 0]));
  /** Granted, for each topic. */
  grant: number | null = 1;
  #listening: Listening | null = null;

  static async open(identity: Identity): Promise<HandBroker> {
    const broker = new HandBroker();
    const limits = { handshakeMs: 10_000, socketsMax: 100, admit: () => true, failed: () => {} };
    broker.#listening = await listen({ host: '127.0.0.1', port: 0, identity, ...limits, arrived: ({ stream }) => broker.#arrived(stream) });
    return broker;
  }

  get address(): string {
    return `127.0.0.1:${this.#listening?.port}`;
  }

  async close(): Promise<void> {
    await this.#listening?.close();
  }

  #arrived(stream: Duplex): void {
    this.streams.push(stream);
    let rest = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const end = packetEnd(rest);
        if (end === null) return;
        this.#packet(stream, rest.subarray(0, end));
        rest = rest.subarray(end);
      }
    });
  }

  #packet(stream: Duplex, packet: Buffer): void {
    const type = packet.readUInt8(0) >> 4;
    this.heard.push(type);
    if (type === TYPE.connect) this.onConnect(stream);
    if (type === TYPE.ping) this.onPing(stream);
    if (type === TYPE.publish && (packet.readUInt8(0) & 6) !== 0) stream.write(Buffer.concat([Buffer.from([0x40, 2]), packetId(packet)]));
    if (type === TYPE.subscribe && this.grant !== null) {
      const granted = topicsOf(packet).map(() => this.grant ?? 0);
      const body = packet.length > 129 ? 3 : 2;
      stream.write(Buffer.from([0x90, 2 + granted.length, packet.readUInt8(body), packet.readUInt8(body + 1), ...granted]));
    }
  }
}

/** Of a PUBLISH at QoS 1: it stands behind the topic. */
const packetId = (publish: Buffer): Buffer => {
  const head = publish.length > 16_386 ? 4 : publish.length > 129 ? 3 : 2;
  const at = head + 2 + publish.readUInt16BE(head);
  return publish.subarray(at, at + 2);
};

const packetEnd = (bytes: Buffer): number | null => {
  let [length, at] = [0, 1];
  for (; at < bytes.length && at < 5; at++) {
    const byte = bytes.readUInt8(at);
    length += (byte & 127) * 128 ** (at - 1);
    if (byte < 128) return bytes.length >= at + 1 + length ? at + 1 + length : null;
  }
  return null;
};

export const topicsOf = (subscribe: Buffer): string[] => {
  const topics: string[] = [];
  for (let at = (subscribe.length > 129 ? 3 : 2) + 2; at < subscribe.length; ) {
    const length = subscribe.readUInt16BE(at);
    topics.push(subscribe.subarray(at + 2, at + 2 + length).toString());
    at += 2 + length + 1;
  }
  return topics;
};
