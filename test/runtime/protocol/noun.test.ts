/** Sealing and opening of signed nouns, and the words that schemas are made of. */
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { asLichenError, ERRORS, LichenError, tell } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs, noun, payloadOf, seal, sealMany, unseal, unsealMany } from '../../../runtime/protocol/noun.ts';
import { invoiceHash, invoiceSchema } from '../../../runtime/protocol/nouns/billing.ts';
import { amount, boardId, counter, currency, map, name, parse, type Schema, text, uint } from '../../../runtime/protocol/schema.ts';
import { keyOf, testCrypto } from '../../support/crypto.ts';
import { PLAIN, SIGNED } from '../../support/frames.ts';

const letter = noun('letter', 300, v.strictObject({ v: v.literal(1), says: v.string(), count: counter }));
const key = keyOf('writer');
const value = { v: 1 as const, says: 'hello', count: 3n };

describe('a signed noun', () => {
  test('opens to what was sealed, with its identity [encoding-11]', () => {
    const bytes = seal(letter, value, key);
    expect(unseal(testCrypto, letter, bytes)).toEqual({
      value,
      hash: testCrypto.sha256(payloadOf(letter, value)),
      signer: key.publicKey,
      bytes,
    });
    const both = sealMany(letter, value, [key, keyOf('witness')]);
    expect(unsealMany(testCrypto, letter, both, 2)).toMatchObject({ value, signers: [key.publicKey, keyOf('witness').publicKey] });
    expect(hex(unsealMany(testCrypto, letter, both, 2).hash)).toBe(hex(unseal(testCrypto, letter, bytes).hash));
  });

  test('keeps to its limit on both sides, before anything is verified', () => {
    const spare = letter.maxBytes - seal(letter, { ...value, says: 'x'.repeat(100) }, key).length;
    const full = { ...value, says: 'x'.repeat(100 + spare) };
    expect(seal(letter, full, key)).toHaveLength(letter.maxBytes);
    expect(unseal(testCrypto, letter, seal(letter, full, key)).value).toEqual(full);
    const over = { ...value, says: `${full.says}x` };
    expect(() => seal(letter, over, key)).toThrow('too-large');
    const smuggled = seal({ ...letter, maxBytes: 10_000 }, over, key);
    expect(() => unseal({ ...testCrypto, verify: () => expect.unreachable() }, letter, smuggled)).toThrow('too-large');
    expect(() => unsealMany(testCrypto, letter, sealMany({ ...letter, maxBytes: 10_000 }, over, [key]), 1)).toThrow('too-large');
  });

  test('is not signed, nor believed, unless its schema takes it', () => {
    const wrong = { ...value, more: 1 };
    expect(() => seal(letter, wrong, key)).toThrow('bad-schema');
    const loose = { ...letter, schema: v.looseObject({}) };
    expect(() => unseal(testCrypto, letter, seal(loose, wrong, key))).toThrow('bad-schema');
  });

  test('of one kind never opens as another [encoding-8]', () => {
    for (const { name: from, document } of SIGNED) {
      for (const { name: to, noun: kind } of SIGNED) {
        if (from.split('/')[0] === to.split('/')[0]) continue;
        const open = document[0] === 0xd2 ? () => unseal(testCrypto, kind, document) : () => unsealMany(testCrypto, kind, document, 32);
        expect(open, `${from} as ${to}`).toThrow(/bad-schema|too-large/);
      }
    }
  });
});

test('unsigned messages are checked when written and when read', () => {
  const schema = v.strictObject({ v: v.literal(1), at: uint });
  expect(decodeAs(schema, encodeAs(schema, { v: 1, at: 5 }, 'tick'), 'tick')).toEqual({ v: 1, at: 5 });
  expect(() => encodeAs(schema, { v: 1, at: -1 }, 'tick')).toThrow('bad-schema: tick.at');
  expect(() => decodeAs(schema, encodeAs(v.looseObject({}), { v: 1, at: 5, on: 1 }, 'tick'), 'tick')).toThrow('bad-schema');
  expect(() => decodeAs(schema, utf8('x'), 'tick')).toThrow('bad-cbor');
});

describe('the words of schemas', () => {
  const takes = (schema: Schema<unknown>, input: unknown): boolean => {
    try {
      parse(schema, input, 'it');
      return true;
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(LichenError);
      return false;
    }
  };

  test.each<[string, Schema<unknown>, unknown[], unknown[]]>([
    ['uint', uint, [0, Number.MAX_SAFE_INTEGER], [-1, 0.5, 2 ** 53, 1n, '1', null]],
    ['counter', counter, [0, 0n, 2n ** 64n - 1n], [-1, -1n, 2n ** 64n, '1']],
    ['amount', amount, [0, BigInt(LIMITS.capMicro)], [BigInt(LIMITS.capMicro) + 1n]],
    [
      'text',
      text,
      ['', 'x'.repeat(LIMITS.textBytes), 'ä'.repeat(LIMITS.textBytes / 2)],
      ['x'.repeat(LIMITS.textBytes + 1), 'ä'.repeat(LIMITS.textBytes / 2 + 1), 1],
    ],
    ['name', name, ['a', `a${'-'.repeat(62)}`, 'a-1'], ['', 'A', '1a', '-a', `a${'b'.repeat(63)}`, 'a\n', 'a.b']],
    [
      'id',
      boardId,
      ['a'.repeat(32), '234567'.padEnd(32, 'z')],
      ['a'.repeat(31), 'a'.repeat(33), 'A'.repeat(32), '1'.repeat(32), `${'a'.repeat(32)}\n`, 1],
    ],
    ['currency', currency, ['EUR', 'XTS'], ['eur', 'EURO', 'E1R', '']],
    ['map', map, [{}, { a: 1 }], [[], new Uint8Array(0), null, 'x', 1]],
  ])('%s', (_name, schema, good, bad) => {
    for (const input of good) expect(takes(schema, input), String(input)).toBe(true);
    for (const input of bad) expect(takes(schema, input), String(input)).toBe(false);
  });

  test('say where in a document something is wrong', () => {
    const schema = v.strictObject({ rows: v.array(v.strictObject({ at: uint })) });
    expect(() => parse(schema, { rows: [{ at: 1 }, { at: -1 }] }, 'list')).toThrow('bad-schema: list.rows.1.at: ');
  });
});

test('an invoice is named by its bytes', () => {
  const invoice = parse(invoiceSchema, PLAIN.find(({ name: of }) => of === 'invoice')?.value, 'invoice');
  expect(hex(invoiceHash(testCrypto, invoice))).toBe(hex(testCrypto.sha256(encodeAs(invoiceSchema, invoice, 'invoice'))));
});

describe('errors', () => {
  test('tell what, why and what next, and never a stack', () => {
    const told = tell(new LichenError('stale', 'sequence 3 is known'));
    expect(told).toEqual({ code: 'stale', says: ERRORS.stale.says, why: 'sequence 3 is known', next: ERRORS.stale.next });
    for (const { says, next, exit, http } of Object.values(ERRORS)) {
      expect(says).toMatch(/\.$/);
      expect(next).toMatch(/\.$/);
      expect(exit).toBeGreaterThanOrEqual(64);
      expect(http).toBeGreaterThanOrEqual(400);
    }
  });

  test('wrap whatever was thrown', () => {
    const own = new LichenError('fork', 'x');
    expect(asLichenError(own)).toBe(own);
    expect(asLichenError(new Error('boom'))).toMatchObject({ code: 'internal', detail: 'boom' });
    expect(asLichenError('boom')).toMatchObject({ code: 'internal', detail: 'boom' });
  });
});
