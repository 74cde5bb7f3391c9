/** The terms of a new lease: what all whose word it rests on have signed. */
import { hex } from '../../runtime/protocol/bytes.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { NOT_PAYABLE } from '../../runtime/protocol/money.ts';
import { type Lease, leaseIdOf, type Terms } from '../../runtime/protocol/nouns/lease.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Context, Rows } from './context.ts';
import { gatewayById } from './directory.ts';
import { guardedFor } from './grants.ts';
import type { HeldLease } from './holding.ts';
import { leftFor } from './purse.ts';
import type { Candidate } from './rooms.ts';
import { manifests, vouchers } from './tables.ts';

export interface Instance {
  id: RequestId;
  request: Request;
  index: number;
}

/** Null while nobody pays for it. */
export const contract = (
  rows: Rows,
  context: Context,
  { id, request, index }: Instance,
  { chosen, before }: { chosen: Candidate; before: HeldLease | null },
  now: Instant,
): Lease | null => {
  const manifest = manifests.get(rows, hex(request.release));
  const voucher = vouchers.get(rows, hex(request.voucher));
  if (manifest === null || voucher === null || voucher.notAfterMs < now.wallMs) return null;
  const capMicro = leftFor(rows, id, request, index);
  if (capMicro === 0n) return null;
  const { binding } = chosen;
  const terms: Terms = {
    v: 1,
    term: (before?.doc.term ?? 0) + 1,
    guardian: context.me,
    operator: context.operator,
    request: id,
    index,
    name: request.name,
    tenant: request.tenant,
    board: chosen.board,
    owner: binding.owner,
    binding: binding.version,
    release: request.release,
    publisher: manifest.publisher,
    limits: manifest.doc.limits,
    rates: binding.rates,
    currency: chosen.tier === 'dev' ? NOT_PAYABLE : binding.currency,
    feePermille: gatewayById(rows, context, context.me)?.feePermille ?? 0,
    capMicro,
    voucher: request.voucher,
    onIsolation: request.onIsolation,
    ...guardedFor(rows, context, id, request, before),
    openedMs: now.wallMs,
  };
  return { ...terms, lease: leaseIdOf(context.crypto, terms) };
};
