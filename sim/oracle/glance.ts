/**
 * A quick look at the documents that come by the million. They are deterministic CBOR (RFC 8949 §4.2.1): of a schema
 * every field stands at its place, so it is read there without building anything. What does not look as expected is
 * answered with null, and then the protocol's own strict codec says what is wrong with it.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';

/** The registers that cost something. */
export const METERED = ['wallMs', 'cpuMicros', 'memoryMibS', 'netInBytes', 'netOutBytes', 'diskBytes', 'diskMibS'] as const;
export type Metered = (typeof METERED)[number];
export type Use = Record<Metered, bigint>;

export const noUse = (): Use => ({
  wallMs: 0n,
  cpuMicros: 0n,
  memoryMibS: 0n,
  netInBytes: 0n,
  netOutBytes: 0n,
  diskBytes: 0n,
  diskMibS: 0n,
});

export interface RecordGlance {
  board: string;
  seq: number;
  prev: Bytes;
  lease: string;
  kind: string;
  wallMs: number;
  amnesia: boolean;
  /** All eight are zero. */
  isZero: boolean;
  use: Use;
}

/** Enough to tell whether a record is known. */
export interface RecordName {
  board: string;
  seq: number;
  /** Of what was signed: the same under any key. */
  payload: Bytes;
  /** The key that it names. */
  signer: Bytes;
  mark: number;
}

export interface EntryGlance {
  author: string;
  seq: number;
  kind: string;
  body: Bytes;
}

export interface AckGlance {
  board: string;
  gateway: string;
  storedSeq: number;
  replicated: number;
}

const UNSIGNED = 0;
const BYTE_STRING = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const SIGN1 = 0xd2;
/** In a protected header of three fields the key follows on its label and its two bytes of head. */
const KEY_BYTES = 32;
const KEY_LABEL = 4;

/**
 * 53 bits over bytes: FNV-1a (Fowler, Noll, Vo) beside a second mix. Nobody here forges documents against the judge, so
 * it only has to tell what is different by itself.
 */
export const markOf = (bytes: Bytes, from = 0, to = bytes.length): number => {
  let a = 0x811c9dc5;
  let b = 0x1234567;
  for (let i = from; i < to; i++) {
    const byte = bytes[i] ?? 0;
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x85ebca6b) ^ (a >>> 15);
  }
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
};

/** The same few ids and words come again and again: each is made into a text once. */
const words = new Map<number, string>();
const WORDS_MOST = 65_536;

const wordIn = (bytes: Bytes, from: number, to: number): string => {
  const mark = markOf(bytes, from, to);
  const known = words.get(mark);
  if (known !== undefined) return known;
  if (words.size >= WORDS_MOST) words.clear();
  const word = String.fromCharCode(...bytes.subarray(from, to));
  words.set(mark, word);
  return word;
};

class Reader {
  #bytes: Bytes;
  #at: number;
  isBad = false;

  constructor(bytes: Bytes, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The argument of a head of this major type; 0 and bad when it is another. */
  head(major: number): number {
    const bytes = this.#bytes;
    const initial = bytes[this.#at++] ?? 0xff;
    const info = initial & 31;
    if (initial >> 5 !== major || info > 27) {
      this.isBad = true;
      return 0;
    }
    if (info < 24) return info;
    let argument = 0;
    for (let left = 1 << (info - 24); left > 0; left--) argument = argument * 256 + (bytes[this.#at++] ?? 0);
    return argument;
  }

  /** 64 bits, exactly. */
  counter(): bigint {
    if ((this.#bytes[this.#at] ?? 0) !== 0x1b) return BigInt(this.head(UNSIGNED));
    this.#at++;
    let [high, low] = [0, 0];
    for (let i = 0; i < 4; i++) high = high * 256 + (this.#bytes[this.#at++] ?? 0);
    for (let i = 0; i < 4; i++) low = low * 256 + (this.#bytes[this.#at++] ?? 0);
    return high < 2 ** 21 ? BigInt(high * 2 ** 32 + low) : (BigInt(high) << 32n) | BigInt(low);
  }

  bytes(): Bytes {
    const from = this.skip(BYTE_STRING);
    return this.#bytes.subarray(from, this.#at);
  }

  /** ASCII: ids and words of lists. */
  word(): string {
    const from = this.skip(TEXT);
    return wordIn(this.#bytes, from, this.#at);
  }

  /** Past a string; where its content begins. */
  skip(major: number): number {
    const length = this.head(major);
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) this.isBad = true;
    return from;
  }

  bool(): boolean {
    const byte = this.#bytes[this.#at++];
    if (byte !== 0xf4 && byte !== 0xf5) this.isBad = true;
    return byte === 0xf5;
  }

  map(size: number): void {
    if (this.head(MAP) !== size) this.isBad = true;
  }

  array(): number {
    return this.head(ARRAY);
  }

  /** The next key. In a schema's order its length and first letter tell it from its neighbours. */
  key(name: string): void {
    if (this.head(TEXT) !== name.length || this.#bytes[this.#at] !== name.charCodeAt(0)) this.isBad = true;
    this.#at += name.length;
  }

  number(name: string): number {
    this.key(name);
    return this.head(UNSIGNED);
  }
}

interface Envelope {
  header: Bytes;
  payload: Bytes;
}

const envelopeOf = (document: Bytes): Envelope | null => {
  if (document[0] !== SIGN1) return null;
  const reader = new Reader(document, 1);
  if (reader.array() !== 4) return null;
  const header = reader.bytes();
  reader.map(0);
  const payload = reader.bytes();
  reader.bytes();
  return reader.isBad || !reader.isAtEnd ? null : { header, payload };
};

const NO_KEY = new Uint8Array(0);

/** `{1: alg, 4: key, 16: typ}`: the algorithm takes one to three bytes. */
const keyOf = (header: Bytes): Bytes => {
  for (let at = 2; at < 8; at++) if (header[at] === KEY_LABEL) return header.subarray(at + 3, at + 3 + KEY_BYTES);
  return NO_KEY;
};

export const glanceName = (document: Bytes): RecordName | null => {
  const envelope = envelopeOf(document);
  if (envelope === null) return null;
  const { header, payload } = envelope;
  const reader = new Reader(payload);
  reader.map(13);
  reader.number('v');
  const seq = reader.number('seq');
  for (const [name, major] of [
    ['kind', TEXT],
    ['prev', BYTE_STRING],
    ['tier', TEXT],
  ] as const) {
    reader.key(name);
    reader.skip(major);
  }
  reader.key('board');
  const board = reader.word();
  return reader.isBad ? null : { board, seq, payload, signer: keyOf(header), mark: markOf(payload) };
};

/** What a row of bytes holds: a store writes them as one item. Bytes that are none are given back as they are. */
export const unwrapped = (row: Bytes): Bytes => {
  const reader = new Reader(row);
  const inner = reader.bytes();
  return reader.isBad || !reader.isAtEnd ? row : inner;
};

/** Takes the payload that `glanceName` found. */
export const glanceRecord = (payload: Bytes): RecordGlance | null => {
  const reader = new Reader(payload);
  reader.map(13);
  reader.number('v');
  const seq = reader.number('seq');
  reader.key('kind');
  const kind = reader.word();
  reader.key('prev');
  const prev = reader.bytes();
  reader.key('tier');
  reader.skip(TEXT);
  reader.key('board');
  const board = reader.word();
  reader.key('lease');
  const lease = reader.word();
  reader.key('bootId');
  reader.skip(TEXT);
  reader.number('monoMs');
  const wallMs = reader.number('wallMs');
  reader.key('amnesia');
  const amnesia = reader.bool();
  reader.key('quality');
  reader.skip(TEXT);
  reader.key('registers');
  reader.map(8);
  const next = (name: string): bigint => {
    reader.key(name);
    return reader.counter();
  };
  const wall = next('wallMs');
  const [diskMibS, free] = [next('diskMibS'), next('energyMj')];
  const [cpuMicros, diskBytes] = [next('cpuMicros'), next('diskBytes')];
  const [memoryMibS, netInBytes, netOutBytes] = [next('memoryMibS'), next('netInBytes'), next('netOutBytes')];
  if (reader.isBad || !reader.isAtEnd) return null;
  const use = { wallMs: wall, cpuMicros, memoryMibS, netInBytes, netOutBytes, diskBytes, diskMibS };
  const isZero = free === 0n && METERED.every((name) => use[name] === 0n);
  return { board, seq, prev, lease, kind, wallMs, amnesia, isZero, use };
};

export const glanceEntry = (bytes: Bytes): EntryGlance | null => {
  const reader = new Reader(bytes);
  reader.map(6);
  reader.number('v');
  const seq = reader.number('seq');
  reader.key('body');
  const body = reader.bytes();
  reader.key('kind');
  const kind = reader.word();
  reader.key('author');
  const author = reader.word();
  reader.number('wallMs');
  return reader.isBad || !reader.isAtEnd ? null : { author, seq, kind, body };
};

export const glanceAck = (document: Bytes): AckGlance | null => {
  const envelope = envelopeOf(document);
  if (envelope === null) return null;
  const reader = new Reader(envelope.payload);
  reader.map(5);
  reader.number('v');
  reader.key('board');
  const board = reader.word();
  reader.key('stored');
  reader.map(2);
  const storedSeq = reader.number('seq');
  reader.key('hash');
  reader.bytes();
  reader.key('gateway');
  const gateway = reader.word();
  const replicated = reader.number('replicated');
  return reader.isBad || !reader.isAtEnd ? null : { board, gateway, storedSeq, replicated };
};

/** The signed records of a `usage` message. */
export const glanceBatch = (bytes: Bytes): Bytes[] | null => {
  const reader = new Reader(bytes);
  reader.map(2);
  reader.number('v');
  reader.key('records');
  const records: Bytes[] = [];
  for (let left = reader.array(); left > 0 && !reader.isBad; left--) records.push(reader.bytes());
  return reader.isBad || !reader.isAtEnd ? null : records;
};
