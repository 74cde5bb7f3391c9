/** The header scanner and the guard by themselves: however a stream is cut, the same is let through and the same refused. */
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Guard } from '../../../gateway/broker/guard.ts';
import { HeaderScanner, publishBytes } from '../../../runtime/adapters/mqtt-header.ts';
import type { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { connect, PINGREQ, publish, remainingLength, subscribe } from './packets.ts';

const cut = (bytes: Buffer, sizes: number[]): Buffer[] => {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % Math.max(1, sizes.length)] ?? 1);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
};

/** The code of the first error, with how many bytes had been shown by then. */
const verdict = (pieces: Buffer[]): { code: string | null; shown: number } => {
  const scanner = new HeaderScanner('client');
  let shown = 0;
  for (const piece of pieces) {
    shown += piece.length;
    const error = scanner.scan(piece);
    if (error !== null) return { code: error.code, shown };
  }
  return { code: null, shown };
};

const good = fc.oneof(
  fc.constant(PINGREQ),
  fc.constant(connect({ clientId: 'a' })),
  fc.constant(subscribe([['a/b', 1]])),
  fc.integer({ min: 0, max: LIMITS.packetBytes - 16 }).map((size) => publish('a/b', Buffer.alloc(size, 0xff))),
  fc.integer({ min: 0, max: 300 }).map((size) => publish('a/b', Buffer.alloc(size, 0x30), { qos: 1, id: 9 })),
);
const bad = fc.constantFrom(
  Buffer.from([0x00, 0]),
  Buffer.from([0x20, 0]),
  Buffer.from([0x34, 0]),
  Buffer.from([0x36, 0]),
  Buffer.from([0x31, 0]),
  Buffer.from([0x80, 0]),
  Buffer.from([0xc1, 0]),
  Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f]),
  Buffer.concat([Buffer.from([0x30]), remainingLength(LIMITS.packetBytes)]),
  Buffer.concat([Buffer.from([0x10]), remainingLength(LIMITS.packetBeforeConnectBytes)]),
);
const sizes = fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 8 });

describe('the header scanner', () => {
  test('lets every good packet through, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(good, { maxLength: 5 }), sizes, (packets, cuts) => {
        expect(verdict(cut(Buffer.concat(packets), cuts)).code).toBeNull();
      }),
      { numRuns: 200 },
    );
  });

  test('refuses a bad one wherever it stands, and at the same byte when cut byte by byte', () => {
    fc.assert(
      fc.property(fc.array(good, { maxLength: 3 }), bad, sizes, (packets, last, cuts) => {
        const stream = Buffer.concat([...packets, last]);
        const bySingles = verdict(cut(stream, [1]));
        expect(bySingles.code).not.toBeNull();
        expect(bySingles.shown).toBeGreaterThan(stream.length - last.length);
        expect(verdict(cut(stream, cuts)).code).toBe(bySingles.code);
      }),
      { numRuns: 100 },
    );
  });

  test('the limits are exact', () => {
    const header = (first: number, total: number) => {
      const lengthBytes = total - 2 < 128 ? 1 : total - 3 < 16_384 ? 2 : 3;
      return Buffer.concat([Buffer.from([first]), remainingLength(total - 1 - lengthBytes)]);
    };
    expect(verdict([header(0x30, LIMITS.packetBytes)]).code).toBeNull();
    expect(verdict([header(0x30, LIMITS.packetBytes + 1)]).code).toBe('too-large');
    expect(verdict([header(0x82, LIMITS.packetBeforeConnectBytes)]).code).toBeNull();
    expect(verdict([header(0x82, LIMITS.packetBeforeConnectBytes + 1)]).code).toBe('too-large');
  });

  test('a PUBLISH is as long as it is said to be', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('a', 'lichen/1/b/x/y'),
        fc.integer({ min: 0, max: 20_000 }),
        fc.constantFrom<(0 | 1)[]>(0, 1),
        (topic, bytes, qos) => {
          expect(publishBytes(topic, bytes, qos)).toBe(publish(topic, Buffer.alloc(bytes), { qos }).length);
        },
      ),
    );
    expect(publishBytes('a', 2_100_000, 1)).toBe(publish('a', Buffer.alloc(2_100_000), { qos: 1 }).length);
  });

  test('each end refuses what only the other may send', () => {
    const server = new HeaderScanner('server');
    expect(server.scan(Buffer.from([0xd0, 0, 0x20, 2, 0, 0, 0x30, 0]))).toBeNull();
    expect(new HeaderScanner('server').scan(PINGREQ)?.code).toBe('bad-packet');
    expect(new HeaderScanner('client').scan(Buffer.from([0xd0, 0]))?.code).toBe('bad-packet');
  });
});

describe('the guard', () => {
  const guarded = () => {
    const [near, far] = duplexPair();
    const errors: LichenError[] = [];
    return { far, errors, guard: new Guard(near, (error) => errors.push(error)) };
  };

  test('passes bytes both ways unchanged, and ends with its socket', async () => {
    const { guard, far, errors } = guarded();
    guard.accept();
    const sent = Buffer.concat([
      connect({ clientId: 'a' }),
      ...Array.from({ length: 40 }, (_, at) => publish('a', Buffer.alloc(5000, at))),
    ]);
    for (const piece of cut(sent, [7, 1000, 13_337])) far.write(piece);
    const got: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of guard) {
      got.push(chunk);
      bytes += chunk.length;
      if (bytes === sent.length) break;
    }
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    expect(errors).toEqual([]);
    expect(guard.destroyed).toBe(true);
  });

  test('takes no more than one chunk while nobody reads', async () => {
    const { guard, far } = guarded();
    guard.accept();
    const chunk = publish('a', Buffer.alloc(60_000));
    let taken = 0;
    for (let i = 0; i < 50; i++) far.write(chunk, () => taken++);
    await new Promise((resolve) => setImmediate(resolve));
    guard.read(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(guard.readableLength).toBeLessThanOrEqual(2 * chunk.length);
    expect(taken).toBeLessThan(5);
  });

  test('several writes of one tick leave together', async () => {
    const { guard, far } = guarded();
    const chunks: Buffer[] = [];
    far.on('data', (chunk: Buffer) => chunks.push(chunk));
    guard.cork();
    for (const byte of [1, 2, 3, 4, 5]) guard.write(Buffer.from([byte]));
    process.nextTick(() => guard.uncork());
    await new Promise((resolve) => setImmediate(resolve));
    expect(Buffer.concat(chunks)).toEqual(Buffer.from([1, 2, 3, 4, 5]));
  });

  test('after a refusal nothing more comes out', async () => {
    const { guard, far, errors } = guarded();
    const got: Buffer[] = [];
    guard.on('data', (chunk: Buffer) => got.push(chunk));
    const closed = new Promise((resolve) => guard.once('close', resolve));
    far.write(PINGREQ);
    far.write(Buffer.from([0x00, 0x00]));
    far.write(PINGREQ);
    await closed;
    expect(errors.map(({ code }) => code)).toEqual(['bad-packet']);
    expect(Buffer.concat(got)).toEqual(PINGREQ);
  });
});
