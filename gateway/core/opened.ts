/**
 * Documents and entries that were opened lately, by the very bytes: whoever brings a document is asked before it is
 * logged, and the entry's own rule asks again. Opening says the same each time, so it is done once.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { decodeAs, type Noun, type Sealed, unseal } from '../../runtime/protocol/noun.ts';
import { helloNoun, homeNoun, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { leaseNoun } from '../../runtime/protocol/nouns/lease.ts';
import { entryBytes, entrySchema, type LogEntry } from '../../runtime/protocol/nouns/log.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { bindingNoun, requestNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';

/** More than a turn opens, mostly. */
const KEPT_BYTES = 1024 * 1024;

/** The newest ones, at least `KEPT_BYTES` of them and at most twice as many. */
class Lately<T> {
  #young = new Map<Bytes, T>();
  #old = new Map<Bytes, T>();
  #bytes = 0;

  get(bytes: Bytes): T | undefined {
    return this.#young.get(bytes) ?? this.#old.get(bytes);
  }

  set(bytes: Bytes, value: T): void {
    if (this.#bytes >= KEPT_BYTES) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#bytes = 0;
    }
    this.#young.set(bytes, value);
    this.#bytes += bytes.length;
  }
}

/** As `unseal`; what one crypto has verified, another one has not. */
const opener = <T>(kind: Noun<T>): ((crypto: Crypto, body: Bytes) => Sealed<T>) => {
  const lately = new Lately<{ by: Crypto; sealed: Sealed<T> }>();
  return (crypto, body) => {
    const held = lately.get(body);
    if (held?.by === crypto) return held.sealed;
    const sealed = unseal(crypto, kind, body);
    lately.set(body, { by: crypto, sealed });
    return sealed;
  };
};

export const open = {
  hello: opener(helloNoun),
  home: opener(homeNoun),
  usage: opener(usageNoun),
  lease: opener(leaseNoun),
  manifest: opener(manifestNoun),
  request: opener(requestNoun),
  voucher: opener(voucherNoun),
  binding: opener(bindingNoun),
};

const entries = new Lately<LogEntry>();

/** A leaf's data as the entry. Errors: `bad-cbor`, `bad-schema`. */
export const openEntry = (data: Bytes): LogEntry => {
  const held = entries.get(data);
  if (held !== undefined) return held;
  const entry = decodeAs(entrySchema, data, 'entry');
  entries.set(data, entry);
  return entry;
};

/** The leaf's data of a new entry. */
export const closeEntry = (entry: LogEntry): Bytes => {
  const data = entryBytes(entry);
  entries.set(data, entry);
  return data;
};
