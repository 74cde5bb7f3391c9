/** A signed noun: its kind on the wire, its schema, its limit. Sealing and opening is the same for all. */
import type { Bytes } from './bytes.ts';
import { decode, encodeWithin } from './cbor.ts';
import type { Value } from './cbor-write.ts';
import { open1, openMany, sign1, signAlso, signMany } from './cose.ts';
import type { Crypto, Signer } from './crypto.ts';
import { refuse } from './errors.ts';
import { readLaid, writeLaid, writeOnly } from './layout.ts';
import { LIMITS } from './limits.ts';
import { parse, type Schema, takes } from './schema.ts';

export interface Noun<T> {
  name: string;
  /** The COSE `typ`. */
  typ: string;
  schema: Schema<T>;
  maxBytes: number;
}

export interface Sealed<T> {
  value: T;
  /** Hash of the payload: the document's identity. Signature bytes never are one. */
  hash: Bytes;
  signer: Bytes;
  /** The document as it came. */
  bytes: Bytes;
}

export interface MultiSealed<T> extends Omit<Sealed<T>, 'signer'> {
  signers: Bytes[];
}

export const noun = <T>(name: string, maxBytes: number, schema: Schema<T>): Noun<T> => ({
  name,
  typ: `lichen.${name}+cbor`,
  schema,
  maxBytes,
});

const checkSize = (kind: Noun<unknown>, bytes: Bytes): void => {
  if (bytes.length > kind.maxBytes) refuse('too-large', `a ${kind.name} has at most ${kind.maxBytes} bytes, this one ${bytes.length}`);
};

/** The codec's one cast: a noun's schema admits only what CBOR here can carry, and `encoded` sees that it reads back. */
const toValue = (value: unknown): Value => value as Value;

/**
 * The one encoding of a value, and the value as it will be read from it. What the schema refuses is refused here, before
 * anyone signs or stores it. Errors: `bad-cbor`, `bad-schema`.
 */
export const encoded = <T>(schema: Schema<T>, value: T, what: string, itemsMax: number = LIMITS.cborItems): { bytes: Bytes; value: T } => {
  const laid = writeLaid(schema, value, itemsMax);
  if (laid !== null) return laid;
  const bytes = encodeWithin(toValue(value), itemsMax);
  // What the schema takes as it stands need not be decoded again to be checked; the reader's word counts on all else.
  const taken = takes(schema, value);
  return { bytes, value: taken === null ? decodeAs(schema, bytes, what, itemsMax) : taken.value };
};

/** Unsigned messages (they travel inside an authenticated session) and stored rows share the codec. */
export const encodeAs = <T>(schema: Schema<T>, value: T, what: string, itemsMax: number = LIMITS.cborItems): Bytes =>
  writeOnly(schema, value, itemsMax) ?? encoded(schema, value, what, itemsMax).bytes;

export const decodeAs = <T>(schema: Schema<T>, bytes: Bytes, what: string, itemsMax: number = LIMITS.cborItems): T => {
  const laid = readLaid(schema, bytes, itemsMax);
  return laid === null ? parse(schema, decode(bytes, itemsMax), what) : laid.value;
};

/** The payload's one encoding. */
export const payloadOf = <T>(kind: Noun<T>, value: T): Bytes => encodeAs(kind.schema, value, kind.name);

const signed = <T>(kind: Noun<T>, payload: Bytes, signer: Signer): Bytes => {
  const bytes = sign1(kind.typ, payload, signer);
  checkSize(kind, bytes);
  return bytes;
};

export const seal = <T>(kind: Noun<T>, value: T, signer: Signer): Bytes => signed(kind, payloadOf(kind, value), signer);

/** As `seal`, with what `unseal` would say of it. */
export const sealed = <T>(crypto: Crypto, kind: Noun<T>, value: T, signer: Signer): Sealed<T> => {
  const payload = encoded(kind.schema, value, kind.name);
  const bytes = signed(kind, payload.bytes, signer);
  return { value: payload.value, hash: crypto.sha256(payload.bytes), signer: signer.publicKey, bytes };
};

export const sealMany = <T>(kind: Noun<T>, value: T, signers: Signer[]): Bytes => {
  const bytes = signMany(kind.typ, payloadOf(kind, value), signers);
  checkSize(kind, bytes);
  return bytes;
};

/** A document of several signers with one signature more. Errors: those of `unsealMany`; `conflict` for a key that has signed. */
export const sealAlso = <T>(crypto: Crypto, kind: Noun<T>, bytes: Bytes, signer: Signer, signaturesMax: number): Bytes => {
  const more = signAlso(crypto, kind.typ, bytes, signer, signaturesMax);
  checkSize(kind, more);
  return more;
};

/** Errors: `too-large`, `bad-cbor`, `bad-schema`, `bad-signature`. Whether `signer` may sign is the caller's question. */
export const unseal = <T>(crypto: Crypto, kind: Noun<T>, bytes: Bytes): Sealed<T> => {
  checkSize(kind, bytes);
  const { payload, signers } = open1(crypto, kind.typ, bytes);
  const value = decodeAs(kind.schema, payload, kind.name);
  return { value, hash: crypto.sha256(payload), signer: signers[0] ?? refuse('bad-signature', 'no signer'), bytes };
};

export const unsealMany = <T>(crypto: Crypto, kind: Noun<T>, bytes: Bytes, signaturesMax: number): MultiSealed<T> => {
  checkSize(kind, bytes);
  const { payload, signers } = openMany(crypto, kind.typ, bytes, signaturesMax);
  return { value: decodeAs(kind.schema, payload, kind.name), hash: crypto.sha256(payload), signers, bytes };
};
