/** What was found good is not verified twice, and nothing else is taken for it. */
import { expect, test } from 'vitest';
import { nodeCrypto, signerFromSeed } from '../../../runtime/adapters/crypto.ts';
import type { Crypto } from '../../../runtime/protocol/crypto.ts';
import { onceVerified } from '../../../sim/world/verified.ts';

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

/** The same with one bit turned. */
const turned = (of: Uint8Array, at: number): Uint8Array => of.map((byte, i) => (i === at ? byte ^ 1 : byte));

/** Counts how often it is asked. */
const counting = (): { crypto: Crypto; asked: () => number } => {
  let asked = 0;
  const verify: Crypto['verify'] = (...all) => {
    asked++;
    return nodeCrypto.verify(...all);
  };
  return { crypto: onceVerified({ sha256: nodeCrypto.sha256, verify }), asked: () => asked };
};

test('a good signature is verified once; another key, message or signature is not taken for it', () => {
  const { crypto, asked } = counting();
  const [one, other] = [signerFromSeed(bytes(32, 1)), signerFromSeed(bytes(32, 2))];
  const message = bytes(300, 7);
  const signature = one.sign(message);
  for (let i = 0; i < 3; i++) expect(crypto.verify(one.publicKey, message, signature)).toBe(true);
  expect(asked()).toBe(1);
  expect(crypto.verify(other.publicKey, message, signature)).toBe(false);
  for (const at of [0, 150, 299]) expect(crypto.verify(one.publicKey, turned(message, at), signature)).toBe(false);
  for (const at of [0, 32, 63]) expect(crypto.verify(one.publicKey, message, turned(signature, at))).toBe(false);
  expect(crypto.verify(one.publicKey, bytes(301, 7), signature)).toBe(false);
  // A byte that goes over from one of the three to the next is no longer the same three.
  expect(crypto.verify(one.publicKey, message.subarray(1), signature)).toBe(false);
  expect(crypto.verify(bytes(31, 1), message, signature)).toBe(false);
  expect(asked()).toBe(11);
});

test('what was refused is asked again, and content that is longer than any before is held whole', () => {
  const { crypto, asked } = counting();
  const one = signerFromSeed(bytes(32, 1));
  const long = bytes(100_000, 9);
  const signature = one.sign(long);
  for (let i = 0; i < 2; i++) expect(crypto.verify(one.publicKey, turned(long, 99_999), signature)).toBe(false);
  expect(asked()).toBe(2);
  for (let i = 0; i < 2; i++) expect(crypto.verify(one.publicKey, long, signature)).toBe(true);
  expect(asked()).toBe(3);
});
