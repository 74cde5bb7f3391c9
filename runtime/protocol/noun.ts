/** A signed noun: its kind on the wire, its schema, its limit. Sealing and opening is the same for all. */
import type { Bytes } from './bytes.ts';
import { decode, encode, type Value } from './cbor.ts';
import { open1, openMany, sign1, signMany } from './cose.ts';
import type { Crypto, Signer } from './crypto.ts';
import { refuse } from './errors.ts';
import { parse, type Schema } from './schema.ts';

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

/** The payload's one encoding; a value that its own schema refuses is refused here, before anyone signs it. */
export const payloadOf = <T>(kind: Noun<T>, value: T): Bytes => {
  const payload = encode(toValue(value));
  parse(kind.schema, decode(payload), kind.name);
  return payload;
};

/** The codec's one cast: a noun's schema admits only what CBOR here can carry, and `payloadOf` reads it back. */
const toValue = (value: unknown): Value => value as Value;

export const seal = <T>(kind: Noun<T>, value: T, signer: Signer): Bytes => {
  const bytes = sign1(kind.typ, payloadOf(kind, value), signer);
  checkSize(kind, bytes);
  return bytes;
};

export const sealMany = <T>(kind: Noun<T>, value: T, signers: Signer[]): Bytes => {
  const bytes = signMany(kind.typ, payloadOf(kind, value), signers);
  checkSize(kind, bytes);
  return bytes;
};

/** Errors: `too-large`, `bad-cbor`, `bad-schema`, `bad-signature`. Whether `signer` may sign is the caller's question. */
export const unseal = <T>(crypto: Crypto, kind: Noun<T>, bytes: Bytes): Sealed<T> => {
  checkSize(kind, bytes);
  const { payload, signers } = open1(crypto, kind.typ, bytes);
  const value = parse(kind.schema, decode(payload), kind.name);
  return { value, hash: crypto.sha256(payload), signer: signers[0] ?? refuse('bad-signature', 'no signer'), bytes };
};

export const unsealMany = <T>(crypto: Crypto, kind: Noun<T>, bytes: Bytes, signaturesMax: number): MultiSealed<T> => {
  checkSize(kind, bytes);
  const { payload, signers } = openMany(crypto, kind.typ, bytes, signaturesMax);
  return { value: parse(kind.schema, decode(payload), kind.name), hash: crypto.sha256(payload), signers, bytes };
};

/** Unsigned messages (they travel inside an authenticated session) and stored rows share the codec. */
export const encodeAs = <T>(schema: Schema<T>, value: T, what: string, itemsMax?: number): Bytes => {
  const out = encode(toValue(value));
  parse(schema, decode(out, itemsMax), what);
  return out;
};

export const decodeAs = <T>(schema: Schema<T>, bytes: Bytes, what: string, itemsMax?: number): T =>
  parse(schema, decode(bytes, itemsMax), what);
