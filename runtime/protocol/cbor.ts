/**
 * Deterministic CBOR (RFC 8949 §4.2.1), integers only.
 *
 * cbor-x is lax by nature (it takes duplicate keys, long-form integers, bignums that cost quadratic time), so an
 * iterative scanner reads the bytes first and refuses whatever is not in the one allowed form. What passes is
 * decoded by cbor-x. Signed bytes are always verified as they came, never as re-encoded.
 *
 * Allowed: integers from −2^63 to 2^64 − 1, byte and text strings of definite length, arrays, maps with text keys in
 * ascending order, false, true, null; integer keys in COSE headers only. Refused: tags, floats, undefined, indefinite
 * lengths.
 */
import { Encoder } from 'cbor-x';
import { type Bytes, compare, fromUtf8, utf8 } from './bytes.ts';
import { refuse } from './errors.ts';
import { LIMITS } from './limits.ts';

/** A `Map` is a COSE header: its keys are integers. */
export type Value = number | bigint | string | boolean | null | Bytes | Value[] | { [key: string]: Value } | Map<number, Value>;

const codec = new Encoder({ mapsAsObjects: false, useRecords: false, variableMapSize: true, tagUint8Array: false });
const UINT32 = 2 ** 32;
const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 64n - 1n;

/** Would be something else than a key of its own in a JavaScript object. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

interface Keyed {
  key: string;
  /** Its UTF-8. */
  coded: Bytes;
  entry: Value;
}

/** Shorter first, then bytewise: the order of the encoded keys. */
const keyOrder = (a: Keyed, b: Keyed): number => a.coded.length - b.coded.length || compare(a.coded, b.coded);

/** The order of encoded integers: 0, 1, 2, …, then −1, −2, … */
const headerOrder = ([a]: [number, Value], [b]: [number, Value]): number => (a < 0 === b < 0 ? Math.abs(a) - Math.abs(b) : b - a);

/** cbor-x writes integers from 2^32 on as floats unless they come as BigInt, and BigInts always in eight bytes. */
const prepareInteger = (value: number | bigint): number | bigint => {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) refuse('bad-cbor', `${value} is not an integer`);
  if (value < INT_MIN || value > INT_MAX) refuse('bad-cbor', `${value} does not fit 64 bits`);
  return value >= UINT32 || value < -UINT32 ? BigInt(value) : Number(value);
};

const prepareText = (value: string): string => (value.isWellFormed() ? value : refuse('bad-cbor', 'a text holds half a surrogate pair'));

/** cbor-x leaves keys in the order in which they stand. */
const prepare = (value: Value): unknown => {
  if (typeof value === 'number' || typeof value === 'bigint') return prepareInteger(value);
  if (typeof value === 'string') return prepareText(value);
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(prepare);
  if (value instanceof Map) return new Map([...value].sort(headerOrder).map(([key, entry]) => [prepareInteger(key), prepare(entry)]));
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  if (entries.some(([key]) => RESERVED.has(key))) refuse('bad-cbor', 'a map key is a reserved word');
  const keyed = entries.map(([key, entry]): Keyed => ({ key: prepareText(key), coded: utf8(key), entry }));
  return new Map(keyed.sort(keyOrder).map(({ key, entry }) => [key, prepare(entry)]));
};

/** Keys whose value is `undefined` are left out; maps of a protocol never hold them. */
export const encode = (value: Value): Bytes => new Uint8Array(codec.encode(prepare(value)));

interface Open {
  left: number;
  /** For maps: where the last key stood, to see that the next one is greater. */
  map: boolean;
  lastKey: Bytes | null;
}

/** Reads one head (RFC 8949 §3): major type, argument, and where its content begins. Refuses long forms. */
const head = (bytes: Bytes, at: number): { major: number; argument: number; next: number } => {
  const initial = bytes[at] ?? refuse('bad-cbor', 'the input ends too early');
  const major = initial >> 5;
  const info = initial & 31;
  if (info < 24) return { major, argument: info, next: at + 1 };
  if (info > 27) refuse('bad-cbor', 'indefinite or reserved length');
  const size = 1 << (info - 24);
  if (at + 1 + size > bytes.length) refuse('bad-cbor', 'the input ends too early');
  let argument = 0;
  for (let i = 1; i <= size; i++) argument = argument * 256 + (bytes[at + i] ?? 0);
  if (major !== 7 && argument < (size === 1 ? 24 : 2 ** (4 * size))) refuse('bad-cbor', 'an integer is not in its shortest form');
  return { major, argument, next: at + 1 + size };
};

/** Takes one item off the innermost open array or map; a map item at an even place left is a key. */
const isKey = (open: Open | undefined): boolean => open?.map === true && open.left % 2 === 0;

const checkKey = (open: Open, key: Bytes, major: number, keys: Reading['keys']): void => {
  if (keys === 'text' ? major !== 3 : major > 1) refuse('bad-cbor', `a map key is not ${keys === 'text' ? 'text' : 'an integer'}`);
  if (open.lastKey !== null && compare(open.lastKey, key) >= 0) refuse('bad-cbor', 'map keys are not in ascending order or are repeated');
  open.lastKey = key;
};

export interface Reading {
  /** Integer keys are for COSE headers. */
  keys: 'text' | 'integer';
  itemsMax: number;
}

const DOCUMENT: Reading = { keys: 'text', itemsMax: LIMITS.cborItems };
const HEADER: Reading = { keys: 'integer', itemsMax: LIMITS.cborItems };

/** Throws `bad-cbor` unless `bytes` is exactly one item in the allowed form. */
export const scan = (bytes: Bytes, { keys, itemsMax }: Reading = DOCUMENT): void => {
  const stack: Open[] = [];
  let at = 0;
  let items = 0;
  do {
    if (++items > itemsMax) refuse('bad-cbor', `more than ${itemsMax} items`);
    const open = stack.at(-1);
    const { major, argument, next } = head(bytes, at);
    const end = major === 2 || major === 3 ? next + argument : next;
    if (end > bytes.length) refuse('bad-cbor', 'the input ends too early');
    if (major === 3) fromUtf8(bytes.subarray(next, end));
    if (major === 1 && next === at + 9 && (bytes[at + 1] ?? 0) >= 0x80) refuse('bad-cbor', 'an integer does not fit 64 bits');
    if (major === 6) refuse('bad-cbor', 'tags are not allowed here');
    if (major === 7 && (next !== at + 1 || argument < 20 || argument > 22))
      refuse('bad-cbor', 'floats and other simple values are not allowed');
    if (open !== undefined) {
      if (isKey(open)) checkKey(open, bytes.subarray(at, end), major, keys);
      open.left--;
    }
    at = end;
    if (major === 4 || major === 5) {
      if (argument > itemsMax) refuse('bad-cbor', `more than ${itemsMax} items`);
      if (stack.length >= LIMITS.cborDepth) refuse('bad-cbor', `nested deeper than ${LIMITS.cborDepth}`);
      stack.push({ left: major === 5 ? argument * 2 : argument, map: major === 5, lastKey: null });
    }
    while (stack.at(-1)?.left === 0) stack.pop();
  } while (stack.length > 0);
  if (at !== bytes.length) refuse('bad-cbor', 'bytes follow after the end');
};

/** Maps become plain objects, those of a header stay maps; an integer is a number wherever a number holds it exactly. */
const plain = (value: unknown): unknown => {
  if (typeof value === 'bigint') return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  if (value instanceof Uint8Array) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!(value instanceof Map)) return value;
  const entries = [...value].map(([key, entry]) => [plain(key), plain(entry)] as const);
  if (entries.some(([key]) => typeof key !== 'string')) return new Map(entries);
  if (entries.some(([key]) => RESERVED.has(String(key)))) refuse('bad-cbor', 'a map key is a reserved word');
  return Object.fromEntries(entries);
};

/** cbor-x hangs a DataView on the array it reads; a view of the bytes takes it, so that the caller's stay as they are. */
const read = (bytes: Bytes): unknown => plain(codec.decode(bytes.subarray()));

/**
 * Strict decoding of one item; the result is `unknown` until a schema has parsed it. Error: `bad-cbor`. `itemsMax` may
 * be raised for what this machine wrote itself.
 */
export const decode = (bytes: Bytes, itemsMax: number = LIMITS.cborItems): unknown => {
  scan(bytes, { keys: 'text', itemsMax });
  return read(bytes);
};

/** A COSE header: a map with integer keys. */
export const decodeHeader = (bytes: Bytes): Map<unknown, unknown> => {
  scan(bytes, HEADER);
  const header = read(bytes);
  return header instanceof Map ? header : new Map();
};
