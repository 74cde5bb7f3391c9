/**
 * Shared instances: one instance serves many. A share is a tenant's standing, signed wish to be served by the instances of
 * another request, its own or another tenant's (SlapOS calls it a slave instance).
 */
import * as v from 'valibot';
import type { Crypto } from '../crypto.ts';
import { derive, type RequestId, type ShareId, type TenantId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import { boardId, leaseId, name, positive, record, shareId, tenantId, text, uint, version1 } from '../schema.ts';

/** Of a request: how many shares each of its instances serves at most, and whose beside its own tenant's; null: anybody's. */
export const sharing = v.strictObject({
  most: v.pipe(positive, v.maxValue(LIMITS.shares)),
  tenants: v.nullable(v.pipe(v.array(tenantId), v.maxLength(LIMITS.shares))),
});
export type Sharing = v.InferOutput<typeof sharing>;

export const shareSchema = v.strictObject({
  v: version1,
  tenant: tenantId,
  name,
  sequence: positive,
  state: v.picklist(['started', 'destroyed']),
  /** The request whose instances are to serve it. */
  host: v.strictObject({ tenant: tenantId, name }),
  parameters: v.pipe(record(name, text), v.maxEntries(LIMITS.parameters)),
});
export type Share = v.InferOutput<typeof shareSchema>;
export const shareNoun: Noun<Share> = noun('share', LIMITS.documentBytes, shareSchema);

/** A share keeps its id through all its sequences, and never goes to another host. */
export const shareIdOf = (crypto: Crypto, host: RequestId, tenant: TenantId, shareName: string): ShareId =>
  derive<ShareId>(crypto, 'share', host, tenant, shareName);

/** Of one instance: what it says to each whom it serves. */
export const sharedSchema = v.strictObject({
  v: version1,
  board: boardId,
  lease: leaseId,
  monoMs: uint,
  shares: v.pipe(
    v.array(
      v.strictObject({
        share: shareId,
        /** As JSON that its release's schema takes; null while it has said nothing. */
        connection: v.nullable(v.pipe(v.string(), v.maxBytes(LIMITS.shareConnectionBytes))),
        /** Why it is not served, or what it was told amiss; else empty. */
        detail: text,
      }),
    ),
    v.maxLength(LIMITS.shares),
  ),
});
export type Shared = v.InferOutput<typeof sharedSchema>;
export const sharedNoun: Noun<Shared> = noun('shared', LIMITS.payloadBytes, sharedSchema);
