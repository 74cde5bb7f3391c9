/** What a board makes of a release's pages. That pages are what they say is asked of protocol/pages. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunksOf, FileList, fileKey, findPlaces, placed } from '../../../runtime/core/content.ts';
import { type Target, Targets } from '../../../runtime/core/targets.ts';
import { type Bytes, hex } from '../../../runtime/protocol/bytes.ts';
import { encodeAs } from '../../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, type Place, pageSchema } from '../../../runtime/protocol/nouns/release.ts';
import { entriesOf } from '../../../runtime/protocol/pages.ts';
import { filesOf } from '../../support/files-of.ts';
import { runs } from '../../support/properties.ts';

const hashOf = (n: number): Bytes => new Uint8Array(32).fill(n);
const chunk = (n: number, bytes: number): ChunkRef => [hashOf(n), bytes];
const file = (path: string, n: number, chunks: ChunkRef[], changes: { bytes?: number; executable?: boolean } = {}): Entry => ({
  ...{ kind: 'file', path, executable: false, hash: hashOf(n), bytes: chunks.reduce((sum, [, bytes]) => sum + bytes, 0), chunks },
  ...changes,
});
const more = (path: string, chunks: ChunkRef[]): Entry => ({ kind: 'more', path, chunks });
const manifest = (entries: number, bytes: number): Manifest => ({
  ...{
    v: 1,
    publisher: 'a'.repeat(32) as Manifest['publisher'],
    recipe: 'r',
    label: '1',
    sequence: 1,
    arch: 'any',
    pages: [],
    entries,
    bytes,
  },
  ...{
    args: ['/a'],
    env: {},
    engine: 'none',
    parameters: {},
    promises: [],
    demands: 'dev',
    limits: { memoryMib: 1, cpuMillis: 1, pids: 1, tmpMib: 0 },
  },
});
const pagesOf = (...pages: Entry[][]): Bytes[] => pages.map((entries) => encodeAs(pageSchema, { v: 1, entries }, 'page'));
const refusal = (code: string) => expect.objectContaining({ code });

describe('the entries of all pages', () => {
  test('are taken in order when they are what the manifest promised', () => {
    const entries = [
      { kind: 'dir', path: 'bin' } as const,
      file('bin/a', 1, [chunk(9, 4)]),
      { kind: 'link', path: 'b', target: 'bin/a' } as const,
    ];
    expect(entriesOf(manifest(3, 4), pagesOf(entries.slice(0, 1), entries.slice(1)))).toEqual(entries);
  });

  test.each<[string, number, number]>([
    ['one entry more', 2, 4],
    ['one entry less', 0, 4],
    ['another size', 1, 5],
  ])('are refused when the manifest promised %s', (_what, entries, bytes) => {
    expect(() => entriesOf(manifest(entries, bytes), pagesOf([file('a', 1, [chunk(9, 4)])]))).toThrow(refusal('bad-schema'));
  });

  test('are refused when a file has more or less in its chunks than it says', () => {
    const lying = (bytes: number): Bytes[] => pagesOf([file('a', 1, [chunk(9, 4)], { bytes })]);
    for (const bytes of [0, 3, 5]) expect(() => entriesOf(manifest(1, bytes), lying(bytes))).toThrow(refusal('bad-schema'));
  });

  test('are refused when a tree comes apart over two pages', () => {
    expect(() => entriesOf(manifest(2, 8), pagesOf([file('a', 1, [chunk(9, 4)])], [file('a', 2, [chunk(8, 4)])]))).toThrow(
      refusal('bad-path'),
    );
    expect(() => entriesOf(manifest(1, 4), pagesOf([file('a', 1, [chunk(9, 4)])], [more('b', [chunk(8, 4)])]))).toThrow(
      refusal('bad-path'),
    );
  });
});

describe('the files of a release', () => {
  test('carry on over their continuations', () => {
    const files = filesOf([
      file('a', 1, [chunk(2, 3)], { bytes: 12 }),
      more('a', [chunk(3, 4)]),
      more('a', [chunk(4, 5)]),
      file('b', 2, [chunk(5, 1)]),
    ]);
    expect(files.map(({ bytes, pieces }) => [bytes, [...pieces].length])).toEqual([
      [12, 3],
      [1, 1],
    ]);
  });

  test('are each content once, and twice when it is to be executable too', () => {
    const again = [file('a', 1, [chunk(2, 3)]), file('b', 1, [chunk(2, 3)]), file('c', 1, [chunk(2, 3)], { executable: true })];
    expect(filesOf(again).map(({ file: ref }) => fileKey(ref))).toEqual([
      fileKey({ hash: hashOf(1), executable: false }),
      fileKey({ hash: hashOf(1), executable: true }),
    ]);
  });

  test('do not take the continuation of one that is held for their own', () => {
    const again = [
      file('a', 1, [chunk(2, 3)], { bytes: 5 }),
      more('a', [chunk(3, 2)]),
      file('b', 1, [chunk(2, 3)], { bytes: 5 }),
      more('b', [chunk(3, 2)]),
    ];
    expect(filesOf(again).map(({ pieces }) => [...pieces].length)).toEqual([2]);
    expect(filesOf([file('a', 1, [chunk(2, 3)]), { kind: 'dir', path: 'd' }]).map(({ pieces }) => [...pieces].length)).toEqual([1]);
  });

  test('have nothing of a page that was read in vain', () => {
    const list = new FileList(1);
    const [wrong = new Uint8Array(), right = new Uint8Array()] = pagesOf(
      [file('a', 1, [chunk(2, 3), chunk(3, 3)])],
      [file('b', 4, [chunk(5, 6)])],
    );
    expect(() => list.entriesIn(wrong.with(-1, 0xff))).toThrow(refusal('bad-cbor'));
    for (const entry of list.entriesIn(right)) list.take(entry);
    expect(list.files().map(({ file: ref, pieces }) => [ref.hash[0], ...[...pieces].map((piece) => piece.chunk)])).toEqual([
      [4, chunk(5, 6)],
    ]);
  });

  test('are refused when one content is said to have two lengths', () => {
    expect(() => filesOf([file('a', 1, [chunk(2, 3)]), file('b', 1, [chunk(2, 300)])])).toThrow(refusal('bad-schema'));
    expect(() => filesOf([file('a', 1, [chunk(2, 3)]), file('b', 4, [chunk(2, 4)])])).toThrow(refusal('bad-schema'));
  });
});

/** Each chunk with its places, in the order in which they are asked for. */
const placesIn = (targets: Targets): [string, Target[]][] =>
  targets.numbers.map((chunk) => [targets.keyOf(chunk), targets.placesOf(targets.hashOf(chunk))]);

describe('what has to be fetched', () => {
  const files = filesOf([file('a', 1, [chunk(2, 3)]), file('b', 2, [chunk(3, 4), chunk(4, 5), chunk(3, 4)]), file('empty', 3, [])]);

  test('are the pieces that are nowhere here, a chunk once for all its places', () => {
    const jigsaws = files.slice(1);
    const [b] = jigsaws;
    expect(jigsaws.map(({ pieces }) => [...pieces].map(({ offset }) => offset))).toEqual([[0, 4, 9], []]);
    const at = (offset: number) => ({ file: b!.file, offset });
    expect(placesIn(new Targets(jigsaws, []))).toEqual([]);
    expect(placesIn(new Targets(jigsaws, [at(0), at(4), at(9)]))).toEqual([
      [
        hex(hashOf(3)),
        [
          { ...at(0), bytes: 13, chunkBytes: 4 },
          { ...at(9), bytes: 13, chunkBytes: 4 },
        ],
      ],
      [hex(hashOf(4)), [{ ...at(4), bytes: 13, chunkBytes: 5 }]],
    ]);
    expect(placesIn(new Targets(jigsaws, [at(9)]))).toEqual([[hex(hashOf(3)), [{ ...at(9), bytes: 13, chunkBytes: 4 }]]]);
  });

  test('are found again by their hashes, and nothing else is', () => {
    const [b] = files.slice(1);
    const targets = new Targets(
      files,
      [0, 4, 9].map((offset) => ({ file: b!.file, offset })),
    );
    expect(targets.numbers).toEqual([0, 1]);
    expect([3, 4, 2].map((n) => targets.numberOf(hashOf(n)))).toEqual([0, 1, null]);
    expect([0, 1].map((chunk) => [targets.keyOf(chunk), targets.lengthOf(chunk)])).toEqual([
      [hex(hashOf(3)), 4],
      [hex(hashOf(4)), 5],
    ]);
    expect(targets.placesOf(hashOf(2))).toEqual([]);
  });

  test('is looked for in other files, and each piece says where it may lie', () => {
    const places = new Map<string, Place>();
    const b = files[1]!.file;
    findPlaces(files, chunksOf(filesOf([file('w', 8, [chunk(3, 4), chunk(4, 5), chunk(7, 1)])])), places);
    expect(places).toEqual(
      new Map([
        [hex(hashOf(3)), { file: b, offset: 0 }],
        [hex(hashOf(4)), { file: b, offset: 4 }],
      ]),
    );
    const newer = filesOf([file('n', 9, [chunk(7, 1), chunk(4, 5)])]);
    expect([...placed(newer, places)[0]!.pieces].map(({ offset, chunk: ref, from }) => ({ offset, chunk: ref, from }))).toEqual([
      { offset: 0, chunk: chunk(7, 1), from: null },
      { offset: 1, chunk: chunk(4, 5), from: { file: b, offset: 4 } },
    ]);
  });

  test('covers each missing file from its first byte to its last, without gap or overlap (property)', () => {
    const chunks = fc.array(fc.nat(255), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(chunks, { maxLength: 5 }), (given) => {
        const jigsaws = filesOf(
          given.map((refs, i) =>
            file(
              `f${i}`,
              i,
              refs.map((n) => chunk(n, 1 + n * 257)),
            ),
          ),
        );
        const empty = jigsaws.flatMap(({ file: ref, pieces }) => [...pieces].map(({ offset }) => ({ file: ref, offset })));
        const targets = placesIn(new Targets(jigsaws, empty)).flatMap(([, places]) => places);
        for (const { file: ref, bytes } of jigsaws) {
          let at = 0;
          for (const target of targets.filter((one) => fileKey(one.file) === fileKey(ref)).sort((a, b) => a.offset - b.offset)) {
            expect(target.offset).toBe(at);
            at += target.chunkBytes;
          }
          expect(at).toBe(bytes);
        }
      }),
      runs(50),
    );
  });
});
