import fc from 'fast-check';
import { expect, test } from 'vitest';
import { base64, fromBase64 } from '../../../runtime/protocol/bytes.ts';
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

test.each(['A', 'AB', 'ABC', '====', 'A===', 'AB=C', 'AAA=A', 'AB==', 'AAB=', 'A*==', 'AA A', 'éAAA', 'ŁAAA', 'AAAA=', '-_AA'])(
  'what is not written so is refused: %s',
  (text) => {
    expect(() => fromBase64(text)).toThrow(expect.objectContaining({ code: 'bad-schema' }));
  },
);
