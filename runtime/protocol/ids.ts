/** Names of things. An id is 160 bits of SHA-256 as 32 letters of base32; a hash is the whole 32 bytes. */
import { type Bytes, base32, concat, utf8 } from './bytes.ts';
import type { Crypto } from './crypto.ts';
import { refuse } from './errors.ts';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

export type BoardId = Branded<'board'>;
export type GatewayId = Branded<'gateway'>;
export type OperatorId = Branded<'operator'>;
export type PublisherId = Branded<'publisher'>;
export type TenantId = Branded<'tenant'>;
export type OwnerId = Branded<'owner'>;
export type RequestId = Branded<'request'>;
export type LeaseId = Branded<'lease'>;
export type ShareId = Branded<'share'>;

const FORM = /^[a-z2-7]{32}$/;

/** Takes a text for an id of the kind that the caller names; `bad-schema` unless it has an id's form. */
export const idFrom = <Id extends string>(text: string): Id =>
  FORM.test(text) ? (text as Id) : refuse('bad-schema', `"${text.slice(0, 40)}" is not an id of 32 letters`);

const short = <Id extends string>(crypto: Crypto, data: Bytes): Id => idFrom<Id>(base32(crypto.sha256(data).subarray(0, 20)));

/** The id of whoever was born with this key; it stays when the key is rotated. */
export const fingerprint = <Id extends string = string>(crypto: Crypto, publicKey: Bytes): Id => short<Id>(crypto, publicKey);

/** Six digits of an id, for two people who compare what a screen says with what a page or a gateway does. No secret, and no proof. */
export const codeOf = (id: string): string => {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + character.charCodeAt(0)) % 1_000_003;
  const digits = String(sum % 1_000_000).padStart(6, '0');
  return `${digits.slice(0, 3)} ${digits.slice(3)}`;
};

/** An id derived from the parts that make a thing one of its kind, e.g. tenant and name of a request. */
export const derive = <Id extends string>(crypto: Crypto, kind: string, ...parts: string[]): Id =>
  short<Id>(crypto, concat(utf8([kind, ...parts].join('\n'))));
