/** The small words that every noun's schema is made of, and the one place where `unknown` becomes a type. */
import * as v from 'valibot';
import type { Bytes } from './bytes.ts';
import { refuse } from './errors.ts';
import type { BoardId, GatewayId, LeaseId, OperatorId, OwnerId, PublisherId, RequestId, TenantId } from './ids.ts';
import { LIMITS } from './limits.ts';

export type Schema<T> = v.GenericSchema<unknown, T>;

/** Parses what came from outside. Error: `bad-schema` with the path and what was expected there. */
export const parse = <T>(schema: Schema<T>, input: unknown, what: string): T => {
  const result = v.safeParse(schema, input, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = issue.path?.map((step) => String(step.key)).join('.');
  return refuse('bad-schema', `${what}${path ? `.${path}` : ''}: ${issue.message}`);
};

export const uint = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const uintUpTo = (max: number) => v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(max));
export const positive = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
export const int = v.pipe(v.number(), v.safeInteger());

/** An unsigned 64-bit counter; CBOR gives a number while it is small, the type is always bigint. */
export const counter: Schema<bigint> = v.pipe(
  v.union([uint, v.bigint()]),
  v.transform((value) => BigInt(value)),
  v.minValue(0n),
  v.maxValue(2n ** 64n - 1n),
);

/** Micro-units of a currency that someone undertakes to pay. */
export const amount: Schema<bigint> = v.pipe(counter, v.maxValue(BigInt(LIMITS.capMicro)));

const bytesOf = (length: number) =>
  v.custom<Bytes>((input) => input instanceof Uint8Array && input.length === length, `expected ${length} bytes`);

export const bytes = (max: number) =>
  v.custom<Bytes>((input) => input instanceof Uint8Array && input.length <= max, `expected at most ${max} bytes`);
export const publicKey = bytesOf(32);
export const hash = bytesOf(32);
export const nonce = bytesOf(16);
/** What whoever shows it was given: nothing shorter is one. */
export const secret = bytesOf(32);

/** valibot takes arrays and byte strings for records and for objects without a required key; on the wire they are not maps. */
export const map = v.custom<Record<string, unknown>>(
  (input) => typeof input === 'object' && input !== null && !Array.isArray(input) && !(input instanceof Uint8Array),
  'expected a map',
);

export const text = v.pipe(v.string(), v.maxBytes(LIMITS.textBytes));
/** Names that appear in topics, paths and tables. */
export const name = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,62}$/, 'expected a name: a-z, 0-9, -, at most 63'));

const idOf = <Id extends string>() =>
  v.custom<Id>((input) => typeof input === 'string' && /^[a-z2-7]{32}$/.test(input), 'expected an id of 32 letters');
export const boardId = idOf<BoardId>();
export const gatewayId = idOf<GatewayId>();
export const operatorId = idOf<OperatorId>();
export const publisherId = idOf<PublisherId>();
export const tenantId = idOf<TenantId>();
export const ownerId = idOf<OwnerId>();
export const requestId = idOf<RequestId>();
export const leaseId = idOf<LeaseId>();

export const version1 = v.literal(1);
export const tier = v.picklist(['dev', 'reduced', 'full']);
export type TierName = v.InferOutput<typeof tier>;
/** ISO 4217; XTS is its code for testing and is never payable. */
export const currency = v.pipe(v.string(), v.regex(/^[A-Z]{3}$/, 'expected a currency of three letters'));
export const wallMs = uint;
