/**
 * Parameters in and connections out: texts on the wire, typed by the JSON Schemas of the release. A parameter that its
 * schema calls a string, or of which it says nothing, is the text itself; any other is JSON.
 */
import { refuse } from './errors.ts';
import { type Json, type JsonSchema, objectionTo, parseJson, parseJsonSchema } from './json-schema.ts';
import { LIMITS } from './limits.ts';
import type { Manifest } from './nouns/release.ts';

type Texts = Record<string, string>;

/** All that an instance is given, as texts and as their schema types them. */
export interface Given {
  texts: Texts;
  typed: { [name: string]: Json };
}

/** What a release takes: of its own request, and of each share. */
export type Takes = Pick<Manifest, 'parameters' | 'parameterSchema'>;

const ANY: JsonSchema = {};

/** As it is typed. */
const SUCH: Record<string, string> = {
  integer: ', such as 5',
  number: ', such as 5',
  boolean: ', which is true or false',
  array: ', such as [1, 2]',
  object: ', such as {"a": 1}',
};

export const schemaOf = ({ parameterSchema }: Takes): JsonSchema | null =>
  parameterSchema === undefined ? null : parseJsonSchema(parameterSchema, 'the schema of the parameters');

/** Names that a request may set. */
const declared = (manifest: Takes, schema: JsonSchema | null): string[] => [
  ...new Set([...Object.keys(manifest.parameters), ...Object.keys(schema?.properties ?? {})]),
];

const typed = (name: string, text: string, { type }: JsonSchema): Json => {
  if (type === undefined || type === 'string') return text;
  const types = [type].flat();
  const wanted = `is no ${types.join(' or ')}${types.map((one) => SUCH[one] ?? '').join('')}`;
  return parseJson(text, LIMITS.textBytes, 'bad-parameter', `parameter ${name} (${text})`, wanted);
};

const typedAll = (texts: Texts, schema: JsonSchema | null): { [name: string]: Json } =>
  Object.fromEntries(
    Object.entries(texts).map(([name, text]): [string, Json] => [name, typed(name, text, schema?.properties?.[name] ?? ANY)]),
  );

/** Defaults need not be all that is required; each has to be what its schema says. Errors: `bad-release`, `bad-parameter`. */
export const checkDefaults = (manifest: Takes, schema: JsonSchema): void => {
  const objection = objectionTo({ ...schema, required: [] }, typedAll(manifest.parameters, schema));
  if (objection !== null) refuse('bad-release', `a default is not what the schema of the parameters says: ${objection}`);
};

/** Of what is asked, that which this release knows: it may have been asked of another. */
export const knownTo = (manifest: Takes, asked: Texts): Texts => {
  const known = declared(manifest, schemaOf(manifest));
  return Object.fromEntries(Object.entries(asked).filter(([name]) => known.includes(name)));
};

/** What an instance is given when a request or a share says `asked`. Errors: `bad-parameter`, `bad-release`. */
export const givenTo = (manifest: Takes, asked: Texts): Given => {
  const schema = schemaOf(manifest);
  const known = declared(manifest, schema);
  const stray = Object.keys(asked).find((name) => !known.includes(name));
  if (stray !== undefined) {
    const those = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
    refuse('bad-parameter', `parameter ${stray} is not declared by the release; ${those}`);
  }
  const texts = { ...manifest.parameters, ...asked };
  const values = typedAll(texts, schema);
  const objection = schema === null ? null : objectionTo(schema, values);
  if (objection !== null) refuse('bad-parameter', objection);
  return { texts, typed: values };
};

/** As it is told on, without white space. Errors: `bad-connection`. */
export const checkConnection = ({ connectionSchema }: Pick<Manifest, 'connectionSchema'>, text: string): string => {
  if (connectionSchema === undefined) return refuse('bad-connection', 'the release declares no connection');
  return checkJson(connectionSchema, parseJson(text, LIMITS.connectionBytes, 'bad-connection', 'connection.json'));
};

/** Errors: `bad-connection`. */
export const checkJson = (connectionSchema: string, value: Json): string => {
  const objection = objectionTo(parseJsonSchema(connectionSchema, 'the schema of the connection'), value);
  return objection === null ? JSON.stringify(value) : refuse('bad-connection', objection);
};
