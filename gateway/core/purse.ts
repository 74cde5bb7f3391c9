/**
 * What a voucher still has for the next lease of an instance: of the instance's part, what its former leases have not used,
 * and never what others were granted. Leases of boards out of reach may have used more than is known here; that is the
 * ledger's to cut. [metering-28]
 */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { costMicro, ZERO } from '../../runtime/protocol/money.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Rows } from './context.ts';
import { isCurrent } from './holding.ts';
import { type HeldLease, leasesOf } from './leased.ts';
import { metered, vouchers } from './tables.ts';

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const sum = (amounts: bigint[]): bigint => amounts.reduce((total, amount) => total + amount, 0n);

const wholeOf = (rows: Rows, { voucher }: Request): bigint => vouchers.get(rows, hex(voucher))?.capMicro ?? 0n;

/** Of each instance the same, so that boards that cannot talk to each other cannot overspend together. */
const partOf = (rows: Rows, request: Request): bigint => wholeOf(rows, request) / BigInt(request.replicas);

/** As far as its records are here. */
const spentBy = (rows: Rows, { doc }: HeldLease): bigint =>
  least(costMicro(metered.get(rows, doc.board, doc.lease) ?? ZERO, doc.rates), doc.capMicro);

/** Nobody else can have it: what is over has cost so much, what goes on may cost its cap, or its part once it is leased anew. */
const grantedTo = (rows: Rows, held: HeldLease, part: bigint): bigint => {
  const spent = spentBy(rows, held);
  if (held.closed || !isCurrent(rows, held)) return spent;
  return spent < part ? least(held.doc.capMicro, part) : held.doc.capMicro;
};

/** Micro-units that a new lease of this instance may cost; 0: its tenant pays for no more. */
export const leftFor = (rows: Rows, id: RequestId, request: Request, index: number): bigint => {
  const part = partOf(rows, request);
  const paid = leasesOf(rows, id).filter(({ doc }) => equal(doc.voucher, request.voucher));
  const own = sum(paid.filter(({ doc }) => doc.index === index).map((held) => spentBy(rows, held)));
  const others = sum(paid.filter(({ doc }) => doc.index !== index).map((held) => grantedTo(rows, held, part)));
  const left = least(part, wholeOf(rows, request) - others) - own;
  return left > 0n ? left : 0n;
};

/** Since it was granted more instances share the voucher, and of its smaller part something is left. */
export const exceedsPart = (rows: Rows, request: Request, { doc }: HeldLease): boolean =>
  equal(doc.voucher, request.voucher) && doc.capMicro > partOf(rows, request) && leftFor(rows, doc.request, request, doc.index) > 0n;
