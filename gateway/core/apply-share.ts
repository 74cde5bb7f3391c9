/** Entries by which tenants ask for a share of a shared instance. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { Sealed } from '../../runtime/protocol/noun.ts';
import type { LogEntry } from '../../runtime/protocol/nouns/log.ts';
import { requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import { type Share, shareIdOf } from '../../runtime/protocol/nouns/share.ts';
import { checkTenant, supersedes } from './apply-demand.ts';
import type { Context, Rows } from './context.ts';
import { open } from './opened.ts';
import { documents, shares } from './tables.ts';

export const openShare = (rows: Rows, context: Context, body: Bytes): Sealed<Share> => {
  const sealed = open.share(context.crypto, body);
  checkTenant(rows, context, sealed.value.tenant, sealed.signer);
  return sealed;
};

/** Its host need not be known yet: that may stand in another's log. */
export const applyShare = (rows: Rows, context: Context, body: Bytes, { wallMs }: LogEntry): void => {
  const { value: doc, hash } = openShare(rows, context, body);
  const host = requestIdOf(context.crypto, doc.host.tenant, doc.host.name);
  const share = shareIdOf(context.crypto, host, doc.tenant, doc.name);
  const held = shares.get(rows, host, share);
  const newest = held === null || supersedes([doc.sequence, hash], [held.doc.sequence, held.hash]) ? { doc, hash } : held;
  documents.put(rows, body, hex(hash));
  // The earliest, in whatever order the logs come.
  shares.put(rows, { ...newest, sinceMs: Math.min(wallMs, held?.sinceMs ?? wallMs) }, host, share);
};
