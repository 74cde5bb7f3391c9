/**
 * What gateways sign for boards: the lease (the contract for one instance in one partition, signed by the guardian
 * that placed it), the assignment (`desired`: all that the board is to run now, signed by its home), the time anchor
 * and the acknowledgement.
 */
import * as v from 'valibot';
import { hex } from '../bytes.ts';
import type { Crypto } from '../crypto.ts';
import { refuse } from '../errors.ts';
import { derive, type LeaseId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { encodeAs, type Noun, noun } from '../noun.ts';
import {
  amount,
  boardId,
  bytes,
  currency,
  gatewayId,
  hash,
  leaseId,
  name,
  nonce,
  operatorId,
  ownerId,
  positive,
  requestId,
  tenantId,
  uint,
  uintUpTo,
  version1,
  wallMs,
} from '../schema.ts';
import { limits } from './release.ts';
import { rates } from './request.ts';
import { windows } from './windows.ts';

/** Of a lease that never runs in two places: it runs while a majority of these renews it, and `leaseMs` longer. */
const guarded = v.strictObject({
  leaseMs: v.pipe(positive, v.maxValue(LIMITS.leaseMs)),
  guardians: v.pipe(v.array(gatewayId), v.minLength(1), v.maxLength(LIMITS.guardians)),
});
export type Guarded = v.InferOutput<typeof guarded>;

export const leaseSchema = v.strictObject({
  v: version1,
  lease: leaseId,
  /** Fencing number of (request, index): the higher term runs, the lower one stops being charged. */
  term: positive,
  guardian: gatewayId,
  operator: operatorId,
  request: requestId,
  /** Which of the request's replicas, from 0. */
  index: uint,
  name,
  tenant: tenantId,
  board: boardId,
  owner: ownerId,
  binding: positive,
  release: hash,
  /** The publisher's trust document that lists the manifest's key. */
  publisher: hash,
  limits,
  rates,
  currency,
  feePermille: uintUpTo(1000),
  /** What this lease may cost at most; the board stops it there, even offline. */
  capMicro: amount,
  /** The voucher of which that is a part. */
  voucher: hash,
  onIsolation: v.picklist(['continue', 'stop']),
  /** There with `stop`, and only then. */
  guarded: v.optional(guarded),
  /** When its board lets releases change, as its owner signed it. */
  windows: v.optional(windows),
  openedMs: wallMs,
});
export type Lease = v.InferOutput<typeof leaseSchema>;
const { lease: _id, ...terms } = leaseSchema.entries;
const termsSchema = v.strictObject(terms);
/** A lease whose id is still to be worked out, or to be checked. */
export type Terms = v.InferOutput<typeof termsSchema> & { lease?: LeaseId };
export const leaseNoun: Noun<Lease> = noun('lease', LIMITS.documentBytes, leaseSchema);

/**
 * A lease's id is the hash of all its terms: whoever names a lease, as each usage record does, has named its rates, its
 * parties and its limits, and a board's zero record is its signature under exactly these.
 */
export const leaseIdOf = (crypto: Crypto, lease: Terms): LeaseId => {
  const { lease: _own, ...terms } = lease;
  return derive<LeaseId>(crypto, 'lease', hex(crypto.sha256(encodeAs(termsSchema, terms, 'lease'))));
};

/** Error: `bad-schema`. */
export const checkGuarded = ({ onIsolation, guarded, lease }: Lease): void => {
  if ((guarded !== undefined) !== (onIsolation === 'stop'))
    refuse('bad-schema', `lease ${lease} names guardians if it stops, and only then`);
  if (new Set(guarded?.guardians).size !== (guarded?.guardians.length ?? 0)) refuse('bad-schema', `lease ${lease} names a guardian twice`);
};

/** All by the hash of what is signed: what it is, its publisher's newest word, and the owner's. */
const image = v.strictObject({ release: hash, publisher: hash, upkeep: hash });

export const desiredSchema = v.strictObject({
  v: version1,
  board: boardId,
  gateway: gatewayId,
  tenure: positive,
  /** Rises with every change, across gateways: `tenure` first, then this. */
  seq: positive,
  leases: v.pipe(
    v.array(
      v.strictObject({
        lease: bytes(LIMITS.documentBytes),
        /** The tenant's newest request document; the board fetches it and does what its `state` says. */
        request: hash,
        /** Of a shared instance: documents of the shares that it serves. */
        shares: v.optional(v.pipe(v.array(hash), v.maxLength(LIMITS.shares))),
      }),
    ),
    v.maxLength(LIMITS.partitionsPerBoard),
  ),
  /** The system that it is to run, and the runtime in it. */
  image: v.optional(image),
  runtime: v.optional(image),
  /** The owner's newest word on its upkeep, where that says more than whose images it is given. */
  upkeep: v.optional(hash),
});
export type Desired = v.InferOutput<typeof desiredSchema>;
export const desiredNoun: Noun<Desired> = noun('desired', LIMITS.payloadBytes, desiredSchema);

/** A point of a board's usage chain; seq 0 with a zero hash is the empty chain. */
export const chainPoint = v.strictObject({ seq: uint, hash });
export type ChainPoint = v.InferOutput<typeof chainPoint>;

/** The answer to `hello`, bound to its nonce. */
export const nowSchema = v.strictObject({
  v: version1,
  board: boardId,
  gateway: gatewayId,
  nonce,
  /** The protocol version that both speak. */
  speaks: positive,
  wallMs,
  /** The highest usage record of this board that the federation is known to hold. */
  known: chainPoint,
  /** That record, signed by the board itself: nobody else can move its chain forward. Null for the empty chain. */
  proof: v.nullable(bytes(LIMITS.usageRecordBytes)),
  /** Newest operator documents, signed by their roots. */
  operators: v.pipe(v.array(bytes(LIMITS.trustBytes)), v.maxLength(LIMITS.operatorsPerNow)),
});
export type Now = v.InferOutput<typeof nowSchema>;
export const nowNoun: Noun<Now> = noun('now', LIMITS.payloadBytes, nowSchema);

/** `stored`: durable here. `replicated`: durable here and at one peer; the board prunes up to it and no further. */
export const ackSchema = v.strictObject({ v: version1, board: boardId, gateway: gatewayId, stored: chainPoint, replicated: uint });
export type Ack = v.InferOutput<typeof ackSchema>;
export const ackNoun: Noun<Ack> = noun('ack', LIMITS.documentBytes, ackSchema);
