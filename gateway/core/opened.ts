/**
 * Documents and entries that were opened, by the very bytes and for as long as these are held: whoever brings a document
 * is asked before it is logged, the entry's own rule asks again, and a bill once more. Opening says the same each time, so
 * it is done once.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { memo } from '../../runtime/protocol/memo.ts';
import { decodeAs, type Noun, type Sealed, unseal } from '../../runtime/protocol/noun.ts';
import { helloNoun, homeNoun, outcomeNoun, systemOutcomeNoun, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { leaseNoun } from '../../runtime/protocol/nouns/lease.ts';
import { entryBytes, entrySchema, type LogEntry } from '../../runtime/protocol/nouns/log.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { bindingNoun, requestNoun, voucherNoun } from '../../runtime/protocol/nouns/request.ts';
import { shareNoun } from '../../runtime/protocol/nouns/share.ts';
import { upkeepNoun } from '../../runtime/protocol/nouns/upkeep.ts';

/** As `unseal`; what one crypto has verified, another one has not. */
const opener = <T>(kind: Noun<T>): ((crypto: Crypto, body: Bytes) => Sealed<T>) => {
  const opened = memo<Bytes, { by: Crypto; sealed: Sealed<T> }>();
  return (crypto, body) => {
    const held = opened.get(body);
    if (held?.by === crypto) return held.sealed;
    const sealed = unseal(crypto, kind, body);
    opened.set(body, { by: crypto, sealed });
    return sealed;
  };
};

export const open = {
  hello: opener(helloNoun),
  home: opener(homeNoun),
  usage: opener(usageNoun),
  outcome: opener(outcomeNoun),
  systemOutcome: opener(systemOutcomeNoun),
  lease: opener(leaseNoun),
  manifest: opener(manifestNoun),
  request: opener(requestNoun),
  voucher: opener(voucherNoun),
  share: opener(shareNoun),
  binding: opener(bindingNoun),
  upkeep: opener(upkeepNoun),
};

const entries = memo<Bytes, LogEntry>();

/** As `openEntry`, for who reads through logs. */
export const readEntry = (data: Bytes): LogEntry => decodeAs(entrySchema, data, 'entry');

/** A leaf's data as the entry. Errors: `bad-cbor`, `bad-schema`. */
export const openEntry = (data: Bytes): LogEntry => {
  const held = entries.get(data);
  if (held !== undefined) return held;
  const entry = readEntry(data);
  entries.set(data, entry);
  return entry;
};

/** The leaf's data of a new entry. */
export const closeEntry = (entry: LogEntry): Bytes => {
  const data = entryBytes(entry);
  entries.set(data, entry);
  return data;
};
