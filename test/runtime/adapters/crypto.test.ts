/** The crypto door against another implementation (tweetnacl), against vectors that nobody here wrote, and where both would be wrong. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { isWeakKey, nodeCrypto, signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import { fromHex, hex } from '../../../runtime/protocol/bytes.ts';

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const message = fc.uint8Array({ maxLength: 300 });
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

const toNumber = (bytes: Uint8Array): bigint => BigInt(`0x${hex(Uint8Array.from(bytes).reverse())}`);
const fromNumber = (value: bigint): Uint8Array => fromHex(value.toString(16).padStart(64, '0')).reverse();

describe('signing and verifying', () => {
  test("keys and signatures are tweetnacl's, byte for byte, and each accepts the other's", () => {
    fc.assert(
      fc.property(seed, message, (bytes, text) => {
        const signer = signerFromSeed(bytes);
        const pair = nacl.sign.keyPair.fromSeed(bytes);
        expect(signer.publicKey).toEqual(pair.publicKey);
        const signature = signer.sign(text);
        expect(signature).toEqual(nacl.sign.detached(text, pair.secretKey));
        expect(nodeCrypto.verify(pair.publicKey, text, signature)).toBe(true);
        expect(nacl.sign.detached.verify(text, signature, signer.publicKey)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  test('one flipped bit anywhere in key, message or signature is refused', () => {
    fc.assert(
      fc.property(seed, fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.nat(), fc.constantFrom(0, 1, 2), (bytes, text, bit, which) => {
        const signer = signerFromSeed(bytes);
        const parts = [signer.publicKey, text, signer.sign(text)].map((part) => Uint8Array.from(part));
        const part = parts[which]!;
        const at = bit % (8 * part.length);
        part[at >> 3] = part[at >> 3]! ^ (1 << (at & 7));
        expect(nodeCrypto.verify(parts[0]!, parts[1]!, parts[2]!)).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  test('S and S + L are not both good: a signature has one form', () => {
    const signer = signerFromSeed(new Uint8Array(32).fill(3));
    const text = Uint8Array.of(1, 2, 3);
    const signature = signer.sign(text);
    const s = toNumber(signature.subarray(32));
    const malleable = Uint8Array.from([...signature.subarray(0, 32), ...fromNumber(s + L)]);
    expect(nacl.sign.detached.verify(text, malleable, signer.publicKey)).toBe(true);
    expect(nodeCrypto.verify(signer.publicKey, text, malleable)).toBe(false);
    expect(nodeCrypto.verify(signer.publicKey, text, signature)).toBe(true);
  });

  test('wrong lengths are refused, not thrown', () => {
    const signer = signerFromSeed(new Uint8Array(32).fill(3));
    const signature = signer.sign(new Uint8Array(0));
    for (const length of [0, 31, 33, 64]) expect(nodeCrypto.verify(new Uint8Array(length), new Uint8Array(0), signature)).toBe(false);
    for (const length of [0, 32, 63, 65])
      expect(nodeCrypto.verify(signer.publicKey, new Uint8Array(0), new Uint8Array(length))).toBe(false);
    expect(() => signerFromSeed(new Uint8Array(31))).toThrow('weak-key');
  });

  test('more keys than are kept imported', () => {
    const text = Uint8Array.of(7);
    const signers = Array.from({ length: 2100 }, (_, at) =>
      signerFromSeed(Uint8Array.from({ length: 32 }, (_byte, i) => (i < 2 ? at >> (8 * i) : 1))),
    );
    const signatures = signers.map((signer) => signer.sign(text));
    for (const round of [0, 1]) {
      const wrong = signers.filter((signer, at) => !nodeCrypto.verify(signer.publicKey, text, signatures[(at + round) % signers.length]!));
      expect(wrong).toHaveLength(round === 0 ? 0 : signers.length);
    }
  });

  test('a key that is changed after use is not found under its former name', () => {
    const signer = signerFromSeed(new Uint8Array(32).fill(4));
    const key = Uint8Array.from(signer.publicKey);
    const text = Uint8Array.of(1);
    expect(nodeCrypto.verify(key, text, signer.sign(text))).toBe(true);
    key.set(signerFromSeed(new Uint8Array(32).fill(5)).publicKey);
    expect(nodeCrypto.verify(key, text, signer.sign(text))).toBe(false);
  });
});

describe('weak keys', () => {
  const p = 2n ** 255n - 19n;
  /** From the group's own law rather than from a list: y of the points of order 1, 2, 4 and 8. */
  const power = (base: bigint, exponent: bigint): bigint => {
    let [result, square] = [1n, base % p];
    for (let rest = exponent; rest > 0n; rest >>= 1n) {
      if (rest & 1n) result = (result * square) % p;
      square = (square * square) % p;
    }
    return result;
  };
  const root = (value: bigint): bigint | null => {
    const candidate = power(value, (p + 3n) / 8n);
    for (const one of [candidate, (candidate * power(2n, (p - 1n) / 4n)) % p]) if ((one * one) % p === ((value % p) + p) % p) return one;
    return null;
  };
  const d = (((-121665n * power(121666n, p - 2n)) % p) + p) % p;
  // Doubling a point of order 8 gives one with y = 0: x² = −y², and on the curve d·y⁴ + 2·y² − 1 = 0.
  const inverse = power(d, p - 2n);
  const inner = root(1n + d)!;
  const orderEight = [inner - 1n, -inner - 1n].flatMap((sum) => {
    const y = root((((sum * inverse) % p) + p) % p);
    return y === null ? [] : [y, p - y];
  });
  const small = [0n, 1n, p - 1n, p, p + 1n, ...orderEight];
  const encodings = small.flatMap((y) => [y, y | (1n << 255n)]).map(fromNumber);

  test('all 14 small-order encodings are refused, and no signature under them verifies', () => {
    expect(new Set(encodings.map(hex)).size).toBe(14);
    for (const key of encodings) {
      expect(isWeakKey(key)).toBe(true);
      // R = the key itself or the identity, S = 0: what a forger tries.
      for (const r of [key, fromNumber(1n)]) {
        const forged = Uint8Array.from([...r, ...new Uint8Array(32)]);
        for (let i = 0; i < 8; i++) expect(nodeCrypto.verify(key, Uint8Array.of(i), forged)).toBe(false);
      }
    }
  });

  test('tweetnacl takes some of these forgeries, so the check is not idle', () => {
    const forged = Uint8Array.from([...fromNumber(1n), ...new Uint8Array(32)]);
    expect(nacl.sign.detached.verify(Uint8Array.of(1), forged, fromNumber(1n))).toBe(true);
  });

  test('y ≥ p is refused in every one of its 38 encodings; keys of signers are not', () => {
    for (let y = p; y < 2n ** 255n; y++) for (const sign of [0n, 1n << 255n]) expect(isWeakKey(fromNumber(y | sign))).toBe(true);
    expect(isWeakKey(fromNumber(p - 2n))).toBe(false);
    fc.assert(
      fc.property(seed, (bytes) => !isWeakKey(signerFromSeed(bytes).publicKey)),
      { numRuns: 50 },
    );
    for (const length of [0, 31, 33]) expect(isWeakKey(new Uint8Array(length))).toBe(true);
  });
});

test('sha256 is SHA-256, as plain bytes that share nothing', () => {
  expect(hex(nodeCrypto.sha256(new TextEncoder().encode('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  const hash = nodeCrypto.sha256(Uint8Array.of(1, 2, 3).subarray(1));
  expect(hash).toEqual(nodeCrypto.sha256(Uint8Array.of(2, 3)));
  expect(Object.getPrototypeOf(hash)).toBe(Uint8Array.prototype);
});

const vectors = v.object({
  numberOfTests: v.number(),
  testGroups: v.array(
    v.object({
      publicKey: v.object({ pk: v.string() }),
      tests: v.array(v.object({ tcId: v.number(), msg: v.string(), sig: v.string(), result: v.picklist(['valid', 'invalid']) })),
    }),
  ),
});

describe('Wycheproof', () => {
  const directory = process.env.LICHEN_VECTORS;
  const path = directory === undefined ? '' : join(directory, 'wycheproof-ed25519.json');

  test.runIf(directory !== undefined)('all 151 Ed25519 cases', () => {
    expect(existsSync(path), `${path} is missing`).toBe(true);
    const file = v.parse(vectors, JSON.parse(readFileSync(path, 'utf8')));
    const wrong: number[] = [];
    let [ran, accepted] = [0, 0];
    for (const { publicKey, tests } of file.testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        const verified = nodeCrypto.verify(fromHex(publicKey.pk), fromHex(msg), fromHex(sig));
        ran++;
        if (verified) accepted++;
        if (verified !== (result === 'valid')) wrong.push(tcId);
      }
    }
    console.log(`Wycheproof Ed25519: ${ran} ran, ${accepted} accepted, ${ran - accepted} refused`);
    expect(wrong).toEqual([]);
    expect([ran, accepted, ran - accepted]).toEqual([file.numberOfTests, 88, 63]);
    expect(ran).toBe(151);
  });

  test.runIf(directory === undefined)('skipped: LICHEN_VECTORS is not set', () => {
    console.log('Wycheproof Ed25519: skipped, LICHEN_VECTORS is not set');
    expect(directory).toBeUndefined();
  });
});
