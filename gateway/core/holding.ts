/** Leases as boards hold them: which one of an instance counts, which are wanted, what a board is to run. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Rows } from './context.ts';
import { leaseIndex, leaseRows, leases, openLeases, requests } from './tables.ts';
import { instanceOf, type Touched } from './touched.ts';

export interface HeldLease {
  doc: Lease;
  document: Bytes;
  signer: Bytes;
  opened: boolean;
  closed: boolean;
}

const lastOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1);

/** The lease of (request, index) with the highest term; equal terms (a split of guardians) go by the greater id. */
export const currentLease = (rows: Rows, request: string, index: number): HeldLease | null => {
  const [last] = rows.scan(`${leaseRows}/${instanceOf(request, index)}/`, { limit: 1, reverse: true });
  return last === undefined ? null : leases.get(rows, lastOf(last.key));
};

/** Whether the tenant still wants what this lease is for. */
export const stillWanted = (rows: Rows, lease: Lease): boolean => {
  const request = requests.get(rows, lease.request);
  if (request === null || request.doc.state === 'destroyed') return false;
  return lease.index < request.doc.replicas && equal(request.doc.release, lease.release);
};

export const isCurrent = (rows: Rows, { doc }: HeldLease): boolean => currentLease(rows, doc.request, doc.index)?.doc.lease === doc.lease;

export const openOn = (rows: Rows, board: string): HeldLease[] =>
  openLeases.all(rows, board).flatMap(({ key }) => leases.get(rows, lastOf(key)) ?? []);

/** What a board's home asks it to run: open leases that are current and wanted. */
export const leasesFor = (rows: Rows, board: string): HeldLease[] =>
  openOn(rows, board).filter((held) => stillWanted(rows, held.doc) && isCurrent(rows, held));

/** All leases that there ever were of a request, or of one of its instances. */
export const leasesOf = (rows: Rows, ...key: string[]): HeldLease[] =>
  leaseIndex.all(rows, ...key).flatMap(({ key: found }) => leases.get(rows, lastOf(found)) ?? []);

/** Those of them that are not closed. */
export const openOf = (rows: Rows, ...key: string[]): HeldLease[] => leasesOf(rows, ...key).filter(({ closed }) => !closed);

/** Boards that what was touched can mean something to: those that hold a lease of it, too. */
export const boardsTouched = (rows: Rows, { boards, requests: ids, instances }: Touched): Set<string> => {
  const found = new Set(boards);
  for (const request of ids) for (const { doc } of openOf(rows, request)) found.add(doc.board);
  for (const instance of instances) for (const { doc } of openOf(rows, ...instance.split('/'))) found.add(doc.board);
  return found;
};
