/** Content that goes out: whole, in order, to each in turn, and never in front of all else. */
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { parser } from 'mqtt-packet';
import { describe, expect, test } from 'vitest';
import { Courier, type Load } from '../../../gateway/broker/courier.ts';
import { publishBytes, writePublishHead } from '../../../runtime/adapters/mqtt-header.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs } from '../../../runtime/protocol/noun.ts';
import { CHUNK_BYTES, chunk, chunkHead } from '../../../runtime/protocol/nouns/messages.ts';
import { runs } from '../../support/properties.ts';

const ADDRESS = 'lichen/1/b/somebody/chunk';
const BURST_BYTES = 1024 * 1024;
const hashOf = (nth: number): Bytes => new Uint8Array(32).fill(nth);

/** What was put off, one step at a time. */
class Steps {
  readonly left: (() => void)[] = [];
  soon = (call: () => void): void => void this.left.push(call);

  step(): void {
    for (const call of this.left.splice(0)) call();
  }
}

/** A client's stream: what was written to it, taken only when the test says so. */
class Client {
  readonly parcels: Buffer[] = [];
  #taken: () => void = () => {};
  readonly load: Load;

  constructor(shelf: Load['shelf']) {
    const stream = new Writable({
      // As the kernel would: what was handed over may be used again by whoever handed it over.
      write: (parcel: Buffer, _encoding, done) => {
        this.parcels.push(Buffer.from(parcel));
        this.#taken = done;
      },
    });
    this.load = { stream, topic: utf8(ADDRESS), hashes: [], next: 0, shelf, busy: false };
  }

  async take(): Promise<void> {
    const taken = this.#taken;
    this.#taken = () => {};
    taken();
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Of all messages, which hash, and how many bytes of what; null: not here. */
  get heard(): [hash: number, bytes: number | null][] {
    const out: [number, number | null][] = [];
    const reader = parser({ protocolVersion: 4 });
    reader.on('packet', (packet) => {
      if (packet.cmd !== 'publish' || packet.topic !== ADDRESS || packet.qos !== 0) throw new Error('not a message of content');
      const { hash, bytes } = decodeAs(chunk, new Uint8Array(packet.payload as Buffer), 'chunk');
      expect(bytes?.every((byte) => byte === hash[0]) ?? true).toBe(true);
      out.push([hash[0] ?? -1, bytes?.length ?? null]);
    });
    for (const parcel of this.parcels) reader.parse(parcel);
    return out;
  }
}

/** Pieces of so many bytes, each of its own; one buffer is lent for all. */
const shelfOf = (bytes: (nth: number) => number | null): Load['shelf'] => {
  const lent = new Uint8Array(CHUNK_BYTES);
  return (hash) => {
    const length = bytes(hash[0] ?? 0);
    return length === null ? null : lent.fill(hash[0] ?? 0).subarray(0, length);
  };
};

describe('a message', () => {
  test('is that which the codec would write, and its packet that of MQTT (property)', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const length = fc.oneof(fc.constant(null), fc.nat(300), fc.nat(CHUNK_BYTES));
    fc.assert(
      fc.property(hash, length, fc.stringMatching(/^[a-z/]{1,200}$/), (of, count, address) => {
        const bytes = count === null ? null : new Uint8Array(count).fill(7);
        const whole = encodeAs(chunk, { v: 1, hash: of, bytes }, 'chunk');
        const head = chunkHead(of, count);
        expect(hex(head)).toBe(hex(whole.subarray(0, head.length)));
        expect(head.length + (count ?? 0)).toBe(whole.length);
        const packet = new Uint8Array(publishBytes(address, whole.length, 0));
        packet.set(whole, writePublishHead(packet, 0, utf8(address), whole.length));
        const reader = parser({ protocolVersion: 4 });
        const packets: unknown[] = [];
        reader.on('packet', (packet) => packets.push(packet));
        reader.parse(Buffer.from(packet));
        expect(packets).toMatchObject([{ cmd: 'publish', topic: address, qos: 0, retain: false, dup: false }]);
      }),
      runs(100),
    );
  });
});

describe('a client [delivery-9]', () => {
  test('gets everything it asked for, in order, and is told what is not here', async () => {
    const steps = new Steps();
    const courier = new Courier(steps);
    const client = new Client(shelfOf((nth) => (nth % 5 === 0 ? null : nth * 300)));
    const asked = Array.from({ length: 100 }, (_, nth) => nth);
    expect(courier.give(client.load, asked.slice(0, 60).map(hashOf))).toBe(true);
    steps.step();
    expect(courier.give(client.load, asked.slice(60).map(hashOf))).toBe(true);
    for (let i = 0; i < 100; i++) {
      await client.take();
      steps.step();
    }
    expect(client.heard).toEqual(asked.map((nth) => [nth, nth % 5 === 0 ? null : nth * 300]));
    for (const parcel of client.parcels) expect(parcel.length).toBeLessThanOrEqual(LIMITS.packetBytes);
    expect(client.parcels.length).toBeLessThan(20);
  });

  test('is handed the largest piece that there may be', async () => {
    const [steps, client] = [new Steps(), new Client(shelfOf(() => CHUNK_BYTES))];
    new Courier(steps).give(client.load, [hashOf(1), hashOf(2)]);
    steps.step();
    await client.take();
    steps.step();
    expect(client.heard).toEqual([
      [1, CHUNK_BYTES],
      [2, CHUNK_BYTES],
    ]);
  });

  test('who does not read has one parcel under way, and holds up nobody', async () => {
    const [steps, shelf] = [new Steps(), shelfOf(() => 16_384)];
    const courier = new Courier(steps);
    const [frozen, other] = [new Client(shelf), new Client(shelf)];
    for (const client of [frozen, other])
      courier.give(
        client.load,
        Array.from({ length: 60 }, (_, nth) => hashOf(nth)),
      );
    for (let i = 0; i < 20; i++) {
      steps.step();
      await other.take();
    }
    expect(frozen.parcels.length).toBe(1);
    expect(other.heard.length).toBe(60);
    await frozen.take();
    steps.step();
    expect(frozen.parcels.length).toBe(2);
  });

  test('may have so many pieces waiting, and no more', () => {
    const [steps, client] = [new Steps(), new Client(() => null)];
    const courier = new Courier(steps);
    const some = Array.from({ length: LIMITS.wantHashes }, (_, nth) => hashOf(nth));
    for (let at = 0; at < LIMITS.wantsWaiting; at += some.length) expect(courier.give(client.load, some)).toBe(true);
    expect(courier.give(client.load, [hashOf(1)])).toBe(false);
    // With those that were given room comes back.
    steps.step();
    expect(courier.give(client.load, [hashOf(1)])).toBe(true);
  });

  test('whose connection is gone is given nothing, and others go on', async () => {
    const [steps, shelf] = [new Steps(), shelfOf(() => 16_384)];
    const courier = new Courier(steps);
    const [gone, other] = [new Client(shelf), new Client(shelf)];
    courier.give(
      gone.load,
      Array.from({ length: 60 }, () => hashOf(1)),
    );
    courier.give(
      other.load,
      Array.from({ length: 10 }, () => hashOf(2)),
    );
    gone.load.stream.on('error', () => {});
    gone.load.stream.destroy();
    for (let i = 0; i < 10; i++) {
      steps.step();
      await other.take();
    }
    expect(other.heard.length).toBe(10);
    expect(courier.give(gone.load, [hashOf(1)])).toBe(true);
    expect(gone.parcels).toEqual([]);
  });
});

test('after so many bytes all else goes first, and everybody gets a parcel before anybody gets two', async () => {
  const [steps, shelf] = [new Steps(), shelfOf(() => 16_384)];
  const courier = new Courier(steps);
  const clients = Array.from({ length: 40 }, () => new Client(shelf));
  for (const client of clients)
    courier.give(
      client.load,
      Array.from({ length: 30 }, (_, nth) => hashOf(nth)),
    );
  const written = (): number => clients.reduce((total, { parcels }) => total + parcels.reduce((sum, { length }) => sum + length, 0), 0);
  let before = 0;
  while (clients.some(({ parcels }) => parcels.length === 0)) {
    steps.step();
    expect(written() - before).toBeGreaterThan(0);
    expect(written() - before).toBeLessThanOrEqual(BURST_BYTES + LIMITS.packetBytes);
    before = written();
    await clients[0]?.take();
    expect(Math.max(...clients.map(({ parcels }) => parcels.length))).toBe(1);
  }
});
