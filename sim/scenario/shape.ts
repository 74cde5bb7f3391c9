/**
 * Shapes of what a YAML file may say. Each is declared once and serves twice: it reads a node, reporting all that is
 * wrong with it where it stands, and it describes itself as JSON schema. Reading always gives a value, so that the rest
 * of a file is looked at too; once anything was reported, nobody uses it. A number that could not be read is NaN, which
 * compares false with everything and so is never complained about twice.
 */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import { type Complaint, type Desk, unknownWord } from './problem.ts';
import { formatQuantity, isMisread, type Misread, parseQuantity, parseRange, patternOf, UNITS, type UnitName } from './units.ts';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** A node, where it stands (offset into the text), and whom to tell. */
export interface Spot {
  node: Node | null;
  at: number;
  file: { desk: Desk; document: Document; aliases: number };
}

export interface Shape<T> {
  read(spot: Spot): T;
  /** Stands in for what could not be read. */
  blank: T;
  schema: JsonObject;
}

/** A value that remembers its place. `sound`: nothing was wrong with it. */
export interface Placed<T> {
  value: T;
  at: number;
  sound: boolean;
}

export interface Field<T> {
  shape: Shape<T>;
  /** Null: the key has to be there. */
  otherwise: ((at: number) => T) | null;
  says: string;
  /** The default as it would be written, for editors. */
  usual?: Json;
}

export type Fields<T> = { [K in keyof T]: Field<T[K]> };

/** A shape of what is one text. */
export interface Scalar<T> extends Shape<T> {
  parse(text: string): { value: T } | Complaint;
}

export const must = <T>(shape: Shape<T>, says: string): Field<T> => ({ shape, otherwise: null, says });
export const may = <T>(shape: Shape<T>, otherwise: T, says: string): Field<T> => ({ shape, otherwise: () => otherwise, says });
/** With a default that is said as it would be written. */
export const usually = <T>(shape: Scalar<T>, usual: string | number | boolean, says: string): Field<T> => {
  const parsed = shape.parse(String(usual));
  if (!('value' in parsed)) throw new TypeError(`the default ${usual} is refused: ${parsed.what}`);
  return { shape, otherwise: () => parsed.value, says, usual };
};
/** The same for a value whose place is kept. */
export const usuallyAt = <T>(shape: Scalar<T>, usual: string | number | boolean, says: string): Field<Placed<T>> => {
  const { otherwise } = usually(shape, usual, says);
  return { shape: placed(shape), otherwise: (at) => ({ value: otherwise?.(at) ?? shape.blank, at, sound: true }), says, usual };
};

/** More aliases than this grow a few lines into gigabytes ("billion laughs"). */
const ALIASES_MAX = 256;

/** The same place with its alias followed. */
const follow = (spot: Spot): Spot => {
  if (!isAlias(spot.node)) return spot;
  spot.file.aliases += 1;
  const node = spot.file.aliases > ALIASES_MAX ? undefined : spot.node.resolve(spot.file.document);
  if (node === undefined || isAlias(node)) {
    complain(spot, {
      what: 'this alias is not followed',
      why: `at most ${ALIASES_MAX} are, each to an anchor before it`,
      next: 'Write out what it stands for.',
    });
    return { ...spot, node: null };
  }
  return { ...spot, node };
};

export const complain = (spot: Spot, complaint: Complaint): void => spot.file.desk.report(spot.at, complaint);

/** The text of a scalar as it was written; null and told when it is something else. */
const textAt = (spot: Spot, wanted: string): string | null => {
  const { node } = follow(spot);
  if (isScalar(node)) {
    const text = node.source ?? String(node.value);
    if (text.trim() !== '') return text;
  }
  const found = isMap(node) ? 'a map' : isSeq(node) ? 'a list' : 'nothing';
  complain(spot, { what: `${found} where ${wanted} belongs`, next: `Write ${wanted}.` });
  return null;
};

export const isMapAt = (spot: Spot): boolean => isMap(follow(spot).node);

const scalar = <T>(wanted: string, blank: T, schema: JsonObject, parse: (text: string) => { value: T } | Complaint): Scalar<T> => ({
  parse,
  read: (spot) => {
    const text = textAt(spot, wanted);
    if (text === null) return blank;
    const parsed = parse(text);
    if ('value' in parsed) return parsed.value;
    complain(spot, parsed);
    return blank;
  },
  blank,
  schema,
});

export interface Bounds {
  least?: number;
  most?: number;
}

const outside = (value: number, { least, most }: Bounds, show: (value: number) => string): Complaint | null => {
  if (least !== undefined && value < least) return { what: `${show(value)} is too little`, next: `Write at least ${show(least)}.` };
  if (most !== undefined && value > most) return { what: `${show(value)} is too much`, next: `Write at most ${show(most)}.` };
  return null;
};

const numberFrom = (read: number | Misread, bounds: Bounds, show: (value: number) => string): { value: number } | Complaint =>
  isMisread(read) ? read : (outside(read, bounds, show) ?? { value: read });

/** A number with a unit; not below zero unless the bounds say so. */
export const quantity = (unit: UnitName, bounds: Bounds = {}): Scalar<number> => {
  const within: Bounds = { least: 0, ...bounds };
  const written: JsonObject = { type: 'string', pattern: `^${patternOf(unit)}$`, examples: [UNITS[unit].example] };
  const takesZero = (within.least ?? 0) <= 0;
  return scalar(UNITS[unit].of, Number.NaN, takesZero ? { anyOf: [written, { const: 0 }] } : written, (text) =>
    numberFrom(parseQuantity(unit, text), within, (value) => formatQuantity(unit, value)),
  );
};

export interface Range {
  least: number;
  most: number;
}

export const range = (unit: UnitName, bounds: Bounds = {}): Scalar<Range> => {
  const within: Bounds = { least: 0, ...bounds };
  const one = `(?:${patternOf(unit)}|0)`;
  const show = (value: number): string => formatQuantity(unit, value);
  const schema: JsonObject = { anyOf: [{ type: 'string', pattern: `^${one}(?:\\.\\.${one})?$`, examples: ['1min..20min'] }, { const: 0 }] };
  return scalar<Range>(`${UNITS[unit].of} or two with ".." between`, { least: Number.NaN, most: Number.NaN }, schema, (text) => {
    const read = parseRange(unit, text);
    if ('what' in read) return read;
    return outside(read.least, within, show) ?? outside(read.most, within, show) ?? { value: read };
  });
};

const NUMERAL = /^[-+]?[0-9]+(\.[0-9]+)?$/;

const numeral = (whole: boolean, bounds: Bounds): Scalar<number> => {
  const wanted = whole ? 'a whole number' : 'a number';
  const schema: JsonObject = {
    type: whole ? 'integer' : 'number',
    ...(bounds.least === undefined ? {} : { minimum: bounds.least }),
    ...(bounds.most === undefined ? {} : { maximum: bounds.most }),
  };
  return scalar(wanted, Number.NaN, schema, (text) => {
    const value = Number(text);
    if (!NUMERAL.test(text) || (whole && !Number.isSafeInteger(value)))
      return { what: `"${text}" is not ${wanted}`, next: `Write ${wanted} without a unit.` };
    return outside(value, bounds, String) ?? { value };
  });
};
export const whole = (bounds: Bounds = {}): Scalar<number> => numeral(true, bounds);
export const decimal = (bounds: Bounds = {}): Scalar<number> => numeral(false, bounds);

export const truth: Scalar<boolean> = scalar('true or false', false, { type: 'boolean' }, (text) =>
  text === 'true' || text === 'false'
    ? { value: text === 'true' }
    : { what: `"${text}" is neither true nor false`, next: 'Write true or false.' },
);

export const text = (most: number): Scalar<string> =>
  scalar('a text', '', { type: 'string', maxLength: most }, (value) =>
    value.length <= most ? { value } : { what: `a text of ${value.length} characters`, next: `Write at most ${most}.` },
  );

const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/** As the protocol's names. One that is not well formed is kept: whoever means it is not told that it is unknown. */
export const name: Shape<string> = {
  read: (spot) => {
    const value = textAt(spot, 'a name');
    if (value !== null && !NAME.test(value))
      complain(spot, { what: `"${value}" is not a name`, next: 'Write a-z, 0-9 and -, a letter first, at most 63.' });
    if (value === 'all') complain(spot, { what: '"all" is not a name', why: 'it means everything', next: 'Choose another.' });
    return value ?? '';
  },
  blank: '',
  schema: { type: 'string', pattern: NAME.source, not: { const: 'all' } },
};

/** A name of something else; whether it exists is asked later. */
export const reference: Shape<string> = { read: (spot) => textAt(spot, 'a name') ?? '', blank: '', schema: { type: 'string' } };

/** ISO 8601 with its zone, so that the same file means the same on every machine. */
const MOMENT = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{3})?)?(Z|[+-]\d{2}:\d{2}))?$/;
export const moment: Scalar<number> = scalar(
  'a date',
  Number.NaN,
  { type: 'string', pattern: MOMENT.source, examples: ['2026-01-01T00:00Z'] },
  (value) => {
    const at = MOMENT.test(value) ? Date.parse(value) : Number.NaN;
    return Number.isNaN(at) ? { what: `"${value}" is not a date`, next: 'Write it as 2026-01-01T00:00Z.' } : { value: at };
  },
);

export const described = (rows: Record<string, { says: string }>): JsonObject => ({
  anyOf: Object.entries(rows).map(([word, { says }]) => ({ const: word, description: says })),
});

/** One of some words. `of`: what they are words for. */
export const word = <W extends string>(of: string, words: readonly W[], schema: JsonObject = { enum: [...words] }): Scalar<W | null> =>
  scalar<W | null>(`a ${of}`, null, schema, (value) => {
    const found = words.find((known) => known === value);
    return found === undefined ? unknownWord(of, value, words) : { value: found };
  });

export const placed = <T>(shape: Shape<T>): Shape<Placed<T>> => ({
  read: (spot) => {
    const before = spot.file.desk.count;
    const value = shape.read(spot);
    return { value, at: spot.at, sound: spot.file.desk.count === before };
  },
  blank: { value: shape.blank, at: 0, sound: false },
  schema: shape.schema,
});

/** For what may be left out or is worked out from the rest. */
export const orNull = <T>(shape: Shape<T>): Shape<T | null> => ({ read: (spot) => shape.read(spot), blank: null, schema: shape.schema });

export const list = <T>(of: Shape<T>, what: string, { least = 0, most }: { least?: number; most: number }): Shape<T[]> => ({
  read: (spot) => {
    const { node } = follow(spot);
    if (!isSeq(node)) {
      complain(spot, { what: `a list of ${what} belongs here`, next: 'Begin each line of it with "- ".' });
      return [];
    }
    if (node.items.length < least) complain(spot, { what: `no ${what}`, next: `Name at least ${least}.` });
    if (node.items.length > most) complain(spot, { what: `${node.items.length} ${what}`, next: `Write at most ${most}.` });
    return node.items.slice(0, most).map((item) => of.read(inside(spot, item, spot.at)));
  },
  blank: [],
  schema: { type: 'array', items: of.schema, minItems: least, maxItems: most },
});

/** One, or a list of them. */
export const oneOrMany = <T>(of: Shape<T>, what: string, most: number): Shape<T[]> => {
  const many = list(of, what, { least: 1, most });
  return {
    read: (spot) => (isSeq(follow(spot).node) ? many.read(spot) : [of.read(spot)]),
    blank: [],
    schema: { anyOf: [of.schema, many.schema] },
  };
};

/** A short form that is a single word, or a map. */
export const shortOrMap = <S, M>(short: Shape<S>, map: Shape<M>): Shape<{ short: S } | { map: M }> => ({
  read: (spot) => (isMapAt(spot) ? { map: map.read(spot) } : { short: short.read(spot) }),
  blank: { short: short.blank },
  schema: { anyOf: [short.schema, map.schema] },
});

const inside = (spot: Spot, item: unknown, otherwise: number): Spot => {
  const node = isNode(item) ? item : null;
  return { file: spot.file, node, at: node?.range?.[0] ?? otherwise };
};

interface Pair {
  key: string;
  keyAt: number;
  value: Spot;
}

const pairsOf = (spot: Spot, map: YAMLMap): Pair[] =>
  map.items.map(({ key, value }) => {
    const at = inside(spot, key, spot.at);
    return { key: isScalar(key) ? String(key.value) : '', keyAt: at.at, value: inside(spot, value, at.at) };
  });

/** The pairs of a map, by key; null and told when it is none. */
export const openMap = (spot: Spot, keys: readonly string[]): Map<string, Pair> | null => {
  const { node } = follow(spot);
  if (isMap(node)) return new Map(pairsOf(spot, node).map((pair) => [pair.key, pair]));
  complain(spot, { what: 'a map belongs here', next: keys.length === 0 ? 'Write "key: value".' : `Its keys are ${keys.join(', ')}.` });
  return null;
};

export const refuseStrays = (spot: Spot, pairs: Map<string, Pair>, known: readonly string[]): void => {
  for (const { key, keyAt } of pairs.values()) {
    if (!known.includes(key)) spot.file.desk.report(keyAt, unknownWord('key', key, known));
  }
};

export const keysOf = <T>(fields: Fields<T>): (keyof T & string)[] => {
  const isKey = (key: string): key is keyof T & string => Object.hasOwn(fields, key);
  return Object.keys(fields).filter(isKey);
};

const readField = <T>(spot: Spot, pair: Pair | undefined, key: string, { shape, otherwise }: Field<T>): T => {
  if (pair !== undefined) return shape.read(pair.value);
  if (otherwise !== null) return otherwise(spot.at);
  complain(spot, { what: `the key "${key}" is missing`, next: `Add "${key}:".` });
  return shape.blank;
};

const filled = <T extends object>(fields: Fields<T>, read: <V>(field: Field<V>, key: string) => V): T => {
  const out: Partial<T> = {};
  const isWhole = (value: Partial<T>): value is T => keysOf(fields).every((key) => Object.hasOwn(value, key));
  const fill = <K extends keyof T & string>(key: K): void => {
    out[key] = read(fields[key], key);
  };
  for (const key of keysOf(fields)) fill(key);
  if (!isWhole(out)) throw new TypeError('a field was left out');
  return out;
};

/** The fields of a map that may hold others too. */
export const readFields = <T extends object>(spot: Spot, pairs: Map<string, Pair>, fields: Fields<T>): T =>
  filled(fields, (field, key) => readField(spot, pairs.get(key), key, field));

export const blankOf = <T extends object>(fields: Fields<T>): T => filled(fields, ({ shape }) => shape.blank);

export const fieldsSchema = <T>(fields: Fields<T>): { properties: JsonObject; required: string[] } => {
  const properties: JsonObject = {};
  for (const key of keysOf(fields)) {
    const { shape, says, usual } = fields[key];
    properties[key] = { ...shape.schema, description: says, ...(usual === undefined ? {} : { default: usual }) };
  }
  return { properties, required: keysOf(fields).filter((key) => fields[key].otherwise === null) };
};

/** What a map means that says nothing; blank where something has to be said. */
const usualOf = <T extends object>(fields: Fields<T>): T =>
  filled(fields, ({ shape, otherwise }) => (otherwise === null ? shape.blank : otherwise(0)));

/** A map of these keys and no others. */
export const object = <T extends object>(fields: Fields<T>): Shape<T> & { usual: T } => ({
  usual: usualOf(fields),
  read: (spot) => {
    const pairs = openMap(spot, keysOf(fields));
    if (pairs === null) return blankOf(fields);
    refuseStrays(spot, pairs, keysOf(fields));
    return readFields(spot, pairs, fields);
  },
  blank: blankOf(fields),
  schema: { type: 'object', ...fieldsSchema(fields), additionalProperties: false },
});

/** A map from names that the file makes up. */
export const named = <T>(of: Shape<T>): Shape<{ name: Placed<string>; value: T }[]> => ({
  read: (spot) => {
    const pairs = openMap(spot, []);
    if (pairs === null) return [];
    return [...pairs.values()].map(({ key, keyAt, value }) => {
      const before = spot.file.desk.count;
      if (!NAME.test(key))
        spot.file.desk.report(keyAt, { what: `"${key}" is not a name`, next: 'Write a-z, 0-9 and -, a letter first, at most 63.' });
      return { name: { value: key, at: keyAt, sound: spot.file.desk.count === before }, value: of.read(value) };
    });
  },
  blank: [],
  schema: { type: 'object', additionalProperties: of.schema, propertyNames: { pattern: NAME.source } },
});
