/** Messages that carry no signature of their own: they travel inside a session whose ends have shown their keys. */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { bytes, gatewayId, hash, ownerId, publicKey, secret, text, uint, version1 } from '../schema.ts';

/** Signed usage records, oldest first. */
export const usageBatch = v.strictObject({
  v: version1,
  records: v.pipe(v.array(bytes(LIMITS.usageRecordBytes)), v.maxLength(LIMITS.cborItems)),
});
export type UsageBatch = v.InferOutput<typeof usageBatch>;

/** Documents and chunks wanted, by hash. */
export const want = v.strictObject({ v: version1, hashes: v.pipe(v.array(hash), v.maxLength(LIMITS.wantHashes)) });
export type Want = v.InferOutput<typeof want>;

/** `bytes: null`: not here. `hash` is what was asked for; a chunk hashes to it, a document's payload does. */
export const chunk = v.strictObject({ v: version1, hash, bytes: v.nullable(bytes(LIMITS.chunkMaxBytes + 1024)) });
export type Chunk = v.InferOutput<typeof chunk>;

/** The board's last will: the broker says it when the link breaks. */
export const gone = v.strictObject({ v: version1 });

/** To a tenant: what became of what it pushed. `why` and `next` are null when it was accepted. */
export const answer = v.strictObject({
  v: version1,
  /** Hash of the pushed bytes. */
  of: hash,
  ok: v.boolean(),
  code: text,
  why: text,
  next: text,
  /** Content still missing for the release that was pushed. */
  missing: v.pipe(v.array(hash), v.maxLength(1024)),
});
export type Answer = v.InferOutput<typeof answer>;

const carriedFrame = v.strictObject({ topic: text, payload: bytes(LIMITS.packetBytes) });

/** To a gateway and back, of a session that a folder carries. `session`: empty in what opens it, which holds a hello. */
export const carried = v.strictObject({
  v: version1,
  session: text,
  frames: v.pipe(v.array(carriedFrame), v.maxLength(LIMITS.wantHashes)),
});
export type Carried = v.InferOutput<typeof carried>;

/** One line of a claim: `LICHEN1:` and base32 of this. */
export const claim = v.strictObject({ v: version1, token: secret, gateway: gatewayId, key: publicKey, address: text, operator: text });
export type Claim = v.InferOutput<typeof claim>;

export const paired = v.strictObject({
  v: version1,
  gateway: gatewayId,
  wallMs: uint,
  operators: v.pipe(v.array(v.pipe(v.array(bytes(LIMITS.trustBytes)), v.maxLength(64))), v.maxLength(16)),
  /** For whom the claim was made: whose word the board takes about itself from now on. */
  owner: v.optional(ownerId),
});
export type Paired = v.InferOutput<typeof paired>;

export const refusal = v.strictObject({ v: version1, code: text, why: text, next: text });
export type Refusal = v.InferOutput<typeof refusal>;

/** What a gateway answers to a pairing, in one frame. */
export const pairAnswer = v.variant('kind', [
  v.strictObject({ kind: v.literal('paired'), paired }),
  v.strictObject({ kind: v.literal('refused'), refusal }),
]);
export type PairAnswer = v.InferOutput<typeof pairAnswer>;
