/** Signed documents as files: opened with their signatures, described for people, written without destroying others. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { typOf } from '../../runtime/protocol/cose.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { type Noun, unseal, unsealMany } from '../../runtime/protocol/noun.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { bindingNoun, requestNoun, rotationNoun, verdictNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { shareNoun } from '../../runtime/protocol/nouns/share.ts';
import { operatorNoun, publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';

export interface Document {
  kind: string;
  bytes: Bytes;
  /** Hash of its payload. */
  hash: Bytes;
  signers: Bytes[];
  value: Record<string, unknown>;
}

type Opened = Pick<Document, 'hash' | 'signers' | 'value'>;
type Open = (crypto: Crypto, bytes: Bytes) => Opened;

const single =
  <T extends Record<string, unknown>>(noun: Noun<T>): Open =>
  (crypto, bytes) => {
    const { value, hash, signer } = unseal(crypto, noun, bytes);
    return { value, hash, signers: [signer] };
  };

const several =
  <T extends Record<string, unknown>>(noun: Noun<T>): Open =>
  (crypto, bytes) =>
    unsealMany(crypto, noun, bytes, 2 * LIMITS.rootKeys);

/** In the order in which they stand on each other. */
const KINDS: { kind: string; typ: string; open: Open }[] = [
  { kind: 'operator', typ: operatorNoun.typ, open: several(operatorNoun) },
  { kind: 'publisher', typ: publisherNoun.typ, open: several(publisherNoun) },
  { kind: 'manifest', typ: manifestNoun.typ, open: single(manifestNoun) },
  { kind: 'rotation', typ: rotationNoun.typ, open: several(rotationNoun) },
  { kind: 'binding', typ: bindingNoun.typ, open: single(bindingNoun) },
  { kind: 'upkeep', typ: upkeepNoun.typ, open: single(upkeepNoun) },
  { kind: 'voucher', typ: voucherNoun.typ, open: single(voucherNoun) },
  { kind: 'request', typ: requestNoun.typ, open: single(requestNoun) },
  { kind: 'share', typ: shareNoun.typ, open: single(shareNoun) },
  { kind: 'verdict', typ: verdictNoun.typ, open: single(verdictNoun) },
];

/** Whoever pushes them in this order is not refused because the one that another stands on comes later. */
export const rankOf = (document: Document): number => KINDS.findIndex(({ kind }) => kind === document.kind);

const readBytes = (path: string): Bytes => {
  const file = readFileSync(path);
  if (file.length > LIMITS.packetBytes)
    refuse('too-large', `${path} has ${file.length} bytes; a document has at most ${LIMITS.packetBytes}`);
  return new Uint8Array(file);
};

/** Opens a document with its own signatures. Errors: `bad-schema`, `bad-cbor`, `bad-signature`, each naming the file. */
export const readDocument = (path: string): Document => {
  const bytes = readBytes(path);
  try {
    const found = KINDS.find(({ typ }) => typ === typOf(bytes)) ?? refuse('bad-schema', 'not a signed document of Lichen');
    return { kind: found.kind, bytes, ...found.open(nodeCrypto, bytes) };
  } catch (thrown) {
    throw thrown instanceof LichenError ? new LichenError(thrown.code, `${path}: ${thrown.detail}`, thrown.next) : thrown;
  }
};

/** A document of one kind. Errors: those of `readDocument`. */
export const readAs = <T>(
  noun: Noun<T>,
  path: string,
  open: (crypto: Crypto, noun: Noun<T>, bytes: Bytes) => { value: T; hash: Bytes },
): { value: T; hash: Bytes; bytes: Bytes } => {
  const bytes = readBytes(path);
  try {
    return { bytes, ...open(nodeCrypto, noun, bytes) };
  } catch (thrown) {
    throw thrown instanceof LichenError ? new LichenError(thrown.code, `${path}: ${thrown.detail}`, thrown.next) : thrown;
  }
};

export const openTrust = <T>(crypto: Crypto, noun: Noun<T>, bytes: Bytes): { value: T; hash: Bytes } =>
  unsealMany(crypto, noun, bytes, 2 * LIMITS.rootKeys);

/**
 * `keep`: what stands there already is not overwritten by anything else, because later versions are made from it.
 * Made again from the same words and keys it is the same bytes, so a rerun succeeds. Error: `conflict`.
 */
export const writeDocument = (path: string, bytes: Bytes, keep: boolean): void => {
  if (keep && existsSync(path)) {
    if (equal(new Uint8Array(readFileSync(path)), bytes)) return;
    refuse('conflict', `${path} holds something else already; name another file`);
  }
  writeFileSync(path, bytes);
};

const NAMED = ['name', 'operator', 'publisher', 'recipe', 'tenant', 'board', 'sequence', 'version', 'serial', 'state'] as const;

/** One line for people. */
export const describe = ({ kind, value, hash }: Document): string => {
  const words = NAMED.flatMap((key) => (value[key] === undefined ? [] : [`${key} ${String(value[key])}`]));
  return `${kind} ${words.join(', ')} (${hex(hash).slice(0, 8)})`;
};
