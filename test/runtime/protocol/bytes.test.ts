import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base32, base64, cut, fromBase32, fromBase64, fromHex, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { runs } from '../../support/properties.ts';

test('base64 is that of everybody else, and reads back (property)', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = base64(bytes);
      expect(text).toBe(Buffer.from(bytes).toString('base64'));
      expect(fromBase64(text)).toEqual(bytes);
    }),
    runs(300),
  );
});

test('UTF-8 is that of everybody else, whatever the text begins with and however long it is (property)', () => {
  const ascii = fc.string({ unit: 'binary-ascii', maxLength: 1100 });
  fc.assert(
    fc.property(ascii, fc.string({ unit: 'binary', maxLength: 3 }), (before, after) => {
      expect(hex(utf8(before + after))).toBe(hex(new TextEncoder().encode(before + after)));
    }),
    runs(300),
  );
});

test('hex is that of everybody else, of any length, and reads back; so does base32 (property)', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(hex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      expect(fromHex(hex(bytes))).toEqual(bytes);
      expect(base32(bytes)).toHaveLength(Math.ceil((bytes.length * 8) / 5));
      expect(fromBase32(base32(bytes))).toEqual(bytes);
    }),
    runs(300),
  );
  const long = Uint8Array.from({ length: 20_000 }, (_, i) => i);
  expect(hex(long)).toBe(Buffer.from(long).toString('hex'));
});

test.each(['A', 'AB', 'ABC', '====', 'A===', 'AB=C', 'AAA=A', 'AB==', 'AAB=', 'A*==', 'AA A', 'éAAA', 'ŁAAA', 'AAAA=', '-_AA'])(
  'what is not written so is refused: %s',
  (text) => {
    expect(() => fromBase64(text)).toThrow(expect.objectContaining({ code: 'bad-schema' }));
  },
);

test('a stretch cut out is a copy of its own, whatever else lies in its memory (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 1500 }), { maxLength: 20 }), fc.nat(40), (contents, skip) => {
      const stretches = contents.map((content) => {
        const from = Uint8Array.from(content);
        const start = Math.min(skip, from.length);
        const made = cut(from, start, from.length);
        from.fill(0);
        return { made, expected: hex(content.slice(start)) };
      });
      expect(stretches.map(({ made }) => hex(made))).toEqual(stretches.map(({ expected }) => expected));
      stretches.forEach(({ made }, i) => made.fill(i));
      stretches.forEach(({ made }, i) => expect(made.every((byte) => byte === i)).toBe(true));
    }),
    runs(100),
  );
});
