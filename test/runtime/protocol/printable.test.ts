import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../../../runtime/protocol/bytes.ts';
import { decode, encode } from '../../../runtime/protocol/cbor.ts';
import { beginning } from '../../../runtime/protocol/printable.ts';
import { runs } from '../../support/properties.ts';

test('the beginning of any text fits, is whole, and is all of it where there is room', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), fc.nat({ max: 100 }), (text, bytesMax) => {
      // What a program says is cut anywhere before it comes here.
      const said = text.slice(1);
      const cut = beginning(said, bytesMax);
      expect(utf8(cut).length).toBeLessThanOrEqual(bytesMax);
      expect(decode(encode(cut))).toBe(cut);
      const whole = said.toWellFormed();
      expect(whole.startsWith(cut)).toBe(true);
      if (utf8(whole).length <= bytesMax) expect(cut).toBe(whole);
      else expect(utf8(cut).length).toBeGreaterThan(bytesMax - 4);
    }),
    runs(500),
  );
});
