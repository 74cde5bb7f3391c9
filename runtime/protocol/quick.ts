/**
 * A schema's verdict in the ordinary case, where the input is what it asks for: the same as valibot's, without the objects
 * that valibot makes on its way to an explanation. Whoever is refused here asks valibot why. What a schema is made of is
 * looked at once; a part of a kind that is not known here is valibot's own affair.
 */
import type * as v from 'valibot';

type AnySchema = v.GenericSchema<unknown, unknown>;

export const REFUSED = Symbol('refused');

/** The output, or `REFUSED`. */
type Take = (input: unknown) => unknown;

const isSchema = (value: unknown): value is AnySchema =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'schema' && '~run' in value;

/** As valibot does it. */
const slow =
  (schema: AnySchema): Take =>
  (input) => {
    const { typed, issues, value } = schema['~run']({ value: input }, { abortEarly: true });
    return typed && issues === undefined ? value : REFUSED;
  };

/** Of these the protocol's maps are none, and valibot has its own ways with them. */
const isPlain = (input: unknown): input is Record<string, unknown> =>
  typeof input === 'object' && input !== null && !Array.isArray(input) && !(input instanceof Uint8Array) && !(input instanceof Map);

const object = (schema: AnySchema): Take => {
  const entries = 'entries' in schema && isPlain(schema.entries) ? Object.entries(schema.entries) : [];
  const fields = entries.map(([key, part]): [string, Take] => [key, isSchema(part) ? takeOf(part) : () => REFUSED]);
  const otherwise = slow(schema);
  return (input) => {
    if (!isPlain(input)) return otherwise(input);
    const output: Record<string, unknown> = {};
    for (const [key, take] of fields) {
      const value = input[key];
      // Whether it may be missing, and whether a missing key is one that says `undefined`, valibot knows.
      if (value === undefined) return otherwise(input);
      const taken = take(value);
      if (taken === REFUSED) return REFUSED;
      output[key] = taken;
    }
    for (const key in input) if (!Object.hasOwn(output, key)) return otherwise(input);
    return output;
  };
};

const array = (schema: AnySchema): Take => {
  if (!('item' in schema) || !isSchema(schema.item)) return slow(schema);
  const item = takeOf(schema.item);
  return (input) => {
    if (!Array.isArray(input)) return REFUSED;
    const output: unknown[] = [];
    for (const one of input) {
      const taken = item(one);
      if (taken === REFUSED) return REFUSED;
      output.push(taken);
    }
    return output;
  };
};

const isTransform = (action: unknown): action is { operation(input: unknown): unknown } =>
  typeof action === 'object' && action !== null && 'type' in action && action.type === 'transform' && 'operation' in action;

/** A schema, and what is made of the value that it took. */
const pipe = (schema: AnySchema): Take => {
  const parts: unknown = 'pipe' in schema ? schema.pipe : null;
  const [first, action, ...more] = Array.isArray(parts) ? parts : [];
  if (!isSchema(first) || !isTransform(action) || more.length > 0) return slow(schema);
  const take = takeOf(first);
  return (input) => {
    const taken = take(input);
    return taken === REFUSED ? REFUSED : action.operation(taken);
  };
};

const wordsOf = (schema: AnySchema): Take => {
  if (!('options' in schema) || !Array.isArray(schema.options)) return slow(schema);
  const { options } = schema;
  return (input) => (options.includes(input) ? input : REFUSED);
};

const nullable = (schema: AnySchema): Take => {
  if (!('wrapped' in schema) || !isSchema(schema.wrapped)) return slow(schema);
  const take = takeOf(schema.wrapped);
  return (input) => (input === null ? null : take(input));
};

const custom = (schema: AnySchema): Take => {
  const check: unknown = 'check' in schema ? schema.check : null;
  return typeof check === 'function' ? (input) => (check(input) ? input : REFUSED) : slow(schema);
};

const literal = (schema: AnySchema): Take => {
  if (!('literal' in schema)) return slow(schema);
  const { literal: wanted } = schema;
  return (input) => (input === wanted ? input : REFUSED);
};

const KINDS: Record<string, (schema: AnySchema) => Take> = {
  strict_object: object,
  array,
  picklist: wordsOf,
  nullable,
  custom,
  literal,
  boolean: () => (input) => (typeof input === 'boolean' ? input : REFUSED),
};

const known = new WeakMap<AnySchema, Take>();

export const takeOf = (schema: AnySchema): Take => {
  const held = known.get(schema);
  if (held !== undefined) return held;
  const made = 'pipe' in schema ? pipe(schema) : (KINDS[schema.type] ?? slow)(schema);
  known.set(schema, made);
  return made;
};
