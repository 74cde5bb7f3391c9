/** As much of JSON schema (draft 2020-12) as the scenarios' schema is made of; a word that it does not know is an error, not ignored. */
import type { Json, JsonObject } from '../../../sim/scenario/shape.ts';

const SILENT = new Set(['$schema', 'title', 'description', 'examples', 'default']);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const typeOf = (value: unknown): string => {
  if (Array.isArray(value)) return 'array';
  if (value === null) return 'null';
  return Number.isInteger(value) ? 'integer' : typeof value;
};

type Check = (rule: Json, value: unknown, at: string, schema: JsonObject) => string[];

const objectOf = (rule: Json): JsonObject => (isObject(rule) ? (rule as JsonObject) : {});
const listOf = (rule: Json): Json[] => (Array.isArray(rule) ? rule : []);
const each = (value: unknown, check: (key: string, held: unknown) => string[]): string[] =>
  isObject(value) ? Object.entries(value).flatMap(([key, held]) => check(key, held)) : [];
const when = (fails: boolean, says: string): string[] => (fails ? [says] : []);

const CHECKS: Record<string, Check> = {
  type: (rule, value, at) =>
    when(typeOf(value) !== rule && !(rule === 'number' && typeof value === 'number'), `${at}: not ${String(rule)}`),
  const: (rule, value, at) => when(rule !== value, `${at}: not ${String(rule)}`),
  enum: (rule, value, at) => when(!listOf(rule).some((one) => one === value), `${at}: not in the list`),
  pattern: (rule, value, at) =>
    when(typeof value === 'string' && !new RegExp(String(rule), 'u').test(value), `${at}: not like ${String(rule)}`),
  maxLength: (rule, value, at) => when(typeof value === 'string' && value.length > Number(rule), `${at}: too long`),
  minimum: (rule, value, at) => when(typeof value === 'number' && value < Number(rule), `${at}: too little`),
  maximum: (rule, value, at) => when(typeof value === 'number' && value > Number(rule), `${at}: too much`),
  minItems: (rule, value, at) => when(Array.isArray(value) && value.length < Number(rule), `${at}: too few`),
  maxItems: (rule, value, at) => when(Array.isArray(value) && value.length > Number(rule), `${at}: too many`),
  items: (rule, value, at) => (Array.isArray(value) ? value.flatMap((item, i) => misfits(objectOf(rule), item, `${at}/${i}`)) : []),
  required: (rule, value, at) =>
    isObject(value) ? listOf(rule).flatMap((key) => when(!Object.hasOwn(value, String(key)), `${at}: no ${String(key)}`)) : [],
  properties: (rule, value, at) =>
    each(value, (key, held) =>
      Object.hasOwn(objectOf(rule), key) ? misfits(objectOf(objectOf(rule)[key] ?? {}), held, `${at}/${key}`) : [],
    ),
  additionalProperties: (rule, value, at, schema) =>
    each(value, (key, held) => {
      if (Object.hasOwn(objectOf(schema.properties ?? {}), key)) return [];
      return rule === false ? [`${at}: stray ${key}`] : misfits(objectOf(rule), held, `${at}/${key}`);
    }),
  propertyNames: (rule, value, at) => each(value, (key) => misfits(objectOf(rule), key, `${at}/${key}`)),
  not: (rule, value, at) => when(misfits(objectOf(rule), value, at).length === 0, `${at}: must not be that`),
  anyOf: (rule, value, at) => {
    const tried = listOf(rule).map((one) => misfits(objectOf(one), value, at));
    return tried.some((found) => found.length === 0) ? [] : (tried.sort((a, b) => a.length - b.length)[0] ?? [`${at}: nothing fits`]);
  },
};

/** What in `value` the schema does not allow. */
export const misfits = (schema: JsonObject, value: unknown, at = ''): string[] =>
  Object.entries(schema).flatMap(([word, rule]) => {
    const check = CHECKS[word];
    if (check !== undefined) return check(rule, value, at, schema);
    if (!SILENT.has(word)) throw new Error(`${at}: the schema says ${word}, which this check does not know`);
    return [];
  });
