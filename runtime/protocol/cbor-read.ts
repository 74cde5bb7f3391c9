/**
 * Reads deterministic CBOR in one pass, by whoever knows what comes next. It is as strict as the scanner of `cbor.ts`: what
 * that would refuse, and what is rare, makes the reading `off`. Then its results mean nothing, and the long way says what is
 * wrong. One reading at a time.
 */
import { type Bytes, cut, fromUtf8 } from './bytes.ts';
import { RESERVED } from './cbor-write.ts';
import { LIMITS } from './limits.ts';

export const MAJOR = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 } as const;

const UINT32 = 2 ** 32;
/** Above it a number of two words is not safe. */
const HIGH_MAX = 2 ** 21;
const NONE = new Uint8Array(0);
const SIMPLE: ReadonlyMap<number, boolean | null> = new Map([
  [0xf4, false],
  [0xf5, true],
  [0xf6, null],
]);
const NULL = 0xf6;

let bytes: Bytes = NONE;
let at = 0;
/** Items that may still come. */
let left = 0;
let isOff = false;

/** Buffers share memory with what is sliced off them; a plain view copies. */
export const begin = (from: Bytes, itemsMax: number): void => {
  bytes = from.constructor === Uint8Array ? from : new Uint8Array(from.buffer, from.byteOffset, from.length);
  at = 0;
  left = itemsMax;
  isOff = false;
};

/** Whether all was read, and nothing was off. Nothing of the bytes is held any more. */
export const end = (): boolean => {
  const isWhole = !isOff && at === bytes.length;
  bytes = NONE;
  return isWhole;
};

export const off = (): undefined => {
  isOff = true;
};

export const isReadingOff = (): boolean => isOff;

/** A place to come `back` to, if what follows turns out to be something else. */
export interface Mark {
  at: number;
  left: number;
}

export const mark = (): Mark => ({ at, left });

export const back = (to: Mark): void => {
  ({ at, left } = to);
  isOff = false;
};

/** What the head that begins here with `initial` says beside its major type, in its shortest form. */
const argument = (initial: number): number => {
  const info = initial & 31;
  at++;
  if (--left < 0) off();
  if (info < 24) return info;
  const size = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : 0;
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + (bytes[at + i] ?? 0);
  at += size;
  const least = size === 1 ? 24 : size === 2 ? 0x100 : 0x10000;
  if (size === 0 || at > bytes.length || value < least) off();
  return value;
};

/** The argument of a head of this type. */
export const head = (major: number): number => {
  const initial = bytes[at] ?? 0xff;
  if (initial >> 5 !== major) off();
  return argument(initial);
};

const word = (from: number): number =>
  (((bytes[from] ?? 0) << 24) | ((bytes[from + 1] ?? 0) << 16) | ((bytes[from + 2] ?? 0) << 8) | (bytes[from + 3] ?? 0)) >>> 0;

const unsigned = (initial: number): number | bigint => {
  if (initial !== 0x1b) return argument(initial);
  if (--left < 0 || at + 9 > bytes.length) off();
  const [high, low] = [word(at + 1), word(at + 5)];
  at += 9;
  if (high === 0) off();
  return high < HIGH_MAX ? high * UINT32 + low : (BigInt(high) << 32n) | BigInt(low);
};

/** Texts up to this length that came lately are not made again: ids and words come by the million, and have their hash already. */
const SHORT = 64;
const SLOTS = 4096;
const known: string[] = new Array(SLOTS).fill('');

const isAt = (text: string, from: number): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[from + i]) return false;
  return true;
};

const shortText = (from: number, to: number): string => {
  let mark = to - from;
  let seen = 0;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] ?? 0;
    seen |= byte;
    mark = Math.imul(mark ^ byte, 0x01000193);
  }
  if (seen > 0x7f) return longText(from, to);
  const slot = (mark ^ (mark >>> 15)) & (SLOTS - 1);
  const held = known[slot] ?? '';
  if (held.length === to - from && isAt(held, from)) return held;
  const text = String.fromCharCode(...bytes.subarray(from, to));
  known[slot] = text;
  return text;
};

/** What is not UTF-8 throws, and the long way would throw the same. */
const longText = (from: number, to: number): string => fromUtf8(bytes.subarray(from, to));

const text = (initial: number): string => {
  const length = argument(initial);
  const from = at;
  at += length;
  if (at > bytes.length) off();
  if (isOff) return '';
  return length <= SHORT ? shortText(from, at) : longText(from, at);
};

const byteString = (initial: number): Bytes => {
  const length = argument(initial);
  const from = at;
  at += length;
  if (at > bytes.length) off();
  return isOff ? NONE : cut(bytes, from, at);
};

/** Whether this key, as it is written, comes next; it is read then. */
export const key = (coded: Bytes): boolean => {
  for (let i = 0; i < coded.length; i++) if (bytes[at + i] !== coded[i]) return false;
  at += coded.length;
  if (--left < 0) off();
  return true;
};

/** Whether a null comes next; it is read then. */
export const nothing = (): boolean => {
  if (bytes[at] !== NULL) return false;
  at++;
  if (--left < 0) off();
  return true;
};

const isAscending = (a: number, b: number, end: number): boolean => {
  for (let i = 0; b + i < end; i++) {
    const difference = (bytes[b + i] ?? 0) - (bytes[a + i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
};

const list = (initial: number, depth: number): unknown[] => {
  const out: unknown[] = [];
  const length = argument(initial);
  if (depth >= LIMITS.cborDepth || length > left) off();
  for (let i = 0; i < length && !isOff; i++) out.push(item(depth + 1));
  return out;
};

const map = (initial: number, depth: number): Record<string, unknown> => {
  const out: Record<string, unknown> = {};
  const size = argument(initial);
  if (depth >= LIMITS.cborDepth || size > left) off();
  let before = -1;
  for (let i = 0; i < size && !isOff; i++) {
    const from = at;
    const initialOfKey = bytes[at] ?? 0xff;
    if (initialOfKey >> 5 !== MAJOR.text) off();
    const name = isOff ? '' : text(initialOfKey);
    if (RESERVED.has(name) || (before >= 0 && !isAscending(before, from, at))) off();
    before = from;
    if (!isOff) out[name] = item(depth + 1);
  }
  return out;
};

/** Whatever comes next. */
export const item = (depth: number): unknown => {
  const initial = bytes[at] ?? 0xff;
  switch (initial >> 5) {
    case MAJOR.unsigned:
      return unsigned(initial);
    case MAJOR.bytes:
      return byteString(initial);
    case MAJOR.text:
      return text(initial);
    case MAJOR.array:
      return list(initial, depth);
    case MAJOR.map:
      return map(initial, depth);
    case MAJOR.simple: {
      at++;
      if (--left < 0 || !SIMPLE.has(initial)) off();
      return SIMPLE.get(initial);
    }
    case MAJOR.negative: {
      const value = -1 - argument(initial);
      return value;
    }
    default:
      return off();
  }
};
