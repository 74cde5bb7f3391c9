/** Leases as they were logged, by request and replica. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Rows } from './context.ts';
import { leaseIndex, leaseRows, leases } from './tables.ts';
import { instanceOf } from './touched.ts';

export interface HeldLease {
  doc: Lease;
  document: Bytes;
  signer: Bytes;
  opened: boolean;
  closed: boolean;
}

export const lastOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

/** The lease of (request, index) with the highest term; equal terms (a split of guardians) go by the greater id. */
export const currentLease = (rows: Rows, request: string, index: number): HeldLease | null => {
  const [last] = rows.scan(`${leaseRows}/${instanceOf(request, index)}/`, { limit: 1, reverse: true });
  return last === undefined ? null : leases.get(rows, lastOf(last.key));
};

/** All leases that there ever were of a request, or of one of its instances. */
export const leasesOf = (rows: Rows, ...key: string[]): HeldLease[] =>
  leaseIndex.all(rows, ...key).flatMap(({ key: found }) => leases.get(rows, lastOf(found)) ?? []);
