/**
 * A gateway that tells one peer another history than the rest: from now on the last entry of each batch of its own log
 * is another one for the victim, under a head that it signs as well. Two heads of one size are proof of it.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { signCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import type { Crypto, Signer } from '../../runtime/protocol/crypto.ts';
import type { GatewayId } from '../../runtime/protocol/ids.ts';
import { append, EMPTY, rootOf } from '../../runtime/protocol/merkle.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import { entryBytes, entrySchema, type PeerFrame } from '../../runtime/protocol/nouns/log.ts';

interface Author {
  id: GatewayId;
  signer: Signer;
  log(author: string): Iterable<Bytes>;
}

/** What it says instead of `frame` to the peer `to`. */
export type Lie = (frame: PeerFrame, to: string) => PeerFrame;

const forged = (entry: Bytes): Bytes => {
  const value = decodeAs(entrySchema, entry, 'entry');
  return entryBytes({ ...value, wallMs: value.wallMs + 1 });
};

export const makeLiar = (crypto: Crypto, author: Author, victim: string): Lie => {
  /** The victim's version of the log. */
  const told: Bytes[] = [];
  return (frame, to) => {
    if (frame.kind !== 'entries' || frame.author !== author.id || to !== victim) return frame;
    if (told.length === 0) told.push(...author.log(author.id));
    told.length = Math.min(told.length, frame.from);
    const entries = frame.entries.map((entry, i) => (i === frame.entries.length - 1 ? forged(entry) : entry));
    told.push(...entries);
    const tree = told.reduce((frontier, entry) => append(crypto, frontier, entry), EMPTY);
    const head = signCheckpoint(crypto, { author: author.id, size: tree.size, root: rootOf(crypto, tree) }, author.signer);
    return { ...frame, entries, head };
  };
};
