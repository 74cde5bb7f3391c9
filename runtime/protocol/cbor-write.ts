/**
 * Writes values as deterministic CBOR (RFC 8949 §4.2.1) in one pass over a buffer that is kept: a board signs and stores
 * thousands of small items an hour. cbor-x has no canonical mode: it leaves keys in the order in which they stand, writes
 * integers from 2^32 on as floats and guesses the length of texts.
 */
import { type Bytes, compare, cut, utf8 } from './bytes.ts';
import { refuse } from './errors.ts';
import { LIMITS } from './limits.ts';

/** A `Map` is a COSE header: its keys are integers. */
export type Value = number | bigint | string | boolean | null | Bytes | Value[] | { [key: string]: Value } | Map<number, Value>;

/** Would be something else than a key of its own in a JavaScript object. */
export const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

const UINT32 = 2 ** 32;
const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 64n - 1n;
/** What one head takes at most. */
const HEAD = 9;
/** Up to here texts are copied letter by letter, which beats a call of the encoder. */
const SHORT = 64;
const KEPT_BYTES = 64 * 1024;
const NO_TAG = new Uint8Array(0);

let out: Bytes = new Uint8Array(KEPT_BYTES);
/** Items that may still follow, of how many; no limit: nothing is held against what a reader of documents takes. */
let left = Number.POSITIVE_INFINITY;
let most = Number.POSITIVE_INFINITY;

const room = (end: number): void => {
  if (end <= out.length) return;
  const grown = new Uint8Array(Math.max(2 * out.length, end));
  grown.set(out);
  out = grown;
};

// Each of these writes from `at` on and says where it ended.

const word = (value: number, at: number): number => {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
};

/** `argument` is a safe integer; the shortest form. */
const head = (major: number, argument: number, at: number): number => {
  room(at + HEAD);
  const top = major << 5;
  if (argument < 24) {
    out[at] = top | argument;
    return at + 1;
  }
  if (argument < 0x100) {
    out[at] = top | 24;
    out[at + 1] = argument;
    return at + 2;
  }
  if (argument < 0x10000) {
    out[at] = top | 25;
    out[at + 1] = argument >>> 8;
    out[at + 2] = argument;
    return at + 3;
  }
  if (argument < UINT32) {
    out[at] = top | 26;
    return word(argument, at + 1);
  }
  out[at] = top | 27;
  return word(argument >>> 0, word(Math.floor(argument / UINT32), at + 1));
};

const integer = (value: number, at: number): number => {
  if (!Number.isSafeInteger(value)) refuse('bad-cbor', `${value} is not an integer`);
  return value >= 0 ? head(0, value, at) : head(1, -1 - value, at);
};

const bigInteger = (value: bigint, at: number): number => {
  const rounded = Number(value);
  if (Number.isSafeInteger(rounded)) return integer(rounded, at);
  if (value < INT_MIN || value > INT_MAX) refuse('bad-cbor', `${value} does not fit 64 bits`);
  const argument = value < 0n ? -1n - value : value;
  room(at + HEAD);
  out[at] = value < 0n ? 0x3b : 0x1b;
  return word(Number(argument & 0xffffffffn), word(Number(argument >> 32n), at + 1));
};

const bytes = (major: number, value: Bytes, from: number): number => {
  const at = head(major, value.length, from);
  room(at + value.length);
  out.set(value, at);
  return at + value.length;
};

/** What stands before so many bytes. */
export const byteHead = (length: number): Bytes => out.slice(0, head(2, length, 0));

const text = (value: string, from: number): number => {
  const { length } = value;
  if (length <= SHORT) {
    room(from + HEAD + length);
    const at = head(3, length, from);
    const target = out;
    let seen = 0;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      seen |= code;
      target[at + i] = code;
    }
    if (seen < 0x80) return at + length;
  }
  if (!value.isWellFormed()) refuse('bad-cbor', 'a text holds half a surrogate pair');
  return bytes(3, utf8(value), from);
};

const isAscii = (text: string): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
};

/** Of ASCII keys: shorter first, then bytewise, which is the order of the encoded keys. */
const isBefore = (a: string, b: string): boolean => (a.length === b.length ? a < b : a.length < b.length);

/** More keys than this are sorted by the language. */
const FEW = 32;

/** In place. By insertion where there are few: the maps of a protocol are small, and often in order already. */
const sortAscii = (keys: string[]): void => {
  if (keys.length > FEW) return void keys.sort((a, b) => (isBefore(a, b) ? -1 : 1));
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] ?? '';
    let j = i - 1;
    for (; j >= 0 && isBefore(key, keys[j] ?? ''); j--) keys[j + 1] = keys[j] ?? '';
    keys[j + 1] = key;
  }
};

/** Shorter first, then bytewise: the order of the encoded keys. */
const byCode = (a: string, b: string): number => {
  const [x, y] = [utf8(a), utf8(b)];
  return x.length - y.length || compare(x, y);
};

/** The same map with its keys in the order in which it is written. */
export const sorted = <Entry>(value: Record<string, Entry>): Record<string, Entry> => {
  const keys = Object.keys(value);
  const order = [...keys].sort(byCode);
  return order.every((key, i) => key === keys[i]) ? value : Object.fromEntries(Object.entries(value).sort(([a], [b]) => byCode(a, b)));
};

/** How a frozen map is written, and how many items it holds; null: it was not written yet. */
const kept = new WeakMap<object, { coded: Bytes; items: number; depth: number } | null>();

/** Freezes a map with all that is in it: its encoding is worked out once. */
export const keep = (value: object): void => {
  freeze(value);
  if (!kept.has(value)) kept.set(value, null);
};

const freeze = (value: unknown): void => {
  // Bytes cannot be frozen. They are never changed in place, either.
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  Object.freeze(value);
  for (const entry of Object.values(value)) freeze(entry);
};

const map = (value: { [key: string]: Value }, depth: number, from: number): number => {
  const known = Object.isExtensible(value) ? undefined : kept.get(value);
  if (known === undefined) return record(value, depth, from);
  if (known !== null && depth <= known.depth) {
    take(known.items);
    room(from + known.coded.length);
    out.set(known.coded, from);
    return from + known.coded.length;
  }
  const leftThen = left;
  const end = record(value, depth, from);
  if (most < Number.POSITIVE_INFINITY) kept.set(value, { coded: out.slice(from, end), items: leftThen - left, depth });
  return end;
};

const record = (value: { [key: string]: Value }, depth: number, from: number): number => {
  const keys = Object.keys(value);
  let count = 0;
  let ascii = true;
  for (const key of keys) {
    if (value[key] === undefined) continue;
    if (RESERVED.has(key)) refuse('bad-cbor', 'a map key is a reserved word');
    ascii &&= isAscii(key);
    keys[count++] = key;
  }
  keys.length = count;
  if (ascii) sortAscii(keys);
  else keys.sort(byCode);
  take(count);
  let at = head(5, count, from);
  for (const key of keys) {
    at = text(key, at);
    const entry = value[key];
    if (entry !== undefined) at = item(entry, depth, at);
  }
  return at;
};

/** The order of encoded integers: 0, 1, 2, …, then −1, −2, … */
const headerOrder = ([a]: [number, Value], [b]: [number, Value]): number => (a < 0 === b < 0 ? Math.abs(a) - Math.abs(b) : b - a);

const header = (value: Map<number, Value>, depth: number, from: number): number => {
  if (most < Number.POSITIVE_INFINITY && value.size > 0) refuse('bad-cbor', 'a map key is not text');
  let at = head(5, value.size, from);
  for (const [key, entry] of [...value].sort(headerOrder)) at = item(entry, depth, integer(key, at));
  return at;
};

const list = (value: Value[], depth: number, from: number): number => {
  let at = head(4, value.length, from);
  for (const entry of value) at = item(entry, depth, at);
  return at;
};

const take = (items: number): void => {
  left -= items;
  if (left < 0) refuse('bad-cbor', `more than ${most} items`);
};

const simple = (value: number, at: number): number => {
  room(at + 1);
  out[at] = value;
  return at + 1;
};

const item = (value: Value, depth: number, at: number): number => {
  take(1);
  if (typeof value === 'string') return text(value, at);
  if (typeof value === 'number') return integer(value, at);
  if (typeof value === 'bigint') return bigInteger(value, at);
  if (typeof value === 'boolean') return simple(value ? 0xf5 : 0xf4, at);
  if (value === null) return simple(0xf6, at);
  if (typeof value !== 'object') return refuse('bad-cbor', `a ${typeof value} has no place here`);
  if (value instanceof Uint8Array) return bytes(2, value, at);
  if (most < Number.POSITIVE_INFINITY && depth >= LIMITS.cborDepth) refuse('bad-cbor', `nested deeper than ${LIMITS.cborDepth}`);
  if (Array.isArray(value)) return list(value, depth + 1, at);
  return value instanceof Map ? header(value, depth + 1, at) : map(value, depth + 1, at);
};

// For whoever knows how a schema's values lie (`layout.ts`).

export const NOT_TAKEN = -1;

/** A key as it stands in a map. */
export const encodedKey = (name: string): Bytes => write(name);

/** In the order in which they are written. */
export const inOrder = <Keyed extends { name: string }>(fields: readonly Keyed[]): Keyed[] =>
  [...fields].sort((a, b) => byCode(a.name, b.name));

/** An item of whatever kind, with all that is in it. */
export const writeItem = (value: unknown, depth: number, from: number): number => item(value as Value, depth, from);

/** The head of a map: it and its keys are counted. */
export const writeMap = (count: number, from: number): number => {
  take(1 + count);
  return head(5, count, from);
};

/** The head of a list. */
export const writeList = (length: number, from: number): number => {
  take(1);
  return head(4, length, from);
};

export const writeRaw = (coded: Bytes, from: number): number => {
  const { length } = coded;
  room(from + length);
  const target = out;
  for (let i = 0; i < length; i++) target[from + i] = coded[i] ?? 0;
  return from + length;
};

/** As `write`, of what `body` writes; null when it says `NOT_TAKEN`. */
export const writeAll = (itemsMax: number, body: (from: number) => number): Bytes | null => {
  most = itemsMax;
  left = itemsMax;
  try {
    const end = body(0);
    return end === NOT_TAKEN ? null : cut(out, 0, end);
  } finally {
    letGo();
  }
};

/** What one statement took is not held for ever. */
const letGo = (): void => {
  if (out.length > 16 * KEPT_BYTES) out = new Uint8Array(KEPT_BYTES);
};

/** As `write`, for who is done with it before anything else is written: it lies in memory that the next one takes. */
export const lend = (value: Value): Bytes => {
  most = Number.POSITIVE_INFINITY;
  left = most;
  try {
    // What is written may need more memory than there was.
    const end = item(value, 0, 0);
    return out.subarray(0, end);
  } finally {
    letGo();
  }
};

/**
 * Keys whose value is `undefined` are left out; maps of a protocol never hold them. With `itemsMax` only what a reader
 * of documents with that limit takes is written. `tag` is the head of one, which stands before it. Error: `bad-cbor`.
 */
export const write = (value: Value, itemsMax = Number.POSITIVE_INFINITY, tag: Bytes = NO_TAG): Bytes => {
  most = itemsMax;
  left = itemsMax;
  try {
    out.set(tag);
    const end = item(value, 0, tag.length);
    return cut(out, 0, end);
  } finally {
    letGo();
  }
};
