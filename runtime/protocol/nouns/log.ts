/**
 * A gateway's log: it is the sole author; entries are leaves of an RFC 6962 Merkle tree whose head it signs as a C2SP
 * checkpoint. Everything the federation agrees on is an entry; what a gateway knows is a fold over all logs.
 */
import * as v from 'valibot';
import type { Bytes } from '../bytes.ts';
import { LIMITS } from '../limits.ts';
import { encodeAs } from '../noun.ts';
import {
  boardId,
  bytes,
  gatewayId,
  hash,
  ownerId,
  positive,
  publicKey,
  record,
  requestId,
  text,
  uint,
  version1,
  wallMs,
} from '../schema.ts';

/** Kinds whose body is a signed document, and those (`admit`, `pair`, `presence`, `close`) that the author itself states. */
export const entryKind = v.picklist([
  'operator',
  'publisher',
  'manifest',
  'request',
  'voucher',
  'share',
  'verdict',
  'binding',
  'rotation',
  'home',
  'lease',
  'usage',
  'outcome',
  'admit',
  'pair',
  'presence',
  'offer',
  'close',
  'upkeep',
  'system-outcome',
]);
export type EntryKind = v.InferOutput<typeof entryKind>;

export const entrySchema = v.strictObject({
  v: version1,
  author: gatewayId,
  /** From 0, without gaps. */
  seq: uint,
  wallMs,
  kind: entryKind,
  body: bytes(LIMITS.payloadBytes),
});
export type LogEntry = v.InferOutput<typeof entrySchema>;

/** The leaf's data. */
export const entryBytes = (entry: LogEntry): Bytes => encodeAs(entrySchema, entry, 'entry');

export const admitSchema = v.strictObject({ v: version1, role: v.picklist(['tenant', 'owner', 'publisher']), key: publicKey, name: text });
export type Admit = v.InferOutput<typeof admitSchema>;

/** The board's signed `pairing` without its token stands behind it; the claim named the owner. */
export const pairSchema = v.strictObject({ v: version1, board: boardId, key: publicKey, owner: ownerId, claim: hash });
export type Pair = v.InferOutput<typeof pairSchema>;

/** Whether a board is in reach of the author, and since when. */
export const presenceSchema = v.strictObject({ v: version1, board: boardId, here: v.boolean(), tenure: positive, sinceMs: wallMs });
export type Presence = v.InferOutput<typeof presenceSchema>;

export const vectorSchema = record(v.string(), uint);
/** Author → number of entries. */
export type Vector = Record<string, number>;

/** Ends a period: every log up to `vector` counts, whatever of it was not billed before is billed now. */
export const closeSchema = v.strictObject({ v: version1, period: positive, vector: vectorSchema, closedMs: wallMs });
export type Close = v.InferOutput<typeof closeSchema>;

/** Peer frames, both ways. `have` is a standing pull: "send me what lies beyond this vector". */
export const peerFrame = v.variant('kind', [
  v.strictObject({
    kind: v.literal('have'),
    vector: vectorSchema,
    /** The receiver's own log's head, countersigned by the sender: durable there up to its size. */
    cosigned: v.nullable(text),
  }),
  v.strictObject({
    kind: v.literal('entries'),
    author: gatewayId,
    from: uint,
    entries: v.pipe(v.array(bytes(LIMITS.packetBytes)), v.maxLength(LIMITS.peerBatchEntries)),
    head: text,
  }),
  v.strictObject({ kind: v.literal('want'), hashes: v.pipe(v.array(hash), v.maxLength(LIMITS.wantHashes)) }),
  v.strictObject({ kind: v.literal('blob'), hash, bytes: v.nullable(bytes(LIMITS.packetBytes)) }),
  /** A board's signed renewal, from its home to a guardian. */
  v.strictObject({ kind: v.literal('renew'), renewal: bytes(LIMITS.documentBytes) }),
  /** What the guardian grants of it, signed, on its way to the board. */
  v.strictObject({ kind: v.literal('grant'), board: boardId, grant: bytes(LIMITS.documentBytes) }),
  /** Whether the sender may replace the lease of an instance: "does nothing run any more that you granted?" */
  v.strictObject({ kind: v.literal('poll'), request: requestId, index: uint, term: positive }),
  /** It may, as far as this guardian is concerned. */
  v.strictObject({ kind: v.literal('vote'), request: requestId, index: uint, term: positive }),
]);
export type PeerFrame = v.InferOutput<typeof peerFrame>;
