/** Content-defined chunks: whole, bounded, stable under edits, and the same on every machine and in every version. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { type Bytes, concat } from '../../../runtime/protocol/bytes.ts';
import { CHUNK_BOUNDS, chunksOf, gearFrom } from '../../../runtime/protocol/chunk.ts';

const gear = gearFrom(nodeCrypto);
const hexOf = (bytes: Bytes): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that look random and are the same each time: G. Marsaglia, Xorshift RNGs, 2003. */
const noise = (seed: number, length: number): Bytes => {
  let state = (seed + 1) * 0x9e3779b1;
  return Uint8Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 16;
  });
};

/** Lines of text with much repetition, as programs have. */
const prose = (seed: number, lines: number): Bytes => {
  const out: string[] = [];
  for (let at = 0; at < lines; at++) {
    out.push(`  const value${(at * 7919 + seed) % 1000} = await store.get('${(at * 104_729 + seed) % 9973}');\n`);
  }
  return new Uint8Array(Buffer.from(out.join('')));
};

const content = fc.oneof(
  fc.uint8Array({ maxLength: 10_000 }),
  fc.tuple(fc.nat(1000), fc.nat(300_000)).map(([seed, length]) => noise(seed, length)),
  fc.tuple(fc.nat(1000), fc.nat(4000)).map(([seed, lines]) => prose(seed, lines)),
  fc.tuple(fc.nat(255), fc.nat(300_000)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
);

describe('chunks', () => {
  test('put together are the content, and each is within its bounds', () => {
    fc.assert(
      fc.property(content, (bytes) => {
        const chunks = chunksOf(bytes, gear);
        expect(Buffer.compare(concat(...chunks), bytes)).toBe(0);
        for (const [at, { length }] of chunks.entries()) {
          expect(length).toBeLessThanOrEqual(CHUNK_BOUNDS.maxBytes);
          expect(length).toBeGreaterThanOrEqual(at === chunks.length - 1 ? 1 : CHUNK_BOUNDS.minBytes);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('of nothing are none', () => expect(chunksOf(new Uint8Array(), gear)).toEqual([]));

  test('depend on nothing but what is in them and behind: a tail cut at a boundary is cut as before', () => {
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(20), (seed, skip) => {
        const bytes = noise(seed, 600_000);
        const chunks = chunksOf(bytes, gear);
        const kept = chunks.slice(Math.min(skip, chunks.length - 1));
        const tail = bytes.subarray(bytes.length - kept.reduce((sum, { length }) => sum + length, 0));
        expect(chunksOf(tail, gear)).toEqual(kept);
      }),
      { numRuns: 10 },
    );
  });

  const edits = fc.record({
    seed: fc.nat(1000),
    at: fc.nat(50_000),
    insert: fc.uint8Array({ minLength: 1, maxLength: 200 }),
    cut: fc.nat(200),
  });
  test.each([
    ['noise', (seed: number) => noise(seed, 500_000)],
    ['prose', (seed: number) => prose(seed, 10_000)],
  ])('of %s are mostly the same after an edit near the start', (_name, make) => {
    fc.assert(
      fc.property(edits, ({ seed, at, insert, cut }) => {
        const before = make(seed);
        const after = concat(before.subarray(0, at), insert, before.subarray(at + cut));
        const known = new Set(chunksOf(before, gear).map(hexOf));
        const changed = chunksOf(after, gear).filter((chunk) => !known.has(hexOf(chunk)));
        const resent = changed.reduce((sum, { length }) => sum + length, 0);
        expect(resent).toBeLessThan(200_000);
      }),
      { numRuns: 10 },
    );
  });

  test('have about the size that is aimed at', () => {
    const lengths = chunksOf(noise(7, 8 * 1024 * 1024), gear).map(({ length }) => length);
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    expect(mean).toBeGreaterThan(0.95 * CHUNK_BOUNDS.meanBytes);
    expect(mean).toBeLessThan(1.1 * CHUNK_BOUNDS.meanBytes);
    // Normalisation is there to make the largest rare: a cut at the maximum is not content-defined.
    expect(lengths.filter((length) => length === CHUNK_BOUNDS.maxBytes).length / lengths.length).toBeLessThan(0.01);
  });

  test('are cut where they were cut in the first version', () => {
    expect(hexOf(new Uint8Array(gear.buffer))).toBe('5adc8794558eb8ad7c0c5f5e55da1b90976c36cdf1d7902d3c637f0aa1860aa6');
    expect(chunksOf(noise(1, 200_000), gear).map(({ length }) => length)).toEqual([
      19779, 17410, 33649, 24897, 21385, 20462, 13366, 15602, 21480, 11970,
    ]);
    expect(chunksOf(prose(1, 3000), gear).map(({ length }) => length)).toEqual([16168, 18541, 25233, 14599, 19475, 20043, 12639, 4612]);
  });
});
