/**
 * The part of JSON Schema (draft 2020-12) that a release may use. What a stranger wrote is evaluated in the turn of a
 * gateway and of a board, so nothing is in it that can take long: no regular expression, no reference, no alternative.
 */
import { Validator } from '@cfworker/json-schema';
import * as v from 'valibot';
import { utf8 } from './bytes.ts';
import { asLichenError, type ErrorCode, refuse } from './errors.ts';
import { LIMITS } from './limits.ts';
import type { Schema } from './schema.ts';

const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'] as const;
type Type = (typeof TYPES)[number];
/** Each is checked in a time that grows with the text's length, and no faster. */
const FORMATS = ['date-time', 'date', 'time', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uri', 'uuid'] as const;

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A schema once it has been looked at; the keys are the keywords. */
export interface JsonSchema {
  type?: Type | Type[] | undefined;
  properties?: Record<string, JsonSchema> | undefined;
  required?: string[] | undefined;
  additionalProperties?: boolean | JsonSchema | undefined;
  items?: JsonSchema | undefined;
  [keyword: string]: unknown;
}

const number = v.pipe(v.number(), v.finite());
const length = v.pipe(number, v.integer(), v.minValue(0));
const names = v.array(v.string());
const json = v.custom<Json>((input) => input !== undefined);

const entriesAt = (depth: number) => {
  const inner = v.lazy((): Schema<JsonSchema> => schemaAt(depth + 1));
  return {
    $schema: v.optional(v.literal('https://json-schema.org/draft/2020-12/schema')),
    title: v.optional(v.string()),
    description: v.optional(v.string()),
    default: v.optional(json),
    examples: v.optional(v.array(json)),
    type: v.optional(v.union([v.picklist(TYPES), v.pipe(v.array(v.picklist(TYPES)), v.minLength(1))])),
    enum: v.optional(v.pipe(v.array(json), v.minLength(1))),
    const: v.optional(json),
    minimum: v.optional(number),
    maximum: v.optional(number),
    exclusiveMinimum: v.optional(number),
    exclusiveMaximum: v.optional(number),
    multipleOf: v.optional(v.pipe(number, v.gtValue(0))),
    minLength: v.optional(length),
    maxLength: v.optional(length),
    format: v.optional(v.picklist(FORMATS)),
    items: v.optional(inner),
    minItems: v.optional(length),
    maxItems: v.optional(length),
    properties: v.optional(v.record(v.string(), inner)),
    required: v.optional(names),
    additionalProperties: v.optional(v.union([v.boolean(), inner])),
    minProperties: v.optional(length),
    maxProperties: v.optional(length),
  };
};

const tooDeep: Schema<JsonSchema> = v.custom<JsonSchema>(() => false, `a schema is at most ${LIMITS.schemaDepth} levels deep`);

const schemaAt = (depth: number): Schema<JsonSchema> =>
  depth > LIMITS.schemaDepth
    ? tooDeep
    : v.strictObject(entriesAt(depth), (issue) =>
        issue.expected === 'never' ? `the keyword ${String(issue.input)} is not taken here` : 'expected a schema',
      );

export const parseJson = (text: string, maxBytes: number, code: ErrorCode, what: string, otherwise = 'is not JSON'): Json => {
  if (utf8(text).length > maxBytes) refuse(code, `${what} has more than ${maxBytes} bytes`);
  try {
    return JSON.parse(text);
  } catch {
    return refuse(code, `${what} ${otherwise}`);
  }
};

const root = v.pipe(
  schemaAt(1),
  v.check(({ type }) => type === 'object', 'a schema here begins with "type": "object"'),
);

/** Errors: `bad-release`. */
export const parseJsonSchema = (text: string, what: string): JsonSchema => {
  const result = v.safeParse(root, parseJson(text, LIMITS.schemaBytes, 'bad-release', what), { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = issue.path?.map((step) => String(step.key)).join('.');
  return refuse('bad-release', `${what}${path ? `, ${path}` : ''}: ${issue.message}`);
};

/** What is wrong with a value, in the words of where it stands; null: nothing. */
export const objectionTo = (schema: JsonSchema, value: Json): string | null => {
  try {
    const { valid, errors } = new Validator(JSON.parse(JSON.stringify(schema)), '2020-12').validate(value);
    const last = errors.at(-1);
    return valid || last === undefined ? null : `${last.instanceLocation.replace(/^#\/?/, '') || 'as a whole'}: ${last.error}`;
  } catch (thrown) {
    return asLichenError(thrown).detail;
  }
};
