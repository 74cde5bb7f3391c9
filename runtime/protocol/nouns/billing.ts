/** A closed period: postings per lease, an invoice per tenant and currency, a payout per owner. The same bytes at every gateway. */
import * as v from 'valibot';
import type { Bytes } from '../bytes.ts';
import type { Crypto } from '../crypto.ts';
import { LIMITS } from '../limits.ts';
import { decodeAs, encodeAs } from '../noun.ts';
import {
  boardId,
  counter,
  currency,
  hash,
  leaseId,
  name,
  operatorId,
  ownerId,
  positive,
  requestId,
  tenantId,
  tier,
  uint,
  version1,
} from '../schema.ts';
import { registers } from './board.ts';
import { vectorSchema } from './log.ts';

/** What a former period charged stays, so no amount is ever below zero. */
const micro = counter;

/** Sorted by lease wherever several stand together. */
export const postingSchema = v.strictObject({
  lease: leaseId,
  board: boardId,
  tenant: tenantId,
  owner: ownerId,
  operator: operatorId,
  request: requestId,
  name,
  index: uint,
  term: positive,
  /** The lowest under which this lease was ever metered, up to `toSeq`. */
  tier,
  /** That of the lease, or XTS where `tier` is `dev`. */
  currency,
  /** The slice (fromSeq, toSeq] of the lease's records; `fromSeq` is the previous posting's `toSeq`, or the zero record. */
  fromSeq: uint,
  toSeq: positive,
  used: registers,
  /** Part of `used` that is posted at rate zero. */
  uncharged: registers,
  /** Why: `overlap` (another term ran, or was charged already), `cap` (the lease's cap is reached), both, or empty. */
  reason: v.picklist(['', 'overlap', 'cap', 'overlap, cap']),
  debitMicro: micro,
  creditMicro: micro,
  feeMicro: micro,
  roundingMicro: micro,
});
export type Posting = v.InferOutput<typeof postingSchema>;

export const invoiceSchema = v.strictObject({
  v: version1,
  tenant: tenantId,
  period: positive,
  vector: vectorSchema,
  closedMs: uint,
  currency,
  postings: v.array(postingSchema),
  totalMicro: micro,
});
export type Invoice = v.InferOutput<typeof invoiceSchema>;

export const statementSchema = v.strictObject({
  v: version1,
  period: positive,
  /** Of the statement before, by its bytes; zero before the first. It pins every earlier close, too. */
  previous: hash,
  vector: vectorSchema,
  closedMs: uint,
  invoices: v.array(invoiceSchema),
  payouts: v.array(v.strictObject({ owner: ownerId, currency, creditMicro: micro })),
  fees: v.array(v.strictObject({ operator: operatorId, currency, feeMicro: micro })),
  totals: v.array(v.strictObject({ currency, chargesMicro: micro, earningsMicro: micro, feesMicro: micro, roundingMicro: micro })),
});
/** All of a period; invoices, payouts, fees and totals in the order of ids and currencies, so that its bytes are one. */
export type Statement = v.InferOutput<typeof statementSchema>;

/** A statement is as long as a federation is large; it is computed here, never taken from a stranger. */
export const encodeStatement = (statement: Statement): Bytes => encodeAs(statementSchema, statement, 'statement', LIMITS.statementItems);
export const decodeStatement = (bytes: Bytes): Statement => decodeAs(statementSchema, bytes, 'statement', LIMITS.statementItems);

/** What a verdict names. */
export const invoiceHash = (crypto: Crypto, invoice: Invoice): Bytes =>
  crypto.sha256(encodeAs(invoiceSchema, invoice, 'invoice', LIMITS.statementItems));
