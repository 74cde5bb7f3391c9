/** The small words that every noun's schema is made of, and the one place where `unknown` becomes a type. */
import * as v from 'valibot';
import { type Bytes, utf8 } from './bytes.ts';
import { keep, sorted } from './cbor-write.ts';
import { refuse } from './errors.ts';
import type { BoardId, GatewayId, LeaseId, OperatorId, OwnerId, PublisherId, RequestId, ShareId, TenantId } from './ids.ts';
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

/** What the schema takes as it stands, as the schema gives it back; null when it does not take it. */
export const takes = <T>(schema: Schema<T>, input: unknown): { value: T } | null => {
  const result = v.safeParse(schema, input, { abortEarly: true });
  return result.success ? { value: result.output } : null;
};

// One check each, as they stand in every row that a board writes: a chain of them costs several times as much.
const integer = (min: number, max: number, expected: string) =>
  v.custom<number>((input) => Number.isSafeInteger(input) && Number(input) >= min && Number(input) <= max, expected);

export const uint = integer(0, Number.MAX_SAFE_INTEGER, 'expected a whole number from 0');
export const uintUpTo = (max: number) => integer(0, max, `expected a whole number from 0 to ${max}`);
export const positive = integer(1, Number.MAX_SAFE_INTEGER, 'expected a whole number from 1');
export const int = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'expected a whole number');

const COUNTER_MAX = 2n ** 64n - 1n;
const isCounter = (input: unknown): boolean =>
  typeof input === 'bigint' ? input >= 0n && input <= COUNTER_MAX : Number.isSafeInteger(input) && Number(input) >= 0;

/** An unsigned 64-bit counter; CBOR gives a number while it is small, the type is always bigint. */
export const counter: Schema<bigint> = v.pipe(
  v.custom<number | bigint>(isCounter, 'expected a whole number of at most 64 bits'),
  v.transform((value) => BigInt(value)),
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

/** A map of any keys. In the order of its encoding, so that who wrote a row walks it in the order of who reads it. */
export const record = <Entry>(key: v.GenericSchema<string, string>, entry: Schema<Entry>) =>
  v.pipe(
    map,
    v.record(key, entry),
    v.transform((value) => sorted(value)),
  );

/** Of one UTF-16 unit at most three bytes come. */
const isText = (input: unknown): boolean =>
  typeof input === 'string' && (3 * input.length <= LIMITS.textBytes || utf8(input).length <= LIMITS.textBytes);
/**
 * What stays as it is while the row around it changes, a lease in its instance: once taken it is frozen, and taken again
 * without being looked at.
 */
export const kept = <T extends object>(schema: Schema<T>): Schema<T> => {
  const taken = new WeakSet<object>();
  const asItIs = v.custom<T>(() => true);
  const first = v.pipe(
    schema,
    v.transform((value) => {
      keep(value);
      taken.add(value);
      return value;
    }),
  );
  return v.lazy((input) => (typeof input === 'object' && input !== null && taken.has(input) ? asItIs : first));
};

export const text = v.custom<string>(isText, `expected a text of at most ${LIMITS.textBytes} bytes`);
/** Names that appear in topics, paths and tables. */
export const name = v.custom<string>(
  (input) => typeof input === 'string' && /^[a-z][a-z0-9-]{0,62}$/.test(input),
  'expected a name: a-z, 0-9, -, at most 63',
);

const ID_LETTERS = 32;

/** Letters of base32. In every document there are some: not by a regular expression, which takes several times as long. */
const isId = (input: unknown): boolean => {
  if (typeof input !== 'string' || input.length !== ID_LETTERS) return false;
  for (let i = 0; i < ID_LETTERS; i++) {
    const code = input.charCodeAt(i);
    if (!((code >= 0x61 && code <= 0x7a) || (code >= 0x32 && code <= 0x37))) return false;
  }
  return true;
};

const idOf = <Id extends string>() => v.custom<Id>(isId, 'expected an id of 32 letters');
export const boardId = idOf<BoardId>();
export const gatewayId = idOf<GatewayId>();
export const operatorId = idOf<OperatorId>();
export const publisherId = idOf<PublisherId>();
export const tenantId = idOf<TenantId>();
export const ownerId = idOf<OwnerId>();
export const requestId = idOf<RequestId>();
export const leaseId = idOf<LeaseId>();
export const shareId = idOf<ShareId>();

export const version1 = v.literal(1);
export const tier = v.picklist(['dev', 'reduced', 'full']);
export type TierName = v.InferOutput<typeof tier>;
/** ISO 4217; XTS is its code for testing and is never payable. */
export const currency = v.pipe(v.string(), v.regex(/^[A-Z]{3}$/, 'expected a currency of three letters'));
export const wallMs = uint;
