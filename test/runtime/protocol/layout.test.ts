/** The short way over a schema's layout gives what the long way gives, and takes nothing that the long way does not. */
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { hex } from '../../../runtime/protocol/bytes.ts';
import { decode, decodeScanned, encodeWithin } from '../../../runtime/protocol/cbor.ts';
import type { Value } from '../../../runtime/protocol/cbor-write.ts';
import { LichenError } from '../../../runtime/protocol/errors.ts';
import { readLaid, writeLaid } from '../../../runtime/protocol/layout.ts';
import { LIMITS } from '../../../runtime/protocol/limits.ts';
import { counter, hash, kept, parse, record, type Schema, takes, text, uint } from '../../../runtime/protocol/schema.ts';
import { PLAIN, SIGNED } from '../../support/frames.ts';
import { runs } from '../../support/properties.ts';

const FRAMES = [
  ...SIGNED.map(({ name, noun: { schema }, value }) => ({ name, schema: schema as Schema<unknown>, value: value as unknown })),
  ...PLAIN.map(({ name, schema, value }) => ({ name, schema: schema as Schema<unknown>, value: value as unknown })),
];

/** With the order of keys, and with what is a number and what a BigInt. */
const told = (of: unknown): string =>
  JSON.stringify(of, (_key, held: unknown) => {
    if (typeof held === 'bigint') return `${held}n`;
    return held instanceof Uint8Array ? `h'${hex(held)}'` : held;
  });

const most: number = LIMITS.cborItems;

/** What the long way says: the value, or that it is refused. */
const longRead = (schema: Schema<unknown>, bytes: Uint8Array, itemsMax: number = most): string | null => {
  try {
    return told(parse(schema, decodeScanned(bytes, itemsMax), 'it'));
  } catch (thrown) {
    if (thrown instanceof LichenError && thrown.code !== 'internal') return null;
    throw thrown;
  }
};

const shortRead = (schema: Schema<unknown>, bytes: Uint8Array, itemsMax: number = most): string | null => {
  try {
    const laid = readLaid(schema, bytes, itemsMax);
    return laid === null ? null : told(laid.value);
  } catch (thrown) {
    if (thrown instanceof LichenError && thrown.code === 'bad-cbor') return null;
    throw thrown;
  }
};

const bytesOf = (value: unknown): Uint8Array => encodeWithin(value as Value);

describe.each(FRAMES)('$name', ({ schema, value }) => {
  const bytes = bytesOf(value);

  test('is read the short way as the long way', () => {
    const short = shortRead(schema, bytes);
    expect(short).not.toBeNull();
    expect(short).toBe(longRead(schema, bytes));
    expect(shortRead(schema, Buffer.from(bytes))).toBe(short);
  });

  test('is written the short way as the long way', () => {
    const laid = writeLaid(schema, value, most);
    expect(hex(laid?.bytes ?? new Uint8Array(0))).toBe(hex(bytes));
    expect(told(laid?.value)).toBe(told(takes(schema, value)?.value));
  });

  test('with a byte changed, left out or added is nothing that the long way refuses (property)', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.integer({ min: -2, max: 255 }), (where, to) => {
        const at = where % bytes.length;
        const rest = bytes.subarray(at + (to === -1 ? 0 : 1));
        const changed = Uint8Array.from([...bytes.subarray(0, at), ...(to === -2 ? [] : [to & 255]), ...rest]);
        const short = shortRead(schema, changed);
        if (short !== null) expect(short).toBe(longRead(schema, changed));
      }),
      runs(150),
    );
  });

  test('is refused with fewer items than it has, and cut off anywhere', () => {
    let items = 1;
    while (longRead(schema, bytes, items) === null) items++;
    expect(shortRead(schema, bytes, items)).not.toBeNull();
    expect(shortRead(schema, bytes, items - 1)).toBeNull();
    for (let length = 0; length < Math.min(bytes.length, 2000); length++) expect(shortRead(schema, bytes.subarray(0, length))).toBeNull();
  });
});

const SHAPES: [string, Schema<unknown>][] = [
  ['numbers', v.array(counter)],
  ['any map', record(v.string(), v.union([uint, text, v.boolean(), v.null(), v.array(uint)]))],
  [
    'fields',
    v.strictObject({ b: v.optional(uint), aa: v.nullable(text), c: v.picklist(['x', 'y']), list: v.pipe(v.array(uint), v.maxLength(2)) }),
  ],
  ['fields in fields', v.strictObject({ at: v.strictObject({ on: v.boolean(), off: v.optional(v.strictObject({ hash })) }) })],
  ['two of a kind', v.strictTuple([hash, uint])],
  [
    'one of several',
    v.variant('aa', [v.strictObject({ aa: v.literal('x'), b: uint }), v.strictObject({ aa: v.literal('y'), c: v.optional(text) })]),
  ],
  [
    'one of several, told apart at last',
    v.variant('list', [
      v.strictObject({ b: uint, list: v.literal('x') }),
      v.strictObject({ b: uint, list: v.literal('y'), hash: v.optional(hash) }),
    ]),
  ],
  ['with what else is known', v.strictObject({ part: kept(v.strictObject({ n: uint })), of: v.optional(uint, 3) })],
];

/** Values some of which these shapes take. */
const values = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.nat(30),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom('x', 'y', '', 'ä', '\u{feff}x', `\u{feff}${'x'.repeat(80)}`, 'x'.repeat(30)),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ minLength: 32, maxLength: 32 }),
  ),
  any: fc.oneof({ maxDepth: 3 }, tie('leaf'), fc.array(tie('any'), { maxLength: 3 }), tie('map')),
  map: fc.dictionary(fc.constantFrom('aa', 'b', 'c', 'list', 'at', 'on', 'off', 'hash', 'part', 'n', 'of', 'ä'), tie('any'), {
    maxKeys: 5,
  }),
})).any;

test.each(SHAPES)('%s are read and written as the long way does, whatever they hold (property)', (_name, schema) => {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = bytesOf(value);
      const short = shortRead(schema, bytes);
      if (short !== null) expect(short).toBe(longRead(schema, bytes));
      const laid = writeLaid(schema, value, most);
      if (laid === null) return;
      expect(hex(laid.bytes)).toBe(hex(bytes));
      expect(told(laid.value)).toBe(told(takes(schema, value)?.value));
    }),
    runs(400),
  );
});

test.each<[string, Schema<unknown>, unknown]>([
  ['numbers', SHAPES[0]?.[1] ?? uint, [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n]],
  ['fields', SHAPES[2]?.[1] ?? uint, { aa: 'ä', c: 'y', list: [1, 2] }],
  ['fields in fields', SHAPES[3]?.[1] ?? uint, { at: { on: true, off: { hash: new Uint8Array(32) } } }],
])('%s go the short way', (_name, schema, value) => {
  const bytes = bytesOf(value);
  expect(shortRead(schema, bytes)).toBe(longRead(schema, bytes));
  expect(shortRead(schema, bytes)).not.toBeNull();
  expect(writeLaid(schema, value, most)).not.toBeNull();
});

test('a key that is there and undefined, or that no schema names, goes the long way', () => {
  const schema: Schema<unknown> = v.strictObject({ a: uint, b: v.optional(uint) });
  expect(writeLaid(schema, { a: 1 }, most)).not.toBeNull();
  for (const value of [{ a: 1, b: undefined }, { a: 1, c: 1 }, { a: 1, c: undefined }, { b: 1 }, [], null])
    expect(writeLaid<unknown>(schema, value, most)).toBeNull();
});

/** What is said of it, or why not. */
const said = (read: () => unknown): string => {
  try {
    return told(read()) ?? 'nothing';
  } catch (thrown) {
    return thrown instanceof LichenError ? thrown.message : String(thrown);
  }
};

test('without a schema, one pass reads what the scanner and cbor-x read, and says what they say (property)', () => {
  fc.assert(
    fc.property(values, fc.nat(1000), fc.nat(255), (value, where, byte) => {
      const bytes = bytesOf(value);
      expect(said(() => decode(bytes))).toBe(said(() => decodeScanned(bytes)));
      const changed = Uint8Array.from(bytes);
      changed[where % bytes.length] = byte;
      expect(said(() => decode(changed))).toBe(said(() => decodeScanned(changed)));
    }),
    runs(1000),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(said(() => decode(bytes))).toBe(said(() => decodeScanned(bytes)));
    }),
    runs(1000),
  );
});
