/** Index pages: within their limit, complete, in order, and mostly shared between two releases that differ a little. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { pagesOf, splitLong } from '../../../recipes/builder/pages.ts';
import { nodeCrypto } from '../../../runtime/adapters/crypto.ts';
import { type Bytes, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs } from '../../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { checkTree } from '../../../runtime/protocol/path.ts';

const hashOf = (text: string): Bytes => nodeCrypto.sha256(utf8(text));
const chunksOf = (path: string, count: number): ChunkRef[] =>
  Array.from({ length: count }, (_, at) => [hashOf(`${path} ${at}`), LIMITS.chunkMaxBytes]);
const file = (path: string, chunks: number | ChunkRef[]): Entry => {
  const refs = typeof chunks === 'number' ? chunksOf(path, chunks) : chunks;
  return { kind: 'file', path, executable: false, bytes: refs.length * LIMITS.chunkMaxBytes, hash: hashOf(path), chunks: refs };
};
const read = (pages: Bytes[]): Entry[] => pages.flatMap((page) => decodeAs(pageSchema, page, 'page').entries);

describe('pages', () => {
  test('hold every entry once, in order, within their limit', () => {
    const name = fc.stringMatching(/^[a-z]{1,60}$/);
    const entry = fc.oneof(
      fc.tuple(name, fc.nat(3000)).map(([path, chunks]) => file(path, chunks)),
      name.map((path): Entry => ({ kind: 'dir', path })),
      fc.tuple(name, name).map(([path, target]): Entry => ({ kind: 'link', path, target })),
    );
    fc.assert(
      fc.property(fc.uniqueArray(entry, { maxLength: 30, selector: ({ path }) => path }), (entries) => {
        const split = splitLong(entries);
        const pages = pagesOf(nodeCrypto, split);
        for (const page of pages) expect(page.length).toBeLessThanOrEqual(LIMITS.pageBytes);
        expect(read(pages)).toEqual(split);
        checkTree(split);
        for (const whole of entries) {
          if (whole.kind !== 'file') continue;
          const parts = split.filter(({ path }) => path === whole.path);
          expect(parts.flatMap((part) => ('chunks' in part ? part.chunks : []))).toEqual(whole.chunks);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('of nothing are none', () => expect(pagesOf(nodeCrypto, [])).toEqual([]));

  test('fit even with the longest paths', () => {
    const entries = Array.from({ length: 400 }, (_, at) => file(`${String(at).padStart(4, '0')}${'p'.repeat(LIMITS.pathBytes - 4)}`, 1));
    const pages = pagesOf(nodeCrypto, entries);
    expect(Math.max(...pages.map(({ length }) => length))).toBeLessThanOrEqual(LIMITS.pageBytes);
    expect(read(pages)).toHaveLength(400);
  });

  test('are filled to the last byte and never past it', () => {
    // No page ends before a continuation with this chunk unless it is full, and each length of a path moves the end by a byte.
    const longest = Array.from({ length: 64 }, (_, length) => {
      const path = 'p'.repeat(length + 1);
      const [, ...rest] = Array.from({ length: 1200 }, (): Entry => ({ kind: 'more', path, chunks: chunksOf('same', 1) }));
      return Math.max(...pagesOf(nodeCrypto, [file(path, 1), ...rest]).map(({ length: bytes }) => bytes));
    });
    expect(Math.max(...longest)).toBeLessThanOrEqual(LIMITS.pageBytes);
    expect(Math.max(...longest)).toBeGreaterThan(LIMITS.pageBytes - 4);
  });

  test('with one more file among thousands are almost all the same', () => {
    const paths = Array.from({ length: 4000 }, (_, at) => `usr/share/${hex(hashOf(String(at))).slice(0, 12)}`).sort();
    const before = new Set(
      pagesOf(
        nodeCrypto,
        paths.map((path) => file(path, 1)),
      ).map((page) => hex(nodeCrypto.sha256(page))),
    );
    const more = [...paths, 'usr/share/000'].sort();
    const after = pagesOf(
      nodeCrypto,
      more.map((path) => file(path, 1)),
    ).map((page) => hex(nodeCrypto.sha256(page)));
    expect(before.size).toBeGreaterThan(10);
    expect(after.filter((page) => !before.has(page)).length).toBeLessThanOrEqual(2);
  });

  test('of a long file with one more chunk in it are almost all the same', () => {
    const chunks = chunksOf('long', 8000);
    const hashes = (refs: ChunkRef[]): string[] =>
      pagesOf(nodeCrypto, splitLong([file('long', refs)])).map((page) => hex(nodeCrypto.sha256(page)));
    const before = new Set(hashes(chunks));
    expect(before.size).toBeGreaterThan(20);
    for (const at of [1000, 4000, 7000]) {
      const after = hashes([...chunks.slice(0, at), [hashOf(`new ${at}`), 5000], ...chunks.slice(at)]);
      // The first page says how long the file is.
      expect(after.filter((page) => !before.has(page)).length).toBeLessThanOrEqual(4);
    }
  });

  test('are packed tighter when there would be too many, and refused when they are full', () => {
    // Three entries of 512 chunks make a page of 60 KiB; two are past the half, where a page may end.
    const chunks = chunksOf('same', 512);
    const big = (files: number) => Array.from({ length: files }, (_, at) => file(`f${String(at).padStart(5, '0')}`, chunks));
    expect(pagesOf(nodeCrypto, big(3 * LIMITS.pages))).toHaveLength(LIMITS.pages);
    expect(() => pagesOf(nodeCrypto, big(3 * LIMITS.pages + 1))).toThrow(LichenError);
  });
});
