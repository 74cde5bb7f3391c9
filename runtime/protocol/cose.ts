/**
 * COSE_Sign1 and COSE_Sign (RFC 9052 §4) with Ed25519 (alg −19, RFC 9864). The protected header carries the kind of
 * document as `typ` (RFC 9596), so that a signature over one noun can never pass as another, and as `kid` the whole
 * public key, so that a document can be verified alone and only *whether that key may sign* needs a look-up.
 * The unprotected header is empty and must be. External data is empty.
 */
import { type Bytes, equal } from './bytes.ts';
import { decode, decodeHeader, encode, encodeTagged } from './cbor.ts';
import { lend, type Value } from './cbor-write.ts';
import type { Crypto, Signer } from './crypto.ts';
import { refuse } from './errors.ts';

const ALG = 1;
const KID = 4;
const TYP = 16;
const ED25519 = -19;
const TAG_SIGN1 = new Uint8Array([0xd2]);
const TAG_SIGN = new Uint8Array([0xd8, 0x62]);
const NONE = new Uint8Array(0);

export interface Opened {
  payload: Bytes;
  /** Public keys whose signatures verified; one for COSE_Sign1. */
  signers: Bytes[];
}

const protectedHeader = (entries: [number, Value][]): Bytes => encode(new Map(entries));

/** A signer signs a handful of kinds again and again. */
const headers = new WeakMap<Signer, Map<string, Bytes>>();

const headerFor = (signer: Signer, typ: string): Bytes => {
  const own = headers.get(signer) ?? new Map<string, Bytes>();
  headers.set(signer, own);
  const held = own.get(typ);
  if (held !== undefined) return held;
  const header = protectedHeader([
    [ALG, ED25519],
    [KID, signer.publicKey],
    [TYP, typ],
  ]);
  own.set(typ, header);
  return header;
};

/** What is signed (RFC 9052 §4.4): it is looked at once, and not kept. */
const toBeSigned = (header: Bytes, payload: Bytes): Bytes => lend(['Signature1', header, NONE, payload]);

export const sign1 = (typ: string, payload: Bytes, signer: Signer): Bytes => {
  const header = headerFor(signer, typ);
  const signature = signer.sign(toBeSigned(header, payload));
  return encodeTagged(TAG_SIGN1, [header, {}, payload, signature]);
};

/** Several signatures over one payload, ordered as given. */
export const signMany = (typ: string, payload: Bytes, signers: Signer[]): Bytes => {
  const body = protectedHeader([[TYP, typ]]);
  return encodeTagged(TAG_SIGN, [body, {}, payload, signers.map((signer) => signatureOf(body, payload, signer))]);
};

const signatureOf = (body: Bytes, payload: Bytes, signer: Signer): Value => {
  const header = protectedHeader([
    [ALG, ED25519],
    [KID, signer.publicKey],
  ]);
  return [header, {}, signer.sign(encode(['Signature', body, header, NONE, payload]))];
};

const bytesOf = (value: unknown): Bytes => (value instanceof Uint8Array ? value : refuse('bad-cbor', 'a COSE field is not a byte string'));

const arrayOf = (value: unknown, length: number | null): unknown[] =>
  Array.isArray(value) && (length === null || value.length === length) ? value : refuse('bad-cbor', 'not a COSE array');

const headerOf = (bytes: Bytes, keys: number[]): Map<unknown, unknown> => {
  const map = decodeHeader(bytes);
  return map.size === keys.length && keys.every((key) => map.has(key)) ? map : refuse('bad-cbor', 'unexpected COSE header');
};

const checkEmpty = (value: unknown): void => {
  const empty =
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Uint8Array) &&
    !Array.isArray(value) &&
    Object.keys(value).length === 0;
  if (!empty || value instanceof Map) refuse('bad-cbor', 'the unprotected COSE header is not empty');
};

/** {1: −19, 4: h'…', up to where the 32 bytes of the key begin, and 16: that follows them. */
const HEADER_START = new Uint8Array([0xa3, 0x01, 0x32, 0x04, 0x58, 0x20]);
const KEY_END = HEADER_START.length + 32;

/**
 * The key in the header that a signer of this kind writes, byte by byte: deterministic CBOR knows no other for the three
 * entries. Null for whatever differs; the long way says how.
 */
const usualSigner = (header: Bytes, typ: string): Bytes | null => {
  const { length } = typ;
  if (length > 23 || header.length !== KEY_END + 2 + length || header[KEY_END] !== TYP || header[KEY_END + 1] !== 0x60 + length)
    return null;
  for (let i = 0; i < HEADER_START.length; i++) if (header[i] !== HEADER_START[i]) return null;
  for (let i = 0; i < length; i++) if (header[KEY_END + 2 + i] !== typ.charCodeAt(i)) return null;
  return header.slice(HEADER_START.length, KEY_END);
};

const checkTyp = (header: Map<unknown, unknown>, typ: string): void => {
  if (header.get(TYP) !== typ) refuse('bad-schema', `expected ${typ}, got ${String(header.get(TYP))}`);
};

const signerOf = (header: Map<unknown, unknown>): Bytes => {
  if (header.get(ALG) !== ED25519) refuse('bad-signature', 'the algorithm is not Ed25519 (−19)');
  const key = bytesOf(header.get(KID));
  return key.length === 32 ? key : refuse('bad-signature', 'the key id is not a public key');
};

const verify = (crypto: Crypto, key: Bytes, message: Bytes, signature: unknown): Bytes =>
  crypto.verify(key, message, bytesOf(signature)) ? key : refuse('bad-signature', 'Ed25519 verification failed');

interface Parts {
  header: Bytes;
  payload: Bytes;
  signature: Bytes;
}

/** Where the byte string that was looked at last ends. */
let partEnd = 0;

/** A byte string of up to 64 KiB in its one form, as it lies there; null for anything else. */
const partAt = (bytes: Bytes, at: number): Bytes | null => {
  const info = (bytes[at] ?? 0) - 0x40;
  const size = info === 24 ? 1 : info === 25 ? 2 : 0;
  const from = at + 1 + size;
  const length = size === 0 ? info : size === 1 ? (bytes[at + 1] ?? 0) : ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
  const least = size === 0 ? 0 : size === 1 ? 24 : 0x100;
  partEnd = from + length;
  return info < 0 || info > 25 || length < least || partEnd > bytes.length ? null : bytes.subarray(from, partEnd);
};

/** Of a COSE_Sign1 as it is mostly found, without a copy. Null for whatever differs; the long way says how. */
const usualParts = (bytes: Bytes): Parts | null => {
  const header = bytes[1] === 0x84 ? partAt(bytes, 2) : null;
  const payload = header !== null && bytes[partEnd] === 0xa0 ? partAt(bytes, partEnd + 1) : null;
  const signature = payload === null ? null : partAt(bytes, partEnd);
  return header === null || payload === null || signature === null || partEnd !== bytes.length ? null : { header, payload, signature };
};

const statedParts = (bytes: Bytes): Parts => {
  const [header, unprotectedHeader, payload, signature] = arrayOf(decode(bytes.subarray(1)), 4);
  checkEmpty(unprotectedHeader);
  return { header: bytesOf(header), payload: bytesOf(payload), signature: bytesOf(signature) };
};

/** Verifies a COSE_Sign1 of the given kind. The payload lies in `bytes`. Errors: `bad-cbor`, `bad-schema`, `bad-signature`. */
export const open1 = (crypto: Crypto, typ: string, bytes: Bytes): Opened => {
  if (bytes[0] !== TAG_SIGN1[0]) refuse('bad-cbor', 'not a COSE_Sign1');
  const { header, payload, signature } = usualParts(bytes) ?? statedParts(bytes);
  const key = usualSigner(header, typ) ?? statedSigner(header, typ);
  return { payload, signers: [verify(crypto, key, toBeSigned(header, payload), signature)] };
};

const statedSigner = (header: Bytes, typ: string): Bytes => {
  const entries = headerOf(header, [ALG, KID, TYP]);
  checkTyp(entries, typ);
  return signerOf(entries);
};

/** Verifies a COSE_Sign: every signature must hold, and no key may sign twice. */
export const openMany = (crypto: Crypto, typ: string, bytes: Bytes, signaturesMax: number): Opened => {
  if (bytes[0] !== TAG_SIGN[0] || bytes[1] !== TAG_SIGN[1]) refuse('bad-cbor', 'not a COSE_Sign');
  const [rawHeader, unprotectedHeader, rawPayload, rawSignatures] = arrayOf(decode(bytes.subarray(2)), 4);
  const body = bytesOf(rawHeader);
  const payload = bytesOf(rawPayload);
  checkEmpty(unprotectedHeader);
  checkTyp(headerOf(body, [TYP]), typ);
  const signatures = arrayOf(rawSignatures, null);
  if (signatures.length === 0 || signatures.length > signaturesMax)
    refuse('bad-signature', `between 1 and ${signaturesMax} signatures are expected`);
  const signers = signatures.map((entry) => {
    const [rawSigner, none, signature] = arrayOf(entry, 3);
    checkEmpty(none);
    const header = bytesOf(rawSigner);
    const key = signerOf(headerOf(header, [ALG, KID]));
    return verify(crypto, key, encode(['Signature', body, header, NONE, payload]), signature);
  });
  const distinct = new Set(signers.map((key) => key.join()));
  if (distinct.size !== signers.length) refuse('bad-signature', 'one key signed twice');
  return { payload, signers };
};

/** One more signature, behind those that are there, which must hold. Errors: those of `openMany`; `conflict` for a key that has signed. */
export const signAlso = (crypto: Crypto, typ: string, bytes: Bytes, signer: Signer, signaturesMax: number): Bytes => {
  const { payload, signers } = openMany(crypto, typ, bytes, signaturesMax - 1);
  if (signers.some((one) => equal(one, signer.publicKey))) refuse('conflict', 'this key has signed it already');
  const [body, none, , signatures] = arrayOf(decode(bytes.subarray(2)), 4) as [Bytes, Value, Bytes, Value[]];
  return encodeTagged(TAG_SIGN, [body, none, payload, [...signatures, signatureOf(body, payload, signer)]]);
};

/** The kind of a document before anything of it is believed; null when it is no COSE document at all. */
export const typOf = (bytes: Bytes): string | null => {
  const skip = bytes[0] === TAG_SIGN1[0] ? 1 : bytes[0] === TAG_SIGN[0] && bytes[1] === TAG_SIGN[1] ? 2 : 0;
  if (skip === 0) return null;
  const [rawHeader] = arrayOf(decode(bytes.subarray(skip)), 4);
  const typ = decodeHeader(bytesOf(rawHeader)).get(TYP);
  return typeof typ === 'string' ? typ : null;
};
