import { describe, expect, test } from 'vitest';
import { chanceFrom } from '../../../sim/world/chance.ts';
import { standInKeys } from '../../../sim/world/crypto.ts';
import { startTrace } from '../../../sim/world/trace.ts';

const draws = (seed: string): number[] => {
  const chance = chanceFrom(seed);
  return Array.from({ length: 1000 }, () => chance.below(1000));
};

describe('chance', () => {
  test('is the same for the same seed and another for another', () => {
    expect(draws('a')).toEqual(draws('a'));
    expect(draws('a')).not.toEqual(draws('b'));
  });

  test('of one purpose does not depend on how much another draws', () => {
    const [one, other] = [chanceFrom('s'), chanceFrom('s')];
    for (let i = 0; i < 100; i++) other.unit();
    expect(one.fork('x').bytes(40)).toEqual(other.fork('x').bytes(40));
    expect(one.fork('x').bytes(40)).not.toEqual(one.fork('y').bytes(40));
  });

  test('is spread evenly: a chi-squared of 10 buckets over 10,000 draws stays within its 99.99 % bound', () => {
    const chance = chanceFrom('spread');
    const buckets = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) buckets[chance.below(10)]!++;
    expect(buckets.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(33.72);
  });

  test('keeps its bounds', () => {
    const chance = chanceFrom('bounds');
    const drawn = Array.from({ length: 2000 }, () => chance.between(-2, 2));
    expect([...new Set(drawn)].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    expect(drawn.every(Number.isSafeInteger)).toBe(true);
    expect(Array.from({ length: 100 }, () => chance.bool(0)).includes(true)).toBe(false);
    expect(Array.from({ length: 100 }, () => chance.bool(1000)).includes(false)).toBe(false);
  });
});

describe('the stand-in for signatures refuses', () => {
  const keys = standInKeys();
  const [signer, other] = [keys.signer(new Uint8Array(32)), keys.signer(new Uint8Array(32).fill(1))];
  const message = new TextEncoder().encode('a message');
  const signature = signer.sign(message);
  const changed = (bytes: Uint8Array, at: number): Uint8Array => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

  test('nothing that is well signed', () => {
    expect(keys.crypto.verify(signer.publicKey, message, signature)).toBe(true);
    expect(signature.length).toBe(64);
  });

  test.each([
    ['another message', signer.publicKey, changed(message, 3), signature],
    ['another key', other.publicKey, message, signature],
    ['a key that nobody holds', changed(signer.publicKey, 0), message, signature],
    ['a signature changed in its first half', signer.publicKey, message, changed(signature, 0)],
    ['or in its second', signer.publicKey, message, changed(signature, 63)],
    ['a signature cut short', signer.publicKey, message, signature.subarray(0, 32)],
    ['what can be made of all that is public', signer.publicKey, message, keys.signer(signer.publicKey).sign(message)],
  ])('%s', (_what, key, text, made) => {
    expect(keys.crypto.verify(key, text, made)).toBe(false);
  });
});

describe('a trace', () => {
  const hashOf = (...notes: [string, ...Uint8Array[]][]): string => {
    const trace = startTrace();
    for (const [what, ...bytes] of notes) trace.note(what, ...bytes);
    return trace.hash();
  };
  const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);

  test('tells apart what differs in one byte, its order or its borders', () => {
    const all = [
      hashOf(['a', bytes(3)], ['b', bytes(4)]),
      hashOf(['b', bytes(4)], ['a', bytes(3)]),
      hashOf(['a', bytes(4)], ['b', bytes(3)]),
      hashOf(['a', bytes(3)], ['b', bytes(4).fill(8, 3)]),
      hashOf(['a', bytes(3), bytes(4)], ['b']),
      hashOf(['a', bytes(3)]),
    ];
    expect(new Set(all).size).toBe(all.length);
  });

  test('is the same for the same, over many of its blocks', () => {
    const long = (last: number): string => hashOf(['x', bytes(65_530)], ['y', bytes(200_000)], ['z', bytes(10), bytes(last)]);
    expect(long(5)).toBe(long(5));
    expect(long(5)).not.toBe(long(6));
    expect(hashOf(['y', bytes(200_000)])).not.toBe(hashOf(['y', bytes(199_999).fill(7)]));
  });
});
