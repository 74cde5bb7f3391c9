/**
 * How a guarded lease is renewed: the board asks with a nonce, each guardian that may grants, and the board counts the
 * time from the moment at which it asked.
 */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import { boardId, gatewayId, leaseId, nonce, version1 } from '../schema.ts';

const named = v.pipe(v.array(leaseId), v.minLength(1), v.maxLength(LIMITS.partitionsPerBoard));

/** Signed by the board. */
export const renewalSchema = v.strictObject({ v: version1, board: boardId, nonce, leases: named });
export type Renewal = v.InferOutput<typeof renewalSchema>;
export const renewalNoun: Noun<Renewal> = noun('renewal', LIMITS.documentBytes, renewalSchema);

/** Signed by the guardian: to no other lease of these instances does it grant anything before these have run out. */
export const grantSchema = v.strictObject({ v: version1, board: boardId, guardian: gatewayId, nonce, leases: named });
export type Grant = v.InferOutput<typeof grantSchema>;
export const grantNoun: Noun<Grant> = noun('grant', LIMITS.documentBytes, grantSchema);

/** 1 of 1, 2 of 2, 2 of 3. */
export const majorityOf = (guardians: number): number => Math.floor(guardians / 2) + 1;

const MILLION = 1_000_000;

/**
 * For how long, by its own clock, a guardian must take a lease for running after it granted it. The board's clock may go
 * slow and its own fast, (1 + d) / (1 - d) < 1 + 3d, and the end takes its time.
 */
export const outlivesMs = (leaseMs: number): number =>
  leaseMs + Math.ceil((leaseMs * 3 * LIMITS.clockPpm) / MILLION) + Math.ceil(LIMITS.killMs * (1 + LIMITS.clockPpm / MILLION));
