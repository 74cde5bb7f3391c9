/**
 * Secrets of an instance: in the request, sealed by its tenant to each board that may run it, before anybody knows which will.
 * What a gateway stores, passes on and places by is the boxes alone.
 */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { boardId, bytes, name, record, tenantId, version1 } from '../schema.ts';

/** `box`: HPKE (RFC 9180) of `secrets-text`, to the key that the board's offer names. */
export const sealedSecrets = v.pipe(
  v.array(v.strictObject({ board: boardId, box: bytes(LIMITS.secretBoxBytes) })),
  v.minLength(1),
  v.maxLength(LIMITS.secretBoards),
);
export type SealedSecrets = v.InferOutput<typeof sealedSecrets>;

/** Says itself whose it is and for what, so that a box that is put into another request opens to nothing. */
export const secretsText = v.strictObject({
  v: version1,
  tenant: tenantId,
  /** Of the request. */
  name,
  board: boardId,
  /** Name of the file below /run/secrets → what is in it. */
  files: v.pipe(record(name, bytes(LIMITS.secretBoxBytes)), v.maxEntries(LIMITS.secrets)),
});
export type SecretsText = v.InferOutput<typeof secretsText>;

export const SECRETS_INFO = 'lichen.secrets';
