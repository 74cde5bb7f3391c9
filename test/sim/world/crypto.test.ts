/** The stand-in refuses what real signatures refuse, and its hash tells contents apart. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { standInKeys } from '../../../sim/world/crypto.ts';
import { mix } from '../../../sim/world/mix.ts';
import { runs } from '../../support/properties.ts';

const seed = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const content = fc.uint8Array({ maxLength: 300 });

/** The same with one bit of one byte turned. */
const turned = (bytes: Uint8Array, at: number): Uint8Array => {
  const out = bytes.slice();
  const place = at % out.length;
  out[place] = (out[place] ?? 0) ^ (1 << (at % 8));
  return out;
};

describe('a signature of the stand-in', () => {
  const { crypto, signer } = standInKeys();
  const [one, other] = [signer(seed(1)), signer(seed(2))];

  test('holds for its message and its key, for whoever has the same seed, and for nothing else (property)', () => {
    fc.assert(
      fc.property(content, fc.nat(10_000), (message, at) => {
        const signature = one.sign(message);
        expect(signature).toHaveLength(64);
        expect(signer(seed(1)).sign(message)).toEqual(signature);
        expect(crypto.verify(one.publicKey, message, signature)).toBe(true);
        expect(crypto.verify(other.publicKey, message, signature)).toBe(false);
        expect(crypto.verify(one.publicKey, message, turned(signature, at))).toBe(false);
        expect(crypto.verify(one.publicKey, Uint8Array.of(...message, 0), signature)).toBe(false);
        if (message.length > 0) expect(crypto.verify(one.publicKey, turned(message, at), signature)).toBe(false);
      }),
      runs(200),
    );
  });

  test('is not to be had from what is public', () => {
    const message = seed(7);
    expect(hex(one.sign(message)).slice(0, 64)).not.toBe(hex(crypto.sha256(message)));
    expect(crypto.verify(one.publicKey, message, Uint8Array.of(...mix(one.publicKey), ...mix(message)))).toBe(false);
    expect(crypto.verify(seed(9), message, one.sign(message))).toBe(false);
  });
});

describe('the hash', () => {
  test('of two contents that differ in one bit has about half of its bits in common (property)', () => {
    const bits = (a: Uint8Array, b: Uint8Array): number =>
      a.reduce((sum, byte, i) => sum + [...(byte ^ (b[i] ?? 0)).toString(2)].filter((bit) => bit === '1').length, 0);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(10_000), (bytes, at) => {
        const differs = bits(mix(bytes), mix(turned(bytes, at)));
        expect(differs).toBeGreaterThan(70);
        expect(differs).toBeLessThan(186);
      }),
      runs(500),
    );
  });

  test('tells apart what differs in a counter, and what differs in length alone', () => {
    const seen = new Set<string>();
    for (let i = 0; i < 50_000; i++) {
      const bytes = new Uint8Array(64);
      new DataView(bytes.buffer).setUint32(4 * (i % 16), i + 1);
      seen.add(hex(mix(bytes)).slice(0, 16));
    }
    for (let length = 0; length < 300; length++) seen.add(hex(mix(new Uint8Array(length))).slice(0, 16));
    expect(seen.size).toBe(50_300);
  });
});
