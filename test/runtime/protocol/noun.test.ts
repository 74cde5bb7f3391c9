/** Sealing and opening of signed nouns, and the words that schemas are made of. */
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { hex, utf8 } from '../../../runtime/protocol/bytes.ts';
import { asLichenError, ERRORS, LichenError, tell } from '../../../runtime/protocol/errors.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import {
  decodeAs,
  encodeAs,
  encoded,
  noun,
  payloadOf,
  seal,
  sealed,
  sealMany,
  unseal,
  unsealMany,
} from '../../../runtime/protocol/noun.ts';
import { invoiceHash, invoiceSchema } from '../../../runtime/protocol/nouns/billing.ts';
import {
  amount,
  boardId,
  counter,
  currency,
  kept,
  map,
  name,
  parse,
  record,
  type Schema,
  text,
  uint,
} from '../../../runtime/protocol/schema.ts';
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
    expect(sealed(testCrypto, letter, value, key)).toEqual(unseal(testCrypto, letter, bytes));
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

/** With the order of keys. */
const inOrder = (of: unknown): string =>
  JSON.stringify(of, (_key, held: unknown) => {
    if (typeof held === 'bigint') return `${held}n`;
    return held instanceof Uint8Array ? hex(held) : held;
  });

/** The same with every map's keys the other way round. */
const turned = (of: unknown): unknown => {
  if (Array.isArray(of)) return of.map(turned);
  if (typeof of !== 'object' || of === null || of instanceof Uint8Array) return of;
  return Object.fromEntries(
    Object.entries(of)
      .reverse()
      .map(([name, entry]) => [name, turned(entry)]),
  );
};

describe('what is written', () => {
  const frames = [
    ...SIGNED.map(({ name: of, noun: { schema }, value: held }) => ({ of, schema, held })),
    ...PLAIN.map(({ name: of, schema, value: held }) => ({ of, schema, held })),
  ];

  test.each(frames)('is for whoever wrote it what a reader will find: $of', ({ schema, held }) => {
    const written = encoded<unknown>(schema, turned(held), 'it');
    expect(hex(written.bytes)).toBe(hex(encodeAs<unknown>(schema, held, 'it')));
    expect(inOrder(written.value)).toBe(inOrder(decodeAs<unknown>(schema, written.bytes, 'it')));
  });

  test('is checked as its reader will read it, should the schema not take it as it stands', () => {
    const schema: Schema<unknown> = v.strictObject({ v: v.literal(1), at: uint });
    expect(encoded(schema, { v: 1n, at: 5, more: undefined }, 'tick')).toEqual({
      value: { v: 1, at: 5 },
      bytes: encodeAs(schema, { v: 1, at: 5 }, 'tick'),
    });
  });

  test('keeps to the limits of a reader', () => {
    const list = v.array(uint);
    expect(() =>
      encodeAs(
        list,
        Array.from({ length: LIMITS.cborItems }, () => 0),
        'list',
      ),
    ).toThrow('items');
    expect(encodeAs(list, [1, 2, 3], 'list', 4)).toHaveLength(4);
    expect(() => encodeAs(list, [1, 2, 3], 'list', 3)).toThrow('items');
    const nested: Schema<unknown> = v.lazy(() => v.union([uint, v.array(nested)]));
    const deep = (depth: number): unknown => (depth === 0 ? 0 : [deep(depth - 1)]);
    expect(() => encodeAs(nested, deep(LIMITS.cborDepth), 'deep')).not.toThrow();
    expect(() => encodeAs(nested, deep(LIMITS.cborDepth + 1), 'deep')).toThrow('deeper');
  });
});

describe('a part of a row that stays', () => {
  const inner = v.strictObject({ at: uint, names: v.array(text), shape: v.strictObject({ hash: v.instance(Uint8Array) }) });
  const row = v.strictObject({ part: kept(inner), count: uint });
  const part = { at: 1, names: ['a'], shape: { hash: new Uint8Array([1, 2]) } };

  test('is taken as it is from then on, and cannot be changed', () => {
    const first = encoded(row, { part, count: 1 }, 'row').value;
    const second = encoded(row, { ...first, count: 2 }, 'row').value;
    expect(second.part).toBe(first.part);
    expect(first.part).not.toBe(part);
    for (const change of [() => (first.part.at = 2), () => first.part.names.push('b'), () => (first.part.shape.hash = new Uint8Array(0))])
      expect(change).toThrow(TypeError);
  });

  test('is written as it would be anew, wherever it stands', () => {
    let held = encoded(row, { part, count: 1 }, 'row').value;
    for (const count of [2, 3, 4]) {
      const written = encoded(row, { ...held, count }, 'row');
      expect(hex(written.bytes)).toBe(hex(encodeAs(row, { part, count }, 'row')));
      expect(decodeAs(row, written.bytes, 'row')).toEqual({ part, count });
      held = written.value;
    }
    const deep = v.strictObject({ rows: v.array(row) });
    for (const _ of [1, 2])
      expect(hex(encodeAs(deep, { rows: [held] }, 'deep'))).toBe(hex(encodeAs(deep, { rows: [{ part, count: 4 }] }, 'deep')));
  });

  test('counts with all its items', () => {
    const held = encoded(row, encoded(row, { part, count: 1 }, 'row').value, 'row').value;
    const items = 14;
    for (const value of [{ part, count: 1 }, held, held]) {
      expect(() => encodeAs(row, value, 'row', items - 1)).toThrow('items');
      expect(() => encodeAs(row, value, 'row', items)).not.toThrow();
    }
  });

  test('is refused as long as it is not taken', () => {
    const wrong = { at: -1, names: [], shape: { hash: new Uint8Array(0) } };
    for (const _ of [1, 2]) expect(() => encodeAs(row, { part: wrong, count: 1 }, 'row')).toThrow('bad-schema: row.part.at');
  });
});

test('a record has its keys in the order of its encoding', () => {
  const given = { bb: 1, c: 2, ä: 3, a: 4 };
  expect(Object.keys(parse(record(v.string(), uint), given, 'it'))).toEqual(['a', 'c', 'bb', 'ä']);
  expect(() => parse(record(name, uint), given, 'it')).toThrow('bad-schema');
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
