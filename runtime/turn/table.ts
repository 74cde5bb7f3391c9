/** Typed tables over a draft: durable ones by a schema, volatile ones by a type. */
import type { Bytes } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { memo } from '../protocol/memo.ts';
import { decodeAs, encodeAs, encoded } from '../protocol/noun.ts';
import type { Schema } from '../protocol/schema.ts';
import type { Draft } from './draft.ts';

/** A table never looks at effects. */
type AnyDraft = Pick<Draft<unknown>, 'get' | 'put' | 'remove' | 'scan' | 'recall' | 'remember' | 'recallAll'>;

/** Values are replaced, never changed in place. */
export interface Table<T> {
  readonly name: string;
  get(draft: Pick<AnyDraft, 'get'>, ...key: string[]): T | null;
  put(draft: AnyDraft, value: T, ...key: string[]): void;
  remove(draft: AnyDraft, ...key: string[]): void;
  /** All rows below a prefix of the key, in order; the key is what follows the table's name. */
  all(draft: AnyDraft, ...prefix: string[]): { key: string; value: T }[];
  /** At most `limit` rows whose key comes after `after`. */
  page(draft: AnyDraft, after: string, limit: number): { key: string; value: T }[];
  /** The same rows for writes that mean nothing to whoever looks at the table: a turn tells of them by another name. */
  told(name: string): Pick<Table<T>, 'name' | 'put'>;
}

interface Codec<T> {
  encode(value: T): Bytes;
  decode(bytes: Bytes): T;
}

const tableOf = <T>(name: string, { encode, decode }: Codec<T>): Table<T> => {
  const below = `${name}/`;
  const keyOf = (key: string[]): string => below + (key.length === 1 ? key[0] : key.join('/'));
  const read = ({ key, value }: { key: string; value: Bytes }) => ({ key: key.slice(below.length), value: decode(value) });
  return {
    name,
    get: (draft, ...key) => {
      const bytes = draft.get(keyOf(key));
      return bytes === null ? null : decode(bytes);
    },
    put: (draft, value, ...key) => draft.put(keyOf(key), encode(value), name),
    remove: (draft, ...key) => draft.remove(keyOf(key), name),
    all: (draft, ...prefix) => draft.scan(prefix.length === 0 ? below : `${keyOf(prefix)}/`).map(read),
    page: (draft, after, limit) => draft.scan(below, { after: keyOf([after]), limit }).map(read),
    told: (told) => ({ name: told, put: (draft, value, ...key) => draft.put(keyOf(key), encode(value), name, told) }),
  };
};

/**
 * `known` forgets with the bytes: a row is parsed when it is first read, or not at all by whoever wrote it, for as long as
 * the store gives the same bytes. `seldom` read, and mostly written over before anybody does: nothing is remembered for that.
 */
export const table = <T>(name: string, schema: Schema<T>, read: 'often' | 'seldom' = 'often'): Table<T> => {
  const known = memo<Bytes, { value: T }>();
  return tableOf(name, {
    encode: (value) => {
      if (read === 'seldom') return encodeAs(schema, value, name);
      const row = encoded(schema, value, name);
      known.set(row.bytes, row);
      return row.bytes;
    },
    decode: (bytes) => {
      const held = known.get(bytes);
      if (held !== undefined) return held.value;
      const value = decodeAs(schema, bytes, name);
      known.set(bytes, { value });
      return value;
    },
  });
};

/** Of bytes as they are: hashes, and documents that are looked into elsewhere. Error: `too-large`. */
export const bytesTable = (name: string, maxBytes: number): Table<Bytes> => {
  const check = (bytes: Bytes): Bytes =>
    bytes.length > maxBytes ? refuse('too-large', `a row of ${name} has at most ${maxBytes} bytes, this one ${bytes.length}`) : bytes;
  return tableOf(name, { encode: check, decode: check });
};

export interface VolatileTable<T> {
  readonly name: string;
  get(draft: AnyDraft, key: string): T | null;
  put(draft: AnyDraft, value: T, key: string): void;
  remove(draft: AnyDraft, key: string): void;
  all(draft: AnyDraft): { key: string; value: T }[];
  /** As `all`, without a copy: the table stays as it is while somebody walks through it. */
  rows(draft: AnyDraft): ReadonlyMap<string, T>;
  /** Whether there is a row at all. */
  any(draft: AnyDraft): boolean;
}

/** Empty after a restart. Values are replaced, never changed in place. */
export const volatileTable = <T>(name: string): VolatileTable<T> => ({
  name,
  get: (draft, key) => (draft.recall(name, key) as T | undefined) ?? null,
  put: (draft, value, key) => draft.remember(name, key, value),
  remove: (draft, key) => draft.remember(name, key, undefined),
  all: (draft) => {
    const out: { key: string; value: T }[] = [];
    for (const [key, value] of draft.recallAll(name)) out.push({ key, value: value as T });
    return out;
  },
  rows: (draft) => draft.recallAll(name) as ReadonlyMap<string, T>,
  any: (draft) => draft.recallAll(name).size > 0,
});

/** Numbers in keys sort as numbers. */
export const ordinal = (value: number): string => value.toString().padStart(16, '0');
