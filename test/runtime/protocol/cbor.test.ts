/** Deterministic CBOR: RFC 8949 appendix A, round trips, and everything that must be refused (docs/spec/encoding.md). */
import { Encoder } from 'cbor-x';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equal, fromHex, hex } from '../../../runtime/protocol/bytes.ts';
import { decode, decodeHeader, encode, encodeWithin, scan } from '../../../runtime/protocol/cbor.ts';
import { readPlain } from '../../../runtime/protocol/cbor-plain.ts';
import type { Value } from '../../../runtime/protocol/cbor-write.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';

const bytes = fromHex;
const refused = (of: string): string => {
  try {
    decode(bytes(of));
    return 'accepted';
  } catch (thrown) {
    return String(thrown);
  }
};

/** RFC 8949 appendix A in its order: what the profile takes, and what it must refuse. */
const ACCEPTED: [string, unknown][] = [
  ['00', 0],
  ['01', 1],
  ['0a', 10],
  ['17', 23],
  ['1818', 24],
  ['1819', 25],
  ['1864', 100],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1bffffffffffffffff', 18_446_744_073_709_551_615n],
  ['20', -1],
  ['29', -10],
  ['3863', -100],
  ['3903e7', -1000],
  ['f4', false],
  ['f5', true],
  ['f6', null],
  ['40', new Uint8Array(0)],
  ['4401020304', new Uint8Array([1, 2, 3, 4])],
  ['60', ''],
  ['6161', 'a'],
  ['6449455446', 'IETF'],
  ['62225c', '"\\'],
  ['62c3bc', 'ü'],
  ['63e6b0b4', '水'],
  ['64f0908591', '\u{10151}'],
  ['80', []],
  ['83010203', [1, 2, 3]],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  ['98190102030405060708090a0b0c0d0e0f101112131415161718181819', Array.from({ length: 25 }, (_, i) => i + 1)],
  ['a0', {}],
  ['a26161016162820203', { a: 1, b: [2, 3] }],
  ['826161a161626163', ['a', { b: 'c' }]],
  ['a56161614161626142616361436164614461656145', { a: 'A', b: 'B', c: 'C', d: 'D', e: 'E' }],
];

const REFUSED = {
  tag: [
    'c249010000000000000000',
    'c349010000000000000000',
    'c074323031332d30332d32315432303a30343a30305a',
    'c11a514b67b0',
    'c1fb41d452d9ec200000',
    'd74401020304',
    'd818456449455446',
    'd82076687474703a2f2f7777772e6578616d706c652e636f6d',
  ],
  'fit 64 bits': ['3bffffffffffffffff'],
  float: [
    'f90000',
    'f98000',
    'f93c00',
    'fb3ff199999999999a',
    'f93e00',
    'f97bff',
    'fa47c35000',
    'fa7f7fffff',
    'fb7e37e43c8800759c',
    'f90001',
    'f90400',
    'f9c400',
    'fbc010666666666666',
    'f97c00',
    'f97e00',
    'f9fc00',
    'fa7f800000',
    'fa7fc00000',
    'faff800000',
    'fb7ff0000000000000',
    'fb7ff8000000000000',
    'fbfff0000000000000',
    'f7',
    'f0',
    'f818',
    'f8ff',
  ],
  'key is not text': ['a201020304'],
  indefinite: [
    '5f42010243030405ff',
    '7f657374726561646d696e67ff',
    '9fff',
    '9f018202039f0405ffff',
    '9f01820203820405ff',
    '83018202039f0405ff',
    '83019f0203ff820405',
    '9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff',
    'bf61610161629f0203ffff',
    '826161bf61626163ff',
    'bf6346756ef563416d7421ff',
  ],
};

describe('RFC 8949 appendix A', () => {
  const refusals = Object.entries(REFUSED).flatMap(([why, items]) => items.map((item): [string, string] => [item, why]));

  test('has 82 vectors, of which the profile takes 35 and refuses 47', () => {
    const ran = new Set([...ACCEPTED, ...refusals].map(([item]) => item)).size;
    const accepted = ACCEPTED.filter(([item]) => refused(item) === 'accepted').length;
    const turned = refusals.filter(([item]) => refused(item) !== 'accepted').length;
    console.info(`RFC 8949 appendix A: ${ran} ran, ${accepted} accepted, ${turned} refused`);
    expect([ran, accepted, turned]).toEqual([82, 35, 47]);
  });

  test.each(ACCEPTED)('takes %s and writes it alike', (item, value) => {
    expect(decode(bytes(item))).toEqual(value);
    expect(hex(encode(value as Value))).toBe(item);
  });

  test.each(refusals)('refuses %s: %s', (item, why) => expect(refused(item)).toContain(why));

  test('takes integer keys in a COSE header only [encoding-3]', () => {
    expect(decodeHeader(bytes('a201020304'))).toEqual(
      new Map([
        [1, 2],
        [3, 4],
      ]),
    );
    expect(() => decodeHeader(bytes('a16161f5'))).toThrow('not an integer');
  });
});

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 60 }));
const integer = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }));
const reserved = ['__proto__', 'constructor', 'prototype'];
const key = fc.oneof(text, fc.string({ maxLength: 3 })).filter((name) => !reserved.includes(name));

const { value } = fc.letrec<{ value: Value; leaf: Value }>((tie) => ({
  leaf: fc.oneof(integer, text, fc.uint8Array({ maxLength: 60 }), fc.boolean(), fc.constant(null)),
  value: fc.oneof(
    { maxDepth: LIMITS.cborDepth - 1 },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 8 }),
    fc.dictionary(key, tie('value'), { maxKeys: 8 }),
  ),
}));

/** As decoded: BigInts that a number holds come back as numbers. */
const settled = (of: unknown): unknown => {
  if (typeof of === 'bigint') return Number.isSafeInteger(Number(of)) && BigInt(Number(of)) === of ? Number(of) : of;
  if (Array.isArray(of)) return of.map(settled);
  if (of === null || typeof of !== 'object' || of instanceof Uint8Array) return of === 0 ? 0 : of;
  return Object.fromEntries(Object.entries(of).map(([name, entry]) => [name, settled(entry)]));
};

/** cbor-x has no canonical mode: it is told the order of keys, and writes integers from 2^32 on as floats unless they are BigInts. */
const peer = new Encoder({ mapsAsObjects: false, useRecords: false, variableMapSize: true, tagUint8Array: false });
const forPeer = (of: Value): unknown => {
  if (typeof of === 'bigint' || typeof of === 'number') return of >= 2 ** 32 || of < -(2 ** 32) ? BigInt(of) : Number(of);
  if (Array.isArray(of)) return of.map(forPeer);
  if (of === null || typeof of !== 'object' || of instanceof Uint8Array || of instanceof Map) return of;
  const entries = Object.entries(of).map(([name, entry]) => ({ name, coded: Buffer.from(name), entry }));
  entries.sort((a, b) => a.coded.length - b.coded.length || Buffer.compare(a.coded, b.coded));
  return new Map(entries.map(({ name, entry }) => [name, forPeer(entry)]));
};

/** Deeper and with more items than a document may have. */
const { wild } = fc.letrec<{ wild: Value }>((tie) => ({
  wild: fc.oneof(
    { maxDepth: LIMITS.cborDepth + 2, depthSize: 'max' },
    fc.constantFrom<Value>(0, 'a', null),
    fc.array(tie('wild'), { maxLength: 2 }),
    fc.dictionary(key, tie('wild'), { maxKeys: 2 }),
  ),
}));
const verdict = (call: () => unknown): string => {
  try {
    call();
    return 'accepted';
  } catch (thrown) {
    return String(thrown);
  }
};

describe('what encode writes [encoding-1]', () => {
  test('is what cbor-x writes when all is laid out for it', () => {
    fc.assert(
      fc.property(value, (of) => {
        expect(hex(encode(of))).toBe(hex(peer.encode(forPeer(of))));
      }),
      { numRuns: 1000 },
    );
  });

  test('is the same after a value that was refused half-way', () => {
    expect(() => encode({ a: [1, 'x'.repeat(100), { b: 0.5 }] })).toThrow('bad-cbor');
    expect(hex(encode({ a: [1] }))).toBe('a161618101');
  });

  test('is within a limit what decode takes under that limit, and refused for the same reason', () => {
    let refusals = 0;
    fc.assert(
      fc.property(wild, fc.integer({ min: 1, max: 30 }), (of, itemsMax) => {
        const written = encode(of);
        const expected = verdict(() => decode(written, itemsMax));
        expect(verdict(() => encodeWithin(of, itemsMax)) === 'accepted').toBe(expected === 'accepted');
        if (expected === 'accepted') expect(hex(encodeWithin(of, itemsMax))).toBe(hex(written));
        else refusals++;
      }),
      { numRuns: 1000 },
    );
    expect(refusals).toBeGreaterThan(50);
    expect(() => encodeWithin(new Map([[1, 2]]))).toThrow('a map key is not text');
    expect(() => encodeWithin([0, 0], 2)).toThrow('more than 2 items');
  });

  test('has maps of many keys in order, too', () => {
    const names = Array.from({ length: 300 }, (_, i) => `${i % 7 === 0 ? 'ä' : 'k'}${(i * 7919) % 300}`);
    const of = Object.fromEntries(names.map((name, i) => [name, i]));
    expect(hex(encode(of))).toBe(hex(peer.encode(forPeer(of))));
    const ascii = Object.fromEntries(Object.entries(of).filter(([name]) => name.startsWith('k')));
    expect(hex(encode(ascii))).toBe(hex(peer.encode(forPeer(ascii))));
  });

  test('passes the scanner, decodes to the same and encodes to the same bytes', () => {
    fc.assert(
      fc.property(value, (of) => {
        const written = encode(of);
        scan(written);
        const back = decode(written);
        expect(back).toEqual(settled(of));
        expect(equal(encode(back as Value), written)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  // cbor-x guesses a text's header from its UTF-16 length and moves the text when the guess was short.
  test.each(['a', 'é', '水', '\u{10151}'])('has texts of %s with the shortest header at every length around a limit', (letter) => {
    const limits = [24, 32, 64, 256, 65_536];
    const counts = new Set(
      limits.flatMap((limit) => [1, 2, 3, 4].flatMap((width) => [-2, -1, 0, 1].map((off) => Math.floor(limit / width) + off))),
    );
    for (const count of counts) {
      const of = letter.repeat(count);
      const written = encode({ [of.slice(0, 300)]: of });
      scan(written);
      expect(decode(written)).toEqual({ [of.slice(0, 300)]: of });
    }
    expect(counts.size).toBeGreaterThan(50);
  });

  test('has keys in the order of their encoding, whatever the order they were given in', () => {
    expect(hex(encode({ bb: 1, b: 2, a: 3, ä: 4 }))).toBe('a4616103616202626262016' + '2c3a404');
    expect(hex(encode({ b: 1, a: 2 }))).toBe(hex(encode({ a: 2, b: 1 })));
    expect(
      hex(
        encode(
          new Map([
            [-1, 0],
            [16, 0],
            [-20, 0],
            [1, 0],
          ]),
        ),
      ),
    ).toBe('a4010010002000' + '3300');
  });

  test('writes times in milliseconds as integers, and leaves undefined out', () => {
    expect(hex(encode(1_700_000_000_000))).toBe('1b0000018bcfe56800');
    expect(hex(encode(2 ** 32))).toBe('1b0000000100000000');
    expect(hex(encode(2 ** 32 - 1))).toBe('1affffffff');
    expect(encode({ a: 1, b: undefined } as unknown as Value)).toEqual(encode({ a: 1 }));
  });

  test.each<[string, Value]>([
    ['a fraction', 0.5],
    ['nothing in a list', [undefined] as unknown as Value],
    ['a function', (() => 0) as unknown as Value],
    ['an unsafe integer', 2 ** 60],
    ['more than 64 bits', 2n ** 64n],
    ['less than 64 bits', -(2n ** 63n) - 1n],
    ['half a surrogate pair', 'a\ud800'],
    ['half a surrogate pair in a key', { '\udc00': 1 }],
    ...reserved.map((name): [string, Value] => [`a key ${name}`, Object.fromEntries([[name, 1]])]),
  ])('is never %s', (_name, of) => expect(() => encode(of)).toThrow('bad-cbor'));

  test('is a copy, and reading leaves the bytes as they are', () => {
    const written = encode([new Uint8Array([1, 2])]);
    const [inner] = decode(written) as [Uint8Array];
    written.fill(0);
    expect(inner).toEqual(new Uint8Array([1, 2]));
    const given = encode({ a: 1 });
    decode(given);
    expect(Object.keys(given)).toEqual(Object.keys(new Uint8Array(given.length)));
  });
});

describe('U+FEFF at the beginning of a text', () => {
  const MARK = '\ufeff';

  test('stays, however long the text is and wherever it stands', () => {
    for (const length of [1, 60, 61, 62, 63, 64, 65, 100, 70_000]) {
      const text = MARK + 'x'.repeat(length);
      const value = { a: text, b: [text, -1, 2n ** 63n, new Uint8Array([1]), { [text]: text }], c: null, d: true, e: [] };
      const written = encode(value);
      expect(decode(written)).toEqual(value);
      expect(hex(encode(decode(written) as Value))).toBe(hex(written));
    }
  });

  test('is read as all else is', () => {
    fc.assert(
      fc.property(value, (of) => {
        expect(readPlain(encode(of))).toEqual(decode(encode(of)));
      }),
      { numRuns: 300 },
    );
  });
});

describe('the scanner [encoding-2, encoding-5]', () => {
  test.each([
    ['nothing', '', 'ends too early'],
    ['a head that ends', '19', 'ends too early'],
    ['a head that ends in its argument', '1903', 'ends too early'],
    ['a text that ends', '6261', 'ends too early'],
    ['an array that ends', '8201', 'ends too early'],
    ['a length beyond any input', '5bffffffffffffffff', 'ends too early'],
    ['bytes after the end', '0000', 'follow after the end'],
    ['a long form of 23', '1817', 'shortest'],
    ['a long form of 255', '1900ff', 'shortest'],
    ['a long form of 65535', '1a0000ffff', 'shortest'],
    ['a long form of 2^32 − 1', '1b00000000ffffffff', 'shortest'],
    ['a long negative', '3817', 'shortest'],
    ['a long byte string', '580101', 'shortest'],
    ['a long text', '780161', 'shortest'],
    ['a long array', '980100', 'shortest'],
    ['a long map', 'b801616100', 'shortest'],
    ['reserved additional information', '1c', 'reserved'],
    ['a break', 'ff', 'indefinite'],
    ['a repeated key', 'a2616100616101', 'ascending'],
    ['keys out of order', 'a2616200616101', 'ascending'],
    ['a longer key first', 'a262616100616200', 'ascending'],
    ['a key of bytes', 'a1416100', 'not text'],
    ['a key that is an array', 'a18000', 'not text'],
    ['a key that is null', 'a1f600', 'not text'],
    ['a reserved key', `a169${Buffer.from('prototype').toString('hex')}00`, 'reserved word'],
    ['a lone continuation byte', '6180', 'UTF-8'],
    ['an overlong letter', '62c0af', 'UTF-8'],
    ['a surrogate', '63eda080', 'UTF-8'],
    ['undefined', 'f7', 'simple'],
    ['a simple value in two bytes', 'f814', 'simple'],
    ['less than 64 bits', '3b8000000000000000', 'fit 64 bits'],
  ])('refuses %s', (_name, item, why) => expect(refused(item)).toContain(why));

  test('says whether an integer is beyond what a number holds', () => {
    for (const of of [2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 32, 'x', [{ a: 1n << 52n }]]) expect(scan(encode(of))).toBe(false);
    for (const of of [2n ** 53n, -(2n ** 53n), [1, { a: [2n ** 64n - 1n] }, 2]]) expect(scan(encode(of))).toBe(true);
    expect(decode(encode({ a: 2n ** 63n, b: [2 ** 40, -(2 ** 40)], c: new Uint8Array(2) }))).toEqual({
      ...{ a: 2n ** 63n, b: [2 ** 40, -(2 ** 40)], c: new Uint8Array(2) },
    });
  });

  test('takes the least and the greatest integer', () => {
    expect(decode(bytes('3b7fffffffffffffff'))).toBe(-(2n ** 63n));
    expect(decode(bytes('1bffffffffffffffff'))).toBe(2n ** 64n - 1n);
    expect(decode(bytes('1b001fffffffffffff'))).toBe(Number.MAX_SAFE_INTEGER);
    expect(decode(bytes('1b0020000000000000'))).toBe(2n ** 53n);
  });

  test('keeps to the limits of depth and items, on both sides [encoding-4]', () => {
    const nest = (depth: number): string => `${'81'.repeat(depth)}00`;
    expect(refused(nest(LIMITS.cborDepth))).toBe('accepted');
    expect(refused(nest(LIMITS.cborDepth + 1))).toContain('deeper');
    expect(refused(nest(100_000))).toContain('deeper');
    const list = (length: number): Value => Array.from({ length }, () => 0);
    expect(() => scan(encode(list(LIMITS.cborItems - 1)))).not.toThrow();
    expect(() => scan(encode(list(LIMITS.cborItems)))).toThrow('items');
    expect(refused(`9a${(2 ** 31).toString(16)}`)).toContain('items');
    expect(decode(encode(list(LIMITS.cborItems)), LIMITS.cborItems + 1)).toHaveLength(LIMITS.cborItems);
  });

  test('lets nothing through that cbor-x alone would read otherwise', () => {
    const lax = new Encoder({ mapsAsObjects: false, useRecords: false, variableMapSize: true, tagUint8Array: false });
    let passed = 0;
    fc.assert(
      fc.property(value, fc.nat(), fc.nat({ max: 7 }), (of, at, bit) => {
        const written = encode(of);
        const mutated = written.map((byte, i) => (i === at % written.length ? byte ^ (1 << bit) : byte));
        try {
          scan(mutated);
        } catch (thrown) {
          expect(String(thrown)).toMatch(/^LichenError: bad-cbor/);
          return;
        }
        passed++;
        // Whatever passes has one meaning, and is the one encoding of it.
        expect(lax.decode(mutated)).toBeDefined();
        const read = hasReserved(mutated) ? null : decode(mutated);
        if (read !== null) expect(hex(encode(read as Value))).toBe(hex(mutated));
      }),
      { numRuns: 2000 },
    );
    expect(passed).toBeGreaterThan(100);
  });
});

function hasReserved(of: Uint8Array): boolean {
  const content = Buffer.from(of).toString('latin1');
  return reserved.some((name) => content.includes(name));
}
