/**
 * Deterministic CBOR (RFC 8949 §4.2.1), integers only.
 *
 * What is in the one allowed form is read in one pass (`cbor-read.ts`). Whatever that is not sure of goes the long way.
 * cbor-x is lax by nature (it takes duplicate keys, long-form integers, bignums that cost quadratic time), so there an
 * iterative scanner reads the bytes first and refuses whatever is not in the one allowed form, with the reason. What
 * passes is decoded by cbor-x. Signed bytes are always verified as they came, never as re-encoded.
 *
 * Allowed: integers from −2^63 to 2^64 − 1, byte and text strings of definite length, arrays, maps with text keys in
 * ascending order, false, true, null; integer keys in COSE headers only. Refused: tags, floats, undefined, indefinite
 * lengths, and keys that a JavaScript object would not take for one of its own.
 */
// Not its main entry, which looks for the native cbor-extract: that gains nothing behind the scanner, and every text it
// reads is a slice that holds the whole document in memory.
import { Decoder } from 'cbor-x/decode';
import { type Bytes, fromUtf8 } from './bytes.ts';
import { isMarked, readPlain } from './cbor-plain.ts';
import { begin, end, item } from './cbor-read.ts';
import { RESERVED, type Value, write } from './cbor-write.ts';
import { refuse } from './errors.ts';
import { LIMITS } from './limits.ts';

/** Keys whose value is `undefined` are left out; maps of a protocol never hold them. Error: `bad-cbor`. */
export const encode = (value: Value): Bytes => write(value);

/** What `decode` with the same limit takes back, and nothing else. Error: `bad-cbor`. */
export const encodeWithin = (value: Value, itemsMax: number = LIMITS.cborItems): Bytes => write(value, itemsMax);

/** The head of a tag, and the item it is for. */
export const encodeTagged = (tag: Bytes, value: Value): Bytes => write(value, Number.POSITIVE_INFINITY, tag);

export interface Reading {
  /** Integer keys are for COSE headers. */
  keys: 'text' | 'integer';
  itemsMax: number;
}

const DOCUMENT: Reading = { keys: 'text', itemsMax: LIMITS.cborItems };
const HEADER: Reading = { keys: 'integer', itemsMax: LIMITS.cborItems };

/** What the head that was read last says beside its major type, and where its content begins. */
let argument = 0;
let next = 0;

/** Reads one head (RFC 8949 §3) and answers with its major type. Refuses long forms. */
const head = (bytes: Bytes, at: number): number => {
  const initial = bytes[at] ?? refuse('bad-cbor', 'the input ends too early');
  const major = initial >> 5;
  const info = initial & 31;
  argument = info;
  next = at + 1;
  if (info < 24) return major;
  if (info > 27) refuse('bad-cbor', 'indefinite or reserved length');
  const size = 1 << (info - 24);
  if (next + size > bytes.length) refuse('bad-cbor', 'the input ends too early');
  argument = 0;
  for (const end = next + size; next < end; next++) argument = argument * 256 + (bytes[next] ?? 0);
  if (major !== 7 && argument < (size === 1 ? 24 : 2 ** (4 * size))) refuse('bad-cbor', 'an integer is not in its shortest form');
  return major;
};

/** Arrays and maps that are open, the innermost last: items left of each, whether it is a map, and where its last key stood. */
const lefts = new Float64Array(LIMITS.cborDepth);
const maps = new Uint8Array(LIMITS.cborDepth);
const keyFrom = new Float64Array(LIMITS.cborDepth);
const keyTo = new Float64Array(LIMITS.cborDepth);

/** Bytewise lexicographic order (RFC 8949 §4.2.1) of two stretches of `bytes`. */
const isAscending = (bytes: Bytes, a: number, aEnd: number, b: number, bEnd: number): boolean => {
  const shared = Math.min(aEnd - a, bEnd - b);
  for (let i = 0; i < shared; i++) {
    const difference = (bytes[b + i] ?? 0) - (bytes[a + i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return bEnd - b > aEnd - a;
};

const LETTER = { underscore: 0x5f, c: 0x63, p: 0x70 };

/** By length and first letter, so that few keys have to be read. */
const mayBeReserved = (length: number, first: number | undefined): boolean =>
  length === 9 ? first === LETTER.underscore || first === LETTER.p : length === 11 && first === LETTER.c;

/** `from` is where the key's head stands, `text` where its letters begin. */
const checkKey = (bytes: Bytes, depth: number, major: number, from: number, text: number, end: number, keys: Reading['keys']): void => {
  if (keys === 'text' ? major !== 3 : major > 1) refuse('bad-cbor', `a map key is not ${keys === 'text' ? 'text' : 'an integer'}`);
  const [lastFrom = 0, lastTo = 0] = [keyFrom[depth], keyTo[depth]];
  if (lastTo > 0 && !isAscending(bytes, lastFrom, lastTo, from, end))
    refuse('bad-cbor', 'map keys are not in ascending order or are repeated');
  if (major === 3 && mayBeReserved(end - text, bytes[text]) && RESERVED.has(fromUtf8(bytes.subarray(text, end))))
    refuse('bad-cbor', 'a map key is a reserved word');
  keyFrom[depth] = from;
  keyTo[depth] = end;
};

/** Whether what was scanned last holds a text that cbor-x cannot be trusted with. */
let marked = false;

const checkText = (bytes: Bytes, from: number, to: number): void => {
  if (isMarked(bytes, from, to)) marked = true;
  for (let i = from; i < to; i++) if ((bytes[i] ?? 0) > 0x7f) return void fromUtf8(bytes.subarray(from, to));
};

const checkSimple = (major: number, isShort: boolean): void => {
  if (major === 6) refuse('bad-cbor', 'tags are not allowed here');
  if (!isShort || argument < 20 || argument > 22) refuse('bad-cbor', 'floats and other simple values are not allowed');
};

/** Whether a number cannot hold the integer just read. Of a negative one `argument` is −1 − it. */
const isWide = (bytes: Bytes, at: number, major: number): boolean => {
  if (major === 1 && (bytes[at + 1] ?? 0) >= 0x80) refuse('bad-cbor', 'an integer does not fit 64 bits');
  return argument > Number.MAX_SAFE_INTEGER - major;
};

/**
 * Throws `bad-cbor` unless `bytes` is exactly one item in the allowed form. True when it holds an integer that only a
 * BigInt holds exactly.
 */
export const scan = (bytes: Bytes, { keys, itemsMax }: Reading = DOCUMENT): boolean => {
  let depth = -1;
  let at = 0;
  let items = 0;
  let wide = false;
  marked = false;
  do {
    if (++items > itemsMax) refuse('bad-cbor', `more than ${itemsMax} items`);
    const major = head(bytes, at);
    const begin = next;
    const end = major === 2 || major === 3 ? begin + argument : begin;
    if (end > bytes.length) refuse('bad-cbor', 'the input ends too early');
    if (major === 3) checkText(bytes, begin, end);
    else if (major > 5) checkSimple(major, begin === at + 1);
    else if (major < 2 && begin === at + 9) wide = isWide(bytes, at, major) || wide;
    if (depth >= 0) {
      const left = lefts[depth] ?? 0;
      if (maps[depth] === 1 && left % 2 === 0) checkKey(bytes, depth, major, at, begin, end, keys);
      lefts[depth] = left - 1;
    }
    at = end;
    if (major === 4 || major === 5) {
      if (argument > itemsMax) refuse('bad-cbor', `more than ${itemsMax} items`);
      if (++depth >= LIMITS.cborDepth) refuse('bad-cbor', `nested deeper than ${LIMITS.cborDepth}`);
      lefts[depth] = major === 5 ? argument * 2 : argument;
      maps[depth] = major === 5 ? 1 : 0;
      keyTo[depth] = 0;
    }
    while (depth >= 0 && lefts[depth] === 0) depth--;
  } while (depth >= 0);
  if (at !== bytes.length) refuse('bad-cbor', 'bytes follow after the end');
  return wide;
};

const OPTIONS = { useRecords: false, copyBuffers: true, mapsAsObjects: true };
const NUMBERS = { ...OPTIONS, int64AsNumber: true };
/** For what holds no integer beyond a number's exactness, which is nearly everything. */
const lean = new Decoder(NUMBERS);
const exact = new Decoder(OPTIONS);
const headers = new Decoder({ ...OPTIONS, mapsAsObjects: false });

/** cbor-x hangs a DataView on the array it reads: a view of the bytes takes it, so that the caller's stay as they are. */
const viewOf = (bytes: Bytes): Bytes => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);

/** An integer is a number wherever a number holds it exactly. In place: nobody else has seen it yet. */
const settle = (value: unknown): unknown => {
  if (typeof value === 'bigint') return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const held = value as Record<string, unknown>;
  for (const key of Object.keys(held)) held[key] = settle(held[key]);
  return value;
};

/**
 * Strict decoding of one item; the result is `unknown` until a schema has parsed it. Error: `bad-cbor`. `itemsMax` may
 * be raised for what this machine wrote itself.
 */
export const decode = (bytes: Bytes, itemsMax: number = LIMITS.cborItems): unknown => {
  begin(bytes, itemsMax);
  const value = item(0);
  return end() ? value : decodeScanned(bytes, itemsMax);
};

/** The long way, which says what is wrong: the scanner, and then cbor-x. */
export const decodeScanned = (bytes: Bytes, itemsMax: number = LIMITS.cborItems): unknown => {
  const wide = scan(bytes, itemsMax === LIMITS.cborItems ? DOCUMENT : { keys: 'text', itemsMax });
  if (marked) return readPlain(bytes);
  return wide ? settle(exact.decode(viewOf(bytes))) : lean.decode(viewOf(bytes));
};

/** A COSE header: a map with integer keys. */
export const decodeHeader = (bytes: Bytes): Map<unknown, unknown> => {
  scan(bytes, HEADER);
  const header: unknown = headers.decode(viewOf(bytes));
  return header instanceof Map ? header : new Map();
};
