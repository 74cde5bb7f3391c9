/** Sealed boxes against the RFC's own vector (RFC 9180, A.2.1), and what must not open. */
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { agreed, boxPair, nodeSealer, openBox, sealFrom } from '../../../runtime/adapters/hpke.ts';
import { fromHex, hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { noVectors, readVector } from '../../support/vectors.ts';

const INFO = fromHex('4f6465206f6e2061204772656369616e2055726e');
const AAD = fromHex('436f756e742d30');
const TEXT = fromHex('4265617574792069732074727574682c20747275746820626561757479');
const RECEIVER = boxPair(fromHex('8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb'));
const SENDER = boxPair(fromHex('f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600'));
const BOX =
  '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a' +
  '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28';

describe('hpke', () => {
  test('seals and opens what the RFC says', () => {
    expect(hex(RECEIVER.publicKey)).toBe('4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a');
    expect(hex(sealFrom(SENDER, RECEIVER.publicKey, INFO, AAD, TEXT))).toBe(BOX);
    expect(hex(openBox(RECEIVER, INFO, AAD, fromHex(BOX)))).toBe(hex(TEXT));
  });

  test('opens for nobody else, under no other purpose, and not when a bit was changed', () => {
    const box = nodeSealer.sealTo(RECEIVER.publicKey, INFO, AAD, utf8('a line'), new Uint8Array(32).fill(7));
    expect(new TextDecoder().decode(openBox(RECEIVER, INFO, AAD, box))).toBe('a line');
    expect(() => openBox(SENDER, INFO, AAD, box)).toThrow('bad-signature');
    expect(() => openBox(RECEIVER, utf8('other'), AAD, box)).toThrow('bad-signature');
    expect(() => openBox(RECEIVER, INFO, utf8('other'), box)).toThrow('bad-signature');
    for (const at of [0, 40, box.length - 1]) {
      const changed = Uint8Array.from(box);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => openBox(RECEIVER, INFO, AAD, changed)).toThrow('bad-signature');
    }
    expect(() => openBox(RECEIVER, INFO, AAD, box.subarray(0, 40))).toThrow('bad-signature');
  });

  test('refuses keys under which everybody has the same secret', () => {
    const seal = (to: Uint8Array) => nodeSealer.sealTo(to, INFO, AAD, TEXT, new Uint8Array(32).fill(7));
    expect(() => seal(new Uint8Array(32))).toThrow('weak-key');
    expect(() => seal(Uint8Array.from([1, ...new Uint8Array(31)]))).toThrow('weak-key');
    expect(() => seal(new Uint8Array(31))).toThrow('weak-key');
  });
});

const vectors = v.object({
  numberOfTests: v.number(),
  testGroups: v.array(
    v.object({
      tests: v.array(v.object({ tcId: v.number(), public: v.string(), private: v.string(), shared: v.string() })),
    }),
  ),
});

/** Every case of theirs has its secret; that of all zeros, which a client may refuse, is one that nobody may use here. */
describe.skipIf(noVectors)('Wycheproof’s X25519 (LICHEN_VECTORS)', () => {
  test('all 518 cases: the same secret, and none where everybody has it', () => {
    const file = v.parse(vectors, JSON.parse(readVector('wycheproof-x25519.json')));
    const cases = file.testGroups.flatMap(({ tests }) => tests);
    const wrong: number[] = [];
    let [taken, refused] = [0, 0];
    for (const { tcId, shared, ...keys } of cases) {
      let found: string;
      try {
        found = hex(agreed(boxPair(fromHex(keys.private)).privateKey, fromHex(keys.public)));
        taken++;
      } catch (thrown) {
        expect(String(thrown)).toContain('weak-key');
        found = '00'.repeat(32);
        refused++;
      }
      if (found !== shared) wrong.push(tcId);
    }
    console.info(`Wycheproof X25519: ${cases.length} ran, ${taken} taken, ${refused} refused`);
    expect(wrong).toEqual([]);
    expect([cases.length, taken, refused]).toEqual([file.numberOfTests, 487, 31]);
    expect(cases).toHaveLength(518);
  });
});
