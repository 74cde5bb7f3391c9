/**
 * How a schema's values lie in deterministic CBOR, worked out once: the keys of a map in their order and as they are
 * written. What fits is checked while it is written or read, in one pass. Whatever does not is left to the long way, over
 * the codec and then the schema, which also says what is wrong: so this takes nothing that the long way does not, and what
 * it gives is the same.
 */
import type * as v from 'valibot';
import type { Bytes } from './bytes.ts';
import { back, begin, end, head, isReadingOff, item, key, MAJOR, mark, nothing, off } from './cbor-read.ts';
import { encodedKey, inOrder, NOT_TAKEN, writeAll, writeItem, writeList, writeMap, writeRaw } from './cbor-write.ts';
import { LIMITS } from './limits.ts';

interface Layout {
  /** What comes next; means nothing once the reading is off. */
  read(depth: number): unknown;
  /** Where it ends that was begun at `from`, or `NOT_TAKEN`; what a reader will have of it is in `taken`. */
  write(value: unknown, depth: number, from: number): number;
}

type Check = (value: unknown) => boolean;
type Any = v.GenericSchema;
type Step = Pick<Any, '~run'>;

const CONFIG = { abortEarly: true } as const;

let taken: unknown;
/** Whether what a reader will have is made; else what is written stands for it. */
let makes = true;

class Leaf implements Layout {
  readonly #check: Check;

  constructor(check: Check) {
    this.#check = check;
  }

  read(depth: number): unknown {
    const value = item(depth);
    return isReadingOff() || this.#check(value) ? value : off();
  }

  write(value: unknown, depth: number, from: number): number {
    if (!this.#check(value)) return NOT_TAKEN;
    taken = value;
    return writeItem(value, depth, from);
  }
}

/** Runs the schema itself over what the codec read, or is to write. */
class Whole implements Layout {
  readonly #schema: Step;

  constructor(schema: Step) {
    this.#schema = schema;
  }

  read(depth: number): unknown {
    const value = item(depth);
    if (isReadingOff()) return value;
    const dataset = this.#schema['~run']({ value }, CONFIG);
    return dataset.issues === undefined ? dataset.value : off();
  }

  write(value: unknown, depth: number, from: number): number {
    const dataset = this.#schema['~run']({ value }, CONFIG);
    if (dataset.issues !== undefined) return NOT_TAKEN;
    const to = writeItem(value, depth, from);
    taken = dataset.value;
    return to;
  }
}

class Nullable implements Layout {
  readonly #inner: Layout;

  constructor(inner: Layout) {
    this.#inner = inner;
  }

  read(depth: number): unknown {
    return nothing() ? null : this.#inner.read(depth);
  }

  write(value: unknown, depth: number, from: number): number {
    if (value !== null) return this.#inner.write(value, depth, from);
    taken = null;
    return writeItem(null, depth, from);
  }
}

class Piped implements Layout {
  readonly #first: Layout;
  readonly #rest: readonly Step[];

  constructor(first: Layout, rest: readonly Step[]) {
    this.#first = first;
    this.#rest = rest;
  }

  /** False: one of them does not take it. What they make of it is in `taken`. */
  #run(value: unknown): boolean {
    let dataset: { typed: boolean; value: unknown; issues?: unknown } = { typed: true, value };
    for (const step of this.#rest) {
      dataset = step['~run'](dataset as v.UnknownDataset, CONFIG) as typeof dataset;
      if (dataset.issues !== undefined) return false;
    }
    taken = dataset.value;
    return true;
  }

  read(depth: number): unknown {
    const value = this.#first.read(depth);
    return isReadingOff() ? value : this.#run(value) ? taken : off();
  }

  write(value: unknown, depth: number, from: number): number {
    const to = this.#first.write(value, depth, from);
    return to === NOT_TAKEN || this.#run(taken) ? to : NOT_TAKEN;
  }
}

class List implements Layout {
  readonly #inner: Layout;

  constructor(inner: Layout) {
    this.#inner = inner;
  }

  read(depth: number): unknown {
    const length = head(MAJOR.array);
    if (depth >= LIMITS.cborDepth) off();
    const out: unknown[] = [];
    for (let i = 0; i < length && !isReadingOff(); i++) out.push(this.#inner.read(depth + 1));
    return out;
  }

  write(value: unknown, depth: number, from: number): number {
    if (!Array.isArray(value) || depth >= LIMITS.cborDepth) return NOT_TAKEN;
    const out: unknown[] = [];
    let to = writeList(value.length, from);
    for (const entry of value) {
      to = this.#inner.write(entry, depth + 1, to);
      if (to === NOT_TAKEN) return NOT_TAKEN;
      if (makes) out.push(taken);
    }
    taken = makes ? out : value;
    return to;
  }
}

class Tuple implements Layout {
  readonly #parts: readonly Layout[];

  constructor(parts: readonly Layout[]) {
    this.#parts = parts;
  }

  read(depth: number): unknown {
    if (head(MAJOR.array) !== this.#parts.length || depth >= LIMITS.cborDepth) return off();
    const out: unknown[] = [];
    for (const part of this.#parts) {
      if (isReadingOff()) return out;
      out.push(part.read(depth + 1));
    }
    return out;
  }

  write(value: unknown, depth: number, from: number): number {
    if (!Array.isArray(value) || value.length !== this.#parts.length || depth >= LIMITS.cborDepth) return NOT_TAKEN;
    const out: unknown[] = [];
    let to = writeList(value.length, from);
    for (const [at, part] of this.#parts.entries()) {
      to = part.write(value[at], depth + 1, to);
      if (to === NOT_TAKEN) return NOT_TAKEN;
      out.push(taken);
    }
    taken = out;
    return to;
  }
}

/** Maps of several kinds, told apart by a word of each that no other has. */
class Variant implements Layout {
  readonly #key: string;
  readonly #options: ReadonlyMap<unknown, Layout>;

  constructor(key: string, options: ReadonlyMap<unknown, Layout>) {
    this.#key = key;
    this.#options = options;
  }

  /** The word may lie behind other fields, so each kind is tried; those that it is not are off at once. */
  read(depth: number): unknown {
    if (isReadingOff()) return undefined;
    const from = mark();
    for (const option of this.#options.values()) {
      const value = option.read(depth);
      if (!isReadingOff()) return value;
      back(from);
    }
    return off();
  }

  write(value: unknown, depth: number, from: number): number {
    const option = isPlain(value) ? this.#options.get(value[this.#key]) : undefined;
    return option === undefined ? NOT_TAKEN : option.write(value, depth, from);
  }
}

interface Field {
  name: string;
  coded: Bytes;
  layout: Layout;
  isOptional: boolean;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array) && !(value instanceof Map);

class Fields implements Layout {
  /** In the order in which they are written. */
  readonly #fields: readonly Field[];
  /** In the order in which the schema names them, as its values have them. */
  readonly #names: readonly string[];
  /** With every field; cheaper to copy than to make. */
  readonly #full: Record<string, unknown>;

  constructor(fields: Field[]) {
    this.#names = fields.map(({ name }) => name);
    this.#full = Object.fromEntries(this.#names.map((name) => [name, null]));
    this.#fields = inOrder(fields);
  }

  /** Those of the schema's names that are there. */
  #some(held: Record<string, unknown>): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const name of this.#names) if (held[name] !== undefined) out[name] = held[name];
    return out;
  }

  read(depth: number): unknown {
    const size = head(MAJOR.map);
    if (depth >= LIMITS.cborDepth) return off();
    const out = this.#empty(size);
    let found = 0;
    for (const { name, coded, layout, isOptional } of this.#fields) {
      if (isReadingOff()) return out;
      if (found < size && key(coded)) {
        found++;
        out[name] = layout.read(depth + 1);
      } else if (!isOptional) return off();
    }
    if (found !== size) off();
    return size === this.#fields.length ? out : this.#some(out);
  }

  #empty(size: number): Record<string, unknown> {
    return size === this.#fields.length ? { ...this.#full } : {};
  }

  write(value: unknown, depth: number, from: number): number {
    if (!isPlain(value) || depth >= LIMITS.cborDepth) return NOT_TAKEN;
    const size = Object.keys(value).length;
    const out = makes ? this.#empty(size) : value;
    let found = 0;
    let to = writeMap(size, from);
    for (const { name, coded, layout, isOptional } of this.#fields) {
      const entry = value[name];
      if (entry === undefined) {
        if (isOptional) continue;
        return NOT_TAKEN;
      }
      found++;
      to = layout.write(entry, depth + 1, writeRaw(coded, to));
      if (to === NOT_TAKEN) return NOT_TAKEN;
      if (makes) out[name] = taken;
    }
    if (found !== size) return NOT_TAKEN;
    taken = !makes || size === this.#fields.length ? out : this.#some(out);
    return to;
  }
}

/** What this file has to know of a schema of valibot's; each has the members of its `type`. */
interface Seen extends Step {
  type: string;
  pipe?: (Seen & { kind: string })[];
  check?: Check;
  literal?: unknown;
  options?: unknown[];
  key?: string;
  items?: Seen[];
  wrapped?: Seen;
  default?: unknown;
  item?: Seen;
  entries?: Record<string, Seen>;
}

const fieldsOf = (entries: Record<string, Seen>): Layout | null => {
  const fields: Field[] = [];
  for (const [name, schema] of Object.entries(entries)) {
    const isOptional = schema.type === 'optional';
    if ((isOptional && schema.default !== undefined) || schema.type.startsWith('exact_') || schema.type === 'nullish') return null;
    const inner = isOptional ? schema.wrapped : schema;
    if (inner === undefined) return null;
    fields.push({ name, coded: encodedKey(name), layout: layoutOf(inner), isOptional });
  }
  return new Fields(fields);
};

/** Null: one kind might be taken for another. */
const variantOf = (key: string, kinds: readonly Seen[]): Layout | null => {
  const options = new Map<unknown, Layout>();
  for (const { type, entries, pipe } of kinds) {
    const { literal } = entries?.[key] ?? {};
    const fields = entries === undefined || pipe !== undefined || type !== 'strict_object' ? null : fieldsOf(entries);
    if (fields === null || literal === undefined || options.has(literal)) return null;
    options.set(literal, fields);
  }
  return new Variant(key, options);
};

/** Null: of this kind nothing is known. */
const plainLayoutOf = (schema: Seen): Layout | null => {
  const { check, literal, options, key: word, items, wrapped, item: inner, entries } = schema;
  switch (schema.type) {
    case 'custom':
      return check === undefined ? null : new Leaf(check);
    case 'literal':
      return new Leaf((value) => value === literal);
    case 'picklist':
      return options === undefined ? null : new Leaf((value) => options.includes(value));
    case 'boolean':
      return new Leaf((value) => typeof value === 'boolean');
    case 'string':
      return new Leaf((value) => typeof value === 'string');
    case 'nullable':
      return wrapped === undefined || schema.default !== undefined ? null : new Nullable(layoutOf(wrapped));
    case 'array':
      return inner === undefined ? null : new List(layoutOf(inner));
    case 'strict_tuple':
      return items === undefined ? null : new Tuple(items.map(layoutOf));
    case 'variant':
      return options === undefined || word === undefined ? null : variantOf(word, options as Seen[]);
    case 'strict_object':
      return entries === undefined ? null : fieldsOf(entries);
    default:
      return null;
  }
};

const layouts = new WeakMap<object, Layout>();

const layoutOf = (schema: Seen): Layout => {
  const held = layouts.get(schema);
  if (held !== undefined) return held;
  const [first, ...rest] = schema.pipe ?? [];
  const isPiped = first !== undefined && rest.every(({ kind }) => kind !== 'metadata');
  const made = (isPiped ? new Piped(layoutOf(first), rest) : plainLayoutOf(schema)) ?? new Whole(schema);
  layouts.set(schema, made);
  return made;
};

/** The schema's type hides what it is made of. */
const seen = (schema: Any): Seen => schema as unknown as Seen;

/** The bytes alone; null: the long way has to say. */
export const writeOnly = <T>(schema: v.GenericSchema<unknown, T>, value: T, itemsMax: number): Bytes | null => {
  const layout = layoutOf(seen(schema));
  makes = false;
  try {
    return writeAll(itemsMax, (from) => layout.write(value, 0, from));
  } finally {
    makes = true;
    taken = undefined;
  }
};

/** The bytes, and what a reader of them will have; null: the long way has to say. */
export const writeLaid = <T>(schema: v.GenericSchema<unknown, T>, value: T, itemsMax: number): { bytes: Bytes; value: T } | null => {
  const layout = layoutOf(seen(schema));
  const bytes = writeAll(itemsMax, (from) => layout.write(value, 0, from));
  const out = taken as T;
  taken = undefined;
  return bytes === null ? null : { bytes, value: out };
};

/** Null: the long way has to say. */
export const readLaid = <T>(schema: v.GenericSchema<unknown, T>, bytes: Bytes, itemsMax: number): { value: T } | null => {
  begin(bytes, itemsMax);
  const value = layoutOf(seen(schema)).read(0) as T;
  return end() ? { value } : null;
};
