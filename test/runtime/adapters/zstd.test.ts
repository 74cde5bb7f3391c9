/** Packed content: what a stranger's frame may not do, and what packing may not change. */
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { packZstd, unpackZstd } from '../../../runtime/adapters/zstd.ts';
import { type Bytes, concat } from '../../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { contentIn, mayBePacked } from '../../../runtime/protocol/packing.ts';
import { runs } from '../../support/properties.ts';

const MAX = LIMITS.chunkMaxBytes;
const frameOf = (bytes: Bytes, params: Record<number, number> = {}): Bytes => new Uint8Array(zstdCompressSync(bytes, { params }));
const inside = (of: Bytes, came: Bytes, max = MAX): Bytes | null => contentIn(nodeCrypto, unpackZstd, nodeCrypto.sha256(of), came, max);

describe('content', () => {
  test('is the same, packed or not, and packed only where that saves something (property)', () => {
    const texts = fc.array(fc.constantFrom('const ', 'function ', '=> ', '0', '\n'), { maxLength: 2000 }).map((words) => words.join(''));
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      texts.map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(content, (bytes) => {
        const packed = packZstd(bytes);
        expect(packed.length).toBeLessThanOrEqual(bytes.length);
        expect(inside(bytes, packed)).toEqual(bytes);
        expect(inside(bytes, bytes)).toEqual(bytes);
      }),
      runs(100),
    );
  });

  test('of the longest kind fits, and one byte more does not', () => {
    const longest = new Uint8Array(MAX).fill(7);
    expect(inside(longest, frameOf(longest))).toEqual(longest);
    const longer = new Uint8Array(MAX + 1).fill(7);
    expect(inside(longer, frameOf(longer))).toBeNull();
  });

  test('that is itself a frame stays one [encoding-18]', () => {
    const frame = frameOf(new Uint8Array(5000).fill(3));
    expect(mayBePacked(frame)).toBe(true);
    expect(inside(frame, frame)).toEqual(frame);
    const twice = frameOf(frame);
    expect(inside(frame, twice)).toEqual(frame);
  });

  test('is not taken from what holds another one, is cut short, is turned over, or is nothing', () => {
    const bytes = new TextEncoder().encode('leaves of lichen '.repeat(300));
    const packed = packZstd(bytes);
    expect(inside(new Uint8Array(1), packed)).toBeNull();
    for (let cut = 0; cut < packed.length; cut++) expect(inside(bytes, packed.subarray(0, cut))).toBeNull();
    for (let at = 0; at < packed.length; at++) {
      const turned = packed.with(at, packed[at]! ^ 0x55);
      const found = inside(bytes, turned);
      if (found !== null) expect(found).toEqual(bytes);
    }
    expect(inside(bytes, new Uint8Array())).toBeNull();
  });
});

describe('a frame', () => {
  test('with anything before or behind it is none, and so are two', () => {
    const bytes = new TextEncoder().encode('leaves of lichen '.repeat(300));
    const packed = packZstd(bytes);
    for (const more of [new Uint8Array(1), new Uint8Array(60_000), packed]) {
      expect(inside(bytes, concat(packed, more))).toBeNull();
      expect(inside(bytes, concat(more, packed))).toBeNull();
    }
  });

  test('is known for one whatever wrote it, and of whichever content (property)', () => {
    const params = fc.record({ level: fc.constantFrom(-5, 1, 3, 12, 19), checks: fc.nat(1), sized: fc.nat(1) });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.tuple(fc.nat(255), fc.nat(65_536)).map(([byte, n]) => new Uint8Array(n).fill(byte)),
    );
    fc.assert(
      fc.property(bytes, params, (content, { level, checks, sized }) => {
        const frame = frameOf(content, {
          ...{ [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: checks },
          ...{ [constants.ZSTD_c_contentSizeFlag]: sized, [constants.ZSTD_c_windowLog]: 16 },
        });
        expect(mayBePacked(frame)).toBe(true);
        expect(inside(content, frame)).toEqual(content);
      }),
      runs(100),
    );
  });

  test('of gigabytes is given up at the limit, in little memory', () => {
    // 1 GiB of zeros in frames one after the other, and in one frame that names its size.
    const million = frameOf(new Uint8Array(1 << 20));
    const bomb = concat(...Array.from({ length: 1024 }, () => million));
    const before = process.memoryUsage.rss();
    expect(unpackZstd(bomb, MAX)).toBeNull();
    expect(unpackZstd(frameOf(new Uint8Array(64 << 20)), MAX)).toBeNull();
    expect(process.memoryUsage.rss() - before).toBeLessThan(160 << 20);
  });

  test('that could not be looked at is no false one: what is amiss here is not laid to who sent it', async () => {
    // As on a Node that has no zstd.
    vi.resetModules();
    vi.doMock('node:zlib', async (importOriginal) => ({ ...(await importOriginal<object>()), zstdDecompressSync: undefined }));
    try {
      const { unpackZstd: unpack } = await import('../../../runtime/adapters/zstd.ts');
      expect(() => unpack(frameOf(new Uint8Array(5000)), MAX)).toThrow(TypeError);
    } finally {
      vi.doUnmock('node:zlib');
    }
  });

  test('that wants a window larger than any content is refused before it gets one', () => {
    const wide = frameOf(new Uint8Array(200_000), { [constants.ZSTD_c_windowLog]: 20, [constants.ZSTD_c_contentSizeFlag]: 0 });
    expect(unpackZstd(wide, MAX)).toBeNull();
  });
});
