/** Typed tables over a draft: durable ones by a schema, volatile ones by a type. */
import type { Bytes } from '../protocol/bytes.ts';
import { decodeAs, encodeAs } from '../protocol/noun.ts';
import type { Schema } from '../protocol/schema.ts';
import type { Draft } from './draft.ts';

/** A table never looks at effects. */
type AnyDraft = Pick<Draft<unknown>, 'get' | 'put' | 'remove' | 'scan' | 'recall' | 'remember' | 'recallAll'>;

/** Values are replaced, never changed in place. */
export interface Table<T> {
  get(draft: AnyDraft, ...key: string[]): T | null;
  put(draft: AnyDraft, value: T, ...key: string[]): void;
  remove(draft: AnyDraft, ...key: string[]): void;
  /** All rows below a prefix of the key, in order; the key is what follows the table's name. */
  all(draft: AnyDraft, ...prefix: string[]): { key: string; value: T }[];
  /** At most `limit` rows whose key comes after `after`. */
  page(draft: AnyDraft, after: string, limit: number): { key: string; value: T }[];
}

/** `decoded` forgets with the bytes: a row that is asked for again and again within a turn is parsed once. */
export const table = <T>(name: string, schema: Schema<T>): Table<T> => {
  const decoded = new WeakMap<Bytes, { value: T }>();
  const decode = (bytes: Bytes): T => {
    const known = decoded.get(bytes) ?? { value: decodeAs(schema, bytes, name) };
    decoded.set(bytes, known);
    return known.value;
  };
  const keyOf = (key: string[]): string => [name, ...key].join('/');
  const read = ({ key, value }: { key: string; value: Bytes }) => ({
    key: key.slice(name.length + 1),
    value: decodeAs(schema, value, name),
  });
  return {
    get: (draft, ...key) => {
      const bytes = draft.get(keyOf(key));
      return bytes === null ? null : decode(bytes);
    },
    put: (draft, value, ...key) => draft.put(keyOf(key), encodeAs(schema, value, name)),
    remove: (draft, ...key) => draft.remove(keyOf(key)),
    all: (draft, ...prefix) => draft.scan(`${keyOf(prefix)}/`).map(read),
    page: (draft, after, limit) => draft.scan(`${name}/`, { after: keyOf([after]), limit }).map(read),
  };
};

export interface VolatileTable<T> {
  get(draft: AnyDraft, key: string): T | null;
  put(draft: AnyDraft, value: T, key: string): void;
  remove(draft: AnyDraft, key: string): void;
  all(draft: AnyDraft): { key: string; value: T }[];
}

/** Empty after a restart. Values are replaced, never changed in place. */
export const volatileTable = <T>(name: string): VolatileTable<T> => ({
  get: (draft, key) => (draft.recall(name, key) as T | undefined) ?? null,
  put: (draft, value, key) => draft.remember(name, key, value),
  remove: (draft, key) => draft.remember(name, key, undefined),
  all: (draft) => draft.recallAll(name).map(([key, value]) => ({ key, value: value as T })),
});

/** Numbers in keys sort as numbers. */
export const ordinal = (value: number): string => value.toString().padStart(16, '0');
