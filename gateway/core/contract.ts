/** The terms of a new lease: what all whose word it rests on have signed. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { NOT_PAYABLE } from '../../runtime/protocol/money.ts';
import { type Lease, leaseIdOf, type Terms } from '../../runtime/protocol/nouns/lease.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Context, Rows } from './context.ts';
import { gatewayById } from './directory.ts';
import { guardedFor } from './grants.ts';
import type { HeldLease } from './leased.ts';
import { leftFor } from './purse.ts';
import type { Candidate } from './rooms.ts';
import { manifests, publishers, vouchers } from './tables.ts';

export interface Instance {
  id: RequestId;
  request: Request;
  index: number;
  release: Bytes;
}

/** Room for the release, and for the one that may have to take its place; of `/data` there is one, as the release wants it. */
export const leasedLimits = (rows: Rows, { fallback }: Request, { limits }: Manifest): Manifest['limits'] => {
  const other = fallback === undefined ? undefined : manifests.get(rows, hex(fallback.release))?.doc.limits;
  if (other === undefined) return limits;
  const most = (key: 'logKib' | 'openFiles'): Partial<Manifest['limits']> => {
    const [a, b] = [limits[key], other[key]];
    return a === undefined && b === undefined ? {} : { [key]: Math.max(a ?? 0, b ?? 0) };
  };
  return {
    ...limits,
    memoryMib: Math.max(limits.memoryMib, other.memoryMib),
    cpuMillis: Math.max(limits.cpuMillis, other.cpuMillis),
    pids: Math.max(limits.pids, other.pids),
    tmpMib: Math.max(limits.tmpMib, other.tmpMib),
    ...most('logKib'),
    ...most('openFiles'),
  };
};

/** Null while nobody pays for it, and when no lease can follow on the one before. */
export const contract = (
  rows: Rows,
  context: Context,
  { id, request, index, release }: Instance,
  { chosen, before }: { chosen: Candidate; before: HeldLease | null },
  now: Instant,
): Lease | null => {
  const manifest = manifests.get(rows, hex(release));
  const voucher = vouchers.get(rows, hex(request.voucher));
  if (manifest === null || voucher === null || voucher.notAfterMs < now.wallMs) return null;
  const term = (before?.doc.term ?? 0) + 1;
  // Only who gave one of the highest term for spite can have got there.
  if (!Number.isSafeInteger(term)) return null;
  const capMicro = leftFor(rows, id, request, index);
  if (capMicro === 0n) return null;
  const { binding } = chosen;
  const terms: Terms = {
    v: 1,
    term,
    guardian: context.me,
    operator: context.operator,
    request: id,
    index,
    name: request.name,
    tenant: request.tenant,
    board: chosen.board,
    owner: binding.owner,
    binding: binding.version,
    release,
    // Whoever is given it comes to know of all that its publisher has taken back.
    publisher: publishers.get(rows, manifest.doc.publisher)?.hash ?? manifest.publisher,
    limits: leasedLimits(rows, request, manifest.doc),
    rates: binding.rates,
    currency: chosen.tier === 'dev' ? NOT_PAYABLE : binding.currency,
    feePermille: gatewayById(rows, context, context.me)?.feePermille ?? 0,
    capMicro,
    voucher: request.voucher,
    onIsolation: request.onIsolation,
    ...guardedFor(rows, context, id, request, before),
    ...(binding.policy.windows !== undefined && { windows: binding.policy.windows }),
    openedMs: now.wallMs,
  };
  return { ...terms, lease: leaseIdOf(context.crypto, terms) };
};
