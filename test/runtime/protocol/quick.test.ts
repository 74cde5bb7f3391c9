/** The quick verdict is valibot's, whatever comes. */
import fc from 'fast-check';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { REFUSED, takeOf } from '../../../runtime/protocol/quick.ts';
import { counter, hash, kept, record, uint } from '../../../runtime/protocol/schema.ts';
import { runs } from '../../support/properties.ts';

const point = v.strictObject({ seq: uint, hash });
const SCHEMAS: [string, v.GenericSchema<unknown, unknown>][] = [
  ['fields', v.strictObject({ a: uint, b: v.boolean(), c: v.literal('x'), d: v.picklist(['x', 'y']) })],
  ['what may be missing', v.strictObject({ a: v.optional(uint), b: v.optional(uint, 7), c: v.nullable(uint) })],
  ['what is made of it', v.strictObject({ a: counter, b: v.pipe(counter, v.maxValue(5n)), c: v.pipe(v.string(), v.maxLength(1)) })],
  ['lists', v.strictObject({ a: v.array(uint), b: v.pipe(v.array(v.nullable(uint)), v.maxLength(2)), c: v.array(point) })],
  [
    'other maps',
    v.strictObject({ a: record(v.string(), uint), b: v.variant('k', [v.strictObject({ k: v.literal(1), z: uint })]), c: point }),
  ],
  ['what is kept', v.strictObject({ a: kept(point), b: point, c: uint })],
  ['a field that everything has', v.strictObject({ a: uint, constructor: uint, c: uint })],
];

const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    0,
    1,
    -1,
    1.5,
    2 ** 53,
    3n,
    9n,
    2n ** 64n,
    '',
    'x',
    'yy',
    new Uint8Array(32),
    new Uint8Array(3),
    new Map(),
  ),
);
const { any } = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'k', 'z', 'seq', 'hash', 'constructor', '__proto__'), tie('any'), { maxKeys: 5 }),
    fc.record({ seq: leaf, hash: leaf }),
    fc.record({ k: leaf, z: leaf }),
  ),
}));
const input = fc.oneof(any, fc.record({ a: any, b: any, c: any }), fc.record({ a: any, b: any, c: any, d: any }, { requiredKeys: ['a'] }));
/** A good one of each is rare among these. */
const good = fc.constantFrom<unknown>(
  { a: 1, b: true, c: 'x', d: 'y' },
  { c: null },
  { a: 1, b: 2, c: 3 },
  { a: 5, b: 5n, c: 'x' },
  { a: [1], b: [null], c: [{ seq: 1, hash: new Uint8Array(32) }] },
  { a: { y: 1, x: 2 }, b: { k: 1, z: 2 }, c: { hash: new Uint8Array(32), seq: 1 } },
  { a: { seq: 1, hash: new Uint8Array(32) }, b: { seq: 1, hash: new Uint8Array(32) }, c: 1 },
  { c: 1, constructor: 2, a: 3 },
);

describe.each(SCHEMAS)('%s', (_name, schema) => {
  test('are taken and refused alike, and come out the same (property)', () => {
    fc.assert(
      fc.property(fc.oneof({ arbitrary: input, weight: 4 }, good), (value) => {
        const theirs = v.safeParse(schema, value, { abortEarly: true });
        const ours = takeOf(schema)(value);
        const wanted = theirs.success ? theirs.output : REFUSED;
        expect(ours).toEqual(wanted);
        if (theirs.success) expect(JSON.stringify(Object.keys(ours ?? {}))).toBe(JSON.stringify(Object.keys(theirs.output ?? {})));
      }),
      runs(500),
    );
  });

  test('some are taken', () => {
    const taken = fc.sample(good, 200).filter((value) => takeOf(schema)(value) !== REFUSED);
    expect(taken.length).toBeGreaterThan(0);
  });
});
