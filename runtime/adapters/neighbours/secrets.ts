/** What is made of a release's key on a network: tags under words, and what a session is opened with. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Shared } from '../../ports/neighbours.ts';
import { type Bytes, concat, fromHex, hex, utf8 } from '../../protocol/bytes.ts';
import { decodeAs, encodeAs } from '../../protocol/noun.ts';
import { type NeighbourWord, neighbourWord } from '../../protocol/nouns/neighbours.ts';

const mac = (key: Bytes, text: string, more: Bytes = new Uint8Array()): Bytes =>
  Uint8Array.from(
    createHmac('sha256', key)
      .update(concat(utf8(text), more))
      .digest(),
  );

const tagOf = (key: Bytes, word: NeighbourWord): Bytes =>
  mac(key, 'word', encodeAs(neighbourWord, { ...word, tag: new Uint8Array() }, 'word'));

export const sayWord = (key: Bytes, word: Omit<NeighbourWord, 'tag'>): Bytes => {
  const tag = tagOf(key, { ...word, tag: new Uint8Array() });
  return encodeAs(neighbourWord, { ...word, tag }, 'word');
};

const isSame = (a: Bytes, b: Bytes): boolean => a.length === b.length && timingSafeEqual(a, b);

/** Of which of these it speaks; null: of none, and nothing follows from it. Errors: `bad-cbor`, `bad-schema`. */
export const hearWord = (bytes: Bytes, releases: Iterable<Shared>): { shared: Shared; word: NeighbourWord } | null => {
  const word = decodeAs(neighbourWord, bytes, 'word');
  for (const shared of releases) if (isSame(tagOf(shared.key, word), word.tag)) return { shared, word };
  return null;
};

/** The key of a session (RFC 8446, external PSK). */
export const pskOf = (key: Bytes): Bytes => mac(key, 'session');

const NONCE_DIGITS = 32;

/** Stands in the clear: nobody else can tell of which release it is, nor whether two of them are of the same. */
export const identityOf = (key: Bytes, nonce: Bytes): string => `${hex(nonce)}${hex(mac(key, 'identity', nonce))}`;

export const sharedBy = (identity: string, releases: Iterable<Shared>): Shared | null => {
  if (!/^[0-9a-f]{96}$/.test(identity)) return null;
  const nonce = fromHex(identity.slice(0, NONCE_DIGITS));
  for (const shared of releases) if (isSame(utf8(identityOf(shared.key, nonce)), utf8(identity))) return shared;
  return null;
};
