/** Messages that carry no signature of their own: they travel inside a session whose ends have shown their keys. */
import * as v from 'valibot';
import type { Bytes } from '../bytes.ts';
import { byteHead, write } from '../cbor-write.ts';
import { LIMITS } from '../limits.ts';
import { bytes, gatewayId, hash, ownerId, publicKey, secret, text, uint, version1 } from '../schema.ts';

/** Signed usage records, oldest first. */
export const usageBatch = v.strictObject({
  v: version1,
  records: v.pipe(v.array(bytes(LIMITS.usageRecordBytes)), v.maxLength(LIMITS.cborItems)),
});
export type UsageBatch = v.InferOutput<typeof usageBatch>;

/** A lease, as its guardian signed it, and what it was given upon: what its tenant asked for and pays with, as the tenant signed that. */
export const bring = v.strictObject({
  v: version1,
  lease: bytes(LIMITS.documentBytes),
  request: v.optional(bytes(LIMITS.documentBytes)),
  voucher: v.optional(bytes(LIMITS.documentBytes)),
});
export type Bring = v.InferOutput<typeof bring>;

/** Documents and chunks wanted, by hash. */
export const want = v.strictObject({ v: version1, hashes: v.pipe(v.array(hash), v.maxLength(LIMITS.wantHashes)) });
export type Want = v.InferOutput<typeof want>;

/** Of a piece with what makes it a document, or of one that packing made no smaller. */
export const CHUNK_BYTES = LIMITS.chunkMaxBytes + 1024;

/** `bytes: null`: not here. `hash` is what was asked for; a chunk hashes to it, a document's payload does. */
export const chunk = v.strictObject({ v: version1, hash, bytes: v.nullable(bytes(CHUNK_BYTES)) });
export type Chunk = v.InferOutput<typeof chunk>;

const [BEFORE_HASH, BEHIND_HASH, NO_BYTES] = ((): [Bytes, Bytes, Bytes] => {
  const hash = new Uint8Array(32).fill(255);
  const whole = write({ v: 1, hash, bytes: null });
  const at = whole.indexOf(255);
  return [whole.subarray(0, at), whole.subarray(at + hash.length, -1), whole.subarray(-1)];
})();

/** What stands before the bytes in the one encoding of a `chunk`: they are its end, so they need not be copied to be sent. */
export const chunkHead = (hash: Bytes, length: number | null): Bytes => {
  const end = length === null ? NO_BYTES : byteHead(length);
  const out = new Uint8Array(BEFORE_HASH.length + hash.length + BEHIND_HASH.length + end.length);
  out.set(BEFORE_HASH);
  out.set(hash, BEFORE_HASH.length);
  out.set(BEHIND_HASH, BEFORE_HASH.length + hash.length);
  out.set(end, out.length - end.length);
  return out;
};

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
  operators: v.pipe(v.array(v.pipe(v.array(bytes(LIMITS.trustBytes)), v.maxLength(LIMITS.operatorVersions))), v.maxLength(16)),
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
