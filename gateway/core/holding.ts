/** Leases as boards hold them: which one of an instance counts, which are wanted, what a board is to run. */
import type { Rows } from './context.ts';
import { currentLease, type HeldLease, lastOf, leasesOf } from './leased.ts';
import { leases, openLeases, requests } from './tables.ts';
import type { Touched } from './touched.ts';
import { isFor } from './waves.ts';

/** Whether the tenant still wants what this lease is for. */
export const stillWanted = (rows: Rows, held: HeldLease): boolean => {
  const request = requests.get(rows, held.doc.request);
  if (request === null || request.doc.state === 'destroyed') return false;
  return held.doc.index < request.doc.replicas && isFor(rows, request.doc, held);
};

export const isCurrent = (rows: Rows, { doc }: HeldLease): boolean => currentLease(rows, doc.request, doc.index)?.doc.lease === doc.lease;

export const openOn = (rows: Rows, board: string): HeldLease[] =>
  openLeases.all(rows, board).flatMap(({ key }) => leases.get(rows, lastOf(key)) ?? []);

/** What a board's home asks it to run: open leases that are current and wanted. */
export const leasesFor = (rows: Rows, board: string): HeldLease[] =>
  openOn(rows, board).filter((held) => stillWanted(rows, held) && isCurrent(rows, held));

/** Those of them that are not closed. */
export const openOf = (rows: Rows, ...key: string[]): HeldLease[] => leasesOf(rows, ...key).filter(({ closed }) => !closed);

/** Boards that what was touched can mean something to: those that hold a lease of it, too. */
export const boardsTouched = (rows: Rows, { boards, requests: ids, instances }: Touched): Set<string> => {
  const found = new Set(boards);
  for (const request of ids) for (const { doc } of openOf(rows, request)) found.add(doc.board);
  for (const instance of instances) for (const { doc } of openOf(rows, ...instance.split('/'))) found.add(doc.board);
  return found;
};
