/** What a tenant signs: a standing wish for software, and the voucher that pays for it. */
import * as v from 'valibot';
import type { Crypto } from '../crypto.ts';
import { derive, type RequestId, type TenantId } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import {
  amount,
  boardId,
  counter,
  currency,
  hash,
  map,
  name,
  ownerId,
  positive,
  publicKey,
  record,
  tenantId,
  text,
  tier,
  uint,
  uintUpTo,
  version1,
  wallMs,
} from '../schema.ts';
import { grant, linkTargets, publishedPorts } from './reach.ts';
import { holdMs } from './release.ts';
import { sealedSecrets } from './secrets.ts';
import { sharing } from './share.ts';
import { windows } from './windows.ts';

/** Rates in nano-units of the currency; see `money.ts` for the unit each is per. */
export const rates = v.strictObject({
  wallHour: counter,
  cpuSecond: counter,
  memoryMibHour: counter,
  netMib: counter,
  diskMib: counter,
  dataMibHour: counter,
});
export type Rates = v.InferOutput<typeof rates>;

export const filter = v.pipe(
  map,
  v.strictObject({
    tier: v.optional(tier),
    board: v.optional(boardId),
    owner: v.optional(ownerId),
    region: v.optional(name),
  }),
);

/** What may run in the place of the release, and for how long that has to hold its promises before it is past that. */
export const fallback = v.strictObject({ release: hash, bakeMs: uintUpTo(LIMITS.bakeMs) });
export type Fallback = v.InferOutput<typeof fallback>;

/** Whom a wave takes in, beside those of the waves before: the first of the replicas, a share of them, or those on boards with a label. */
export const wave = v.variant('kind', [
  v.strictObject({ kind: v.literal('count'), count: v.pipe(positive, v.maxValue(LIMITS.replicas)) }),
  v.strictObject({ kind: v.literal('share'), permille: v.pipe(positive, v.maxValue(1000)) }),
  v.strictObject({ kind: v.literal('label'), label: name }),
]);
export type Wave = v.InferOutput<typeof wave>;

/** The release goes from its fallback's instances to one wave after the other; all that no wave names are the last one. */
export const rollout = v.strictObject({
  waves: v.pipe(v.array(wave), v.minLength(1), v.maxLength(LIMITS.waves)),
  /** So many may fall back without its being halted. */
  tolerated: v.pipe(uint, v.maxValue(LIMITS.replicas)),
});
export type Rollout = v.InferOutput<typeof rollout>;

export const requestSchema = v.strictObject({
  v: version1,
  tenant: tenantId,
  name,
  sequence: positive,
  /** `stopped` keeps the partition and its meter; `destroyed` closes the leases. */
  state: v.picklist(['started', 'stopped', 'destroyed']),
  release: hash,
  replicas: v.pipe(positive, v.maxValue(LIMITS.replicas)),
  parameters: v.pipe(record(name, text), v.maxEntries(LIMITS.parameters)),
  filter,
  /** No board is taken whose rates exceed these. */
  priceCap: rates,
  currency,
  voucher: hash,
  /** `stop`: never in two places. It runs only while a majority of its guardians renews its lease. */
  onIsolation: v.picklist(['continue', 'stop']),
  /** How long a board may be out of reach before another takes its instance over. */
  patienceMs: v.pipe(positive, v.minValue(1000)),
  /** Link of the release → the tenant's request whose instance is meant; without a word, the one of the same name. */
  links: v.optional(linkTargets),
  /** Port of the release → port of the board; one that is not named is not published. */
  publish: v.optional(publishedPorts),
  /** Sealed to each board that may run it; on others it is not placed. */
  secrets: v.optional(sealedSecrets),
  /** How long its instances may hold off another release, at most; without it, as long as their own release says. */
  holdMs: v.optional(holdMs),
  /** A release of the same publisher that takes the place of this one where this one does not hold its promises. */
  fallback: v.optional(fallback),
  /** Who else may have a share of its instances. */
  shares: v.optional(sharing),
  /** Not all at once; only with a fallback, which those run that it has not reached. */
  rollout: v.optional(rollout),
  /** When its instances may be taken from one release to another; without it, at any time. */
  windows: v.optional(windows),
  /** One more than before: all instances begin anew. */
  bang: v.optional(positive),
});
export type Request = v.InferOutput<typeof requestSchema>;
export const requestNoun: Noun<Request> = noun('request', LIMITS.documentBytes, requestSchema);

/** A request keeps its id through all its sequences. */
export const requestIdOf = (crypto: Crypto, tenant: TenantId, requestName: string): RequestId =>
  derive<RequestId>(crypto, 'request', tenant, requestName);

/**
 * A tenant's promise to pay up to a cap for one of its requests. Each lease may cost a part of it, which the board enforces even
 * offline; all of them together are never billed more.
 */
export const voucherSchema = v.strictObject({
  v: version1,
  tenant: tenantId,
  /** Of the request that it pays for. */
  name,
  serial: positive,
  currency,
  capMicro: amount,
  notAfterMs: wallMs,
});
export type Voucher = v.InferOutput<typeof voucherSchema>;
export const voucherNoun: Noun<Voucher> = noun('voucher', LIMITS.documentBytes, voucherSchema);

/** What a tenant says of an invoice. */
export const verdictSchema = v.strictObject({
  v: version1,
  tenant: tenantId,
  period: uint,
  invoice: hash,
  verdict: v.picklist(['accept', 'dispute']),
  reason: text,
});
export type Verdict = v.InferOutput<typeof verdictSchema>;
export const verdictNoun: Noun<Verdict> = noun('verdict', LIMITS.documentBytes, verdictSchema);

/** What an owner signs: whom a board pays, at which rates, and what it may be used for. */
export const bindingSchema = v.strictObject({
  v: version1,
  board: boardId,
  owner: ownerId,
  payee: text,
  version: positive,
  currency,
  rates,
  policy: v.strictObject({
    partitions: v.pipe(positive, v.maxValue(LIMITS.partitionsPerBoard)),
    labels: v.array(name),
    /** What strangers' software may be given there beside room; without it, nothing. */
    grants: v.optional(v.pipe(v.array(grant), v.maxLength(LIMITS.grants))),
    /** When instances may be taken from one release to another here; without it, at any time. */
    windows: v.optional(windows),
  }),
});
export type Binding = v.InferOutput<typeof bindingSchema>;
export const bindingNoun: Noun<Binding> = noun('binding', LIMITS.documentBytes, bindingSchema);

export const rotationSchema = v.strictObject({
  v: version1,
  kind: v.picklist(['board', 'gateway']),
  subject: text,
  version: positive,
  from: publicKey,
  to: publicKey,
});
export type Rotation = v.InferOutput<typeof rotationSchema>;
/** Signed by both keys: the old one hands over, the new one shows that it is held. */
export const rotationNoun: Noun<Rotation> = noun('rotation', LIMITS.documentBytes, rotationSchema);
