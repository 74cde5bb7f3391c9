/** What is to be signed, as a file of its own: carried to a key that never sees a network, and its signature back. */
import * as v from 'valibot';
import type { Bytes } from './bytes.ts';
import { LIMITS } from './limits.ts';
import { encodeAs, type Noun, payloadOf } from './noun.ts';
import { bytes, text, version1 } from './schema.ts';

export const toSign = v.strictObject({ v: version1, typ: text, payload: bytes(LIMITS.manifestBytes) });
export type ToSign = v.InferOutput<typeof toSign>;

export const unsigned = <T>(noun: Noun<T>, value: T): Bytes =>
  encodeAs(toSign, { v: 1, typ: noun.typ, payload: payloadOf(noun, value) }, 'what is to be signed');
