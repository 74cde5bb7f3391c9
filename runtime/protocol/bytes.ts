/** Bytes and their texts: hex for hashes, base32 (RFC 4648 §6, lower case, unpadded) for ids and claims. */
import { refuse } from './errors.ts';

export type Bytes = Uint8Array;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Strict: ill-formed UTF-8 is refused with `bad-cbor`. */
export const fromUtf8 = (bytes: Bytes): string => {
  try {
    return decoder.decode(bytes);
  } catch {
    return refuse('bad-cbor', 'text is not valid UTF-8');
  }
};

const HEX = '0123456789abcdef';
const DIGITS = Uint8Array.from(HEX, (digit) => digit.charCodeAt(0));
/** More arguments than this a call need not take. */
const CODES = 8192;

/** In one piece: a text that is added to letter by letter is kept as a tree of its letters, until somebody looks into it. */
const textOf = (codes: number[]): string => {
  if (codes.length <= CODES) return String.fromCharCode(...codes);
  let out = '';
  for (let from = 0; from < codes.length; from += CODES) out += String.fromCharCode(...codes.slice(from, from + CODES));
  return out;
};

/** Most of what is told in hex is a hash: one list serves them all, or a release of many pieces would leave heaps of them behind. */
const HASH_CODES: number[] = new Array<number>(64).fill(0);

export const hex = (bytes: Bytes): string => {
  const codes = 2 * bytes.length === HASH_CODES.length ? HASH_CODES : new Array<number>(2 * bytes.length);
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    codes[2 * i] = DIGITS[byte >> 4] ?? 0;
    codes[2 * i + 1] = DIGITS[byte & 15] ?? 0;
  }
  return textOf(codes);
};

export const fromHex = (text: string): Bytes => {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) refuse('bad-schema', 'not lower-case hex');
  const out = new Uint8Array(text.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return out;
};

export const base32 = (bytes: Bytes): string => {
  const codes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      codes.push(ALPHABET.charCodeAt((value >>> (bits - 5)) & 31));
      bits -= 5;
    }
    value &= (1 << bits) - 1;
  }
  if (bits > 0) codes.push(ALPHABET.charCodeAt((value << (5 - bits)) & 31));
  return textOf(codes);
};

export const fromBase32 = (text: string): Bytes => {
  const out = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let value = 0;
  let at = 0;
  for (const letter of text) {
    const digit = ALPHABET.indexOf(letter);
    if (digit < 0) refuse('bad-schema', 'not lower-case base32');
    value = (value << 5) | digit;
    bits += 5;
    if (bits >= 8) {
      out[at++] = (value >>> (bits - 8)) & 255;
      bits -= 8;
    }
    value &= (1 << bits) - 1;
  }
  return out;
};

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PAD = '='.charCodeAt(0);
/** By the code of a letter; 64: it is none. */
const SIXTHS = Uint8Array.from({ length: 256 }, (_, code) => (BASE64.indexOf(String.fromCharCode(code)) + 65) % 65);

/** RFC 4648 §4, padded. */
export const base64 = (bytes: Bytes): string => {
  const { length } = bytes;
  const codes = new Array<number>(Math.ceil(length / 3) * 4);
  for (let from = 0, at = 0; from < length; from += 3, at += 4) {
    const word = ((bytes[from] ?? 0) << 16) | ((bytes[from + 1] ?? 0) << 8) | (bytes[from + 2] ?? 0);
    codes[at] = BASE64.charCodeAt(word >> 18);
    codes[at + 1] = BASE64.charCodeAt((word >> 12) & 63);
    codes[at + 2] = from + 1 < length ? BASE64.charCodeAt((word >> 6) & 63) : PAD;
    codes[at + 3] = from + 2 < length ? BASE64.charCodeAt(word & 63) : PAD;
  }
  return textOf(codes);
};

/** Only what `base64` writes: padded, and without a bit that is left over. Error: `bad-schema`. */
export const fromBase64 = (text: string): Bytes => {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 !== 0) refuse('bad-schema', 'not base64');
  const letters = text.length - padding;
  const out = new Uint8Array(Math.floor((letters * 3) / 4));
  let [word, bad, at] = [0, 0, 0];
  for (let i = 0; i < letters; i++) {
    const code = text.charCodeAt(i);
    const sixth = SIXTHS[code & 255] ?? 64;
    bad |= (sixth & 64) | (code >> 8);
    word = (word << 6) | sixth;
    if (i % 4 === 3) {
      out[at] = word >> 16;
      out[at + 1] = word >> 8;
      out[at + 2] = word;
      at += 3;
    }
  }
  if (padding === 1) out.set([word >> 10, word >> 2], at);
  else if (padding === 2) out[at] = word >> 4;
  const left = padding === 1 ? word & 3 : padding === 2 ? word & 15 : 0;
  return bad === 0 && left === 0 ? out : refuse('bad-schema', 'not base64');
};

/** Memory that small contents share: each by itself costs the allocator more than its bytes. */
const SLAB_BYTES = 8192;
const SMALL_BYTES = 1024;
/** Up to here a runtime keeps them among its objects, one of 32 bytes in 248; as one of many in shared memory it takes 136. */
const TINY_BYTES = 64;

let slab = new Uint8Array(0);
let slabFrom = 0;
let tinyBytes = TINY_BYTES;

/** What is cut meanwhile is kept or forgotten as one, such as the thousand hashes of a page: so the tiny share memory as well. */
export const together = <T>(work: () => T): T => {
  tinyBytes = 0;
  try {
    return work();
  } finally {
    tinyBytes = TINY_BYTES;
  }
};

/** Room for content. It may lie in memory beside others: whoever looks at its `buffer` minds where it begins and ends. */
const room = (length: number): Bytes => {
  if (length <= tinyBytes || length > SMALL_BYTES) return new Uint8Array(length);
  if (slabFrom + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabFrom = 0;
  }
  slabFrom += length;
  return slab.subarray(slabFrom - length, slabFrom);
};

/** A copy of a stretch. */
export const cut = (from: Bytes, start: number, end: number): Bytes => {
  const out = room(end - start);
  if (out.length <= TINY_BYTES) for (let i = 0; i < out.length; i++) out[i] = from[start + i] ?? 0;
  else out.set(start === 0 && end === from.length ? from : from.subarray(start, end));
  return out;
};

/** Most texts are short and of letters that are one byte each, which beats a call of the encoder. */
export const utf8 = (text: string): Bytes => {
  const { length } = text;
  if (length > SMALL_BYTES) return encoder.encode(text);
  const out = room(length);
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return encoder.encode(text);
    out[i] = code;
  }
  return out;
};

export const equal = (a: Bytes, b: Bytes): boolean => {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};

/** Bytewise lexicographic order, as RFC 8949 §4.2.1 asks of map keys. */
export const compare = (a: Bytes, b: Bytes): number => {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
};

export const concat = (...parts: Bytes[]): Bytes => {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = room(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};
