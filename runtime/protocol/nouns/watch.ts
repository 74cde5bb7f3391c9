/**
 * Reading a log. Who watches asks for one part after another and is never sent what it did not ask for: so nobody has to keep
 * a queue for it, and after a break it goes on where it was. The question is signed by the tenant and names a key made for
 * this one watching, to which the board seals its answers: a gateway passes both on and can read neither.
 */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import { bytes, hash, leaseId, name, publicKey, tenantId, uint, uintUpTo, version1 } from '../schema.ts';
import { refusal } from './messages.ts';

const KIB = 1024;

export const watchSchema = v.strictObject({
  v: version1,
  tenant: tenantId,
  /** Of the request, and which of its replicas. */
  name,
  index: uint,
  /** The lease in whose log `from` is a position; null: the first question. */
  lease: v.nullable(leaseId),
  /** Null: its end, and so much before it. */
  from: v.nullable(uint),
  tailBytes: uintUpTo(LIMITS.logMaxKib * KIB),
  /** How long the board waits for something to be said. */
  waitMs: uintUpTo(LIMITS.watchWaitMs),
  /** X25519. */
  to: publicKey,
});
export type Watch = v.InferOutput<typeof watchSchema>;
export const watchNoun: Noun<Watch> = noun('watch', LIMITS.documentBytes, watchSchema);

/** One of the two is null. `box`: HPKE (RFC 9180) of `log-text`. */
export const logFrame = v.strictObject({
  v: version1,
  /** Hash of the question's bytes. */
  of: hash,
  refusal: v.nullable(refusal),
  box: v.nullable(bytes(LIMITS.logFrameBytes + KIB)),
});
export type LogFrame = v.InferOutput<typeof logFrame>;

export const logText = v.strictObject({
  v: version1,
  lease: leaseId,
  from: uint,
  next: uint,
  /** Bytes before `from` that were asked for and are kept no more. */
  missed: uint,
  text: bytes(LIMITS.logFrameBytes),
});
export type LogText = v.InferOutput<typeof logText>;

/** What a box is bound to, beside the question. */
export const LOG_INFO = 'lichen.log';
