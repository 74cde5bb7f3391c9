/**
 * A gateway that signed more than it holds, or something else: its store is an older copy, or a new one under an old key.
 * What it logs from then on is a second history, which no peer takes. So it serves nobody any more, and says why; boards
 * and tenants have other gateways.
 */
import * as v from 'valibot';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { openCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { text } from '../../runtime/protocol/schema.ts';
import { table } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { keysOf } from './directory.ts';
import { isHeadOf } from './log.ts';

const ONE = 'proof';

/** The head with this gateway's own signature that is not in its log. */
const proofs = table('old-store', v.strictObject({ note: text }));

const isSignedBy = (context: Context, note: string, key: Bytes): boolean => {
  try {
    openCheckpoint(context.crypto, note, context.me, key);
    return true;
  } catch {
    return false;
  }
};

/** Whether the note proves it, which is kept: nobody but this gateway can have signed it. */
export const provesOldStore = (rows: Rows, context: Context, note: string): boolean => {
  const own = keysOf(rows, context, context.me).find(({ key }) => isSignedBy(context, note, key));
  if (own === undefined) return false;
  const head = openCheckpoint(context.crypto, note, context.me, own.key);
  if (head.author !== context.me || isHeadOf(rows, context.me, head)) return false;
  proofs.put(rows, { note }, ONE);
  return true;
};

/** Why nobody is served; null: the store is whole as far as anyone knows. */
export const objectionOfStore = (rows: Rows): LichenError | null =>
  proofs.get(rows, ONE) === null
    ? null
    : new LichenError(
        'storage-broken',
        'this store is an older copy: the gateway signed entries that are not in it. Give it its newest store, or a new key and an empty store',
      );
