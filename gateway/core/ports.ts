/** Ports of boards: which are taken, by whom, and what may not be asked for because of that. */
import { hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { type PortRange, placeOfPort, publishedOf } from '../../runtime/protocol/nouns/reach.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Rows } from './context.ts';
import { leasesFor } from './holding.ts';
import type { HeldLease } from './leased.ts';
import { boards, leaseIndex, leases, manifests, requests } from './tables.ts';

const placesOf = (rows: Rows, { doc }: HeldLease): string[] => {
  const request = requests.get(rows, doc.request)?.doc;
  if (request?.publish === undefined) return [];
  const manifest = manifests.get(rows, hex(doc.release))?.doc;
  return manifest === undefined ? [] : publishedOf(manifest, request).map(placeOfPort);
};

/** By what these leases are for. */
export const takenBy = (rows: Rows, held: HeldLease[]): Set<string> => new Set(held.flatMap((lease) => placesOf(rows, lease)));

const isIn = (port: number, range: PortRange | undefined): boolean => range !== undefined && port >= range.first && port <= range.last;

/** Whether a board that offers this, of which that is taken, can publish what the request asks for. */
export const canPublish = (manifest: Manifest, request: Request, ports: PortRange | undefined, taken: ReadonlySet<string>): boolean =>
  publishedOf(manifest, request).every((one) => isIn(one.outside, ports) && !taken.has(placeOfPort(one)));

/** Boards on which the request is bound to be: it runs there, or asks for that one alone. */
const boardsOf = (rows: Rows, id: RequestId, { filter }: Request): string[] => {
  const running = leaseIndex.all(rows, id).flatMap(({ key }) => {
    const held = leases.get(rows, key.slice(key.lastIndexOf('/') + 1));
    return held === null || held.closed ? [] : [held.doc.board];
  });
  return [...new Set(filter.board === undefined ? running : [filter.board])];
};

/**
 * What would be published at another's expense is refused while its tenant can still be told. Boards that gateways fill
 * at the same time keep to whoever was leased first, and say so. Errors: `conflict`, `not-offered`.
 */
export const checkPorts = (rows: Rows, id: RequestId, manifest: Manifest, request: Request): void => {
  const wanted = publishedOf(manifest, request);
  if (wanted.length === 0 || request.state === 'destroyed') return;
  for (const board of boardsOf(rows, id, request)) {
    const offer = boards.get(rows, board)?.offer ?? null;
    const taken = takenBy(
      rows,
      leasesFor(rows, board).filter(({ doc }) => doc.request !== id),
    );
    for (const { name, outside, protocol } of wanted) {
      if (taken.has(placeOfPort({ outside, protocol })))
        refuse('conflict', `port ${outside} of board ${board}, for ${name}, is taken by another instance; ask for another port`);
      if (offer !== null && !isIn(outside, offer.ports))
        refuse('not-offered', `board ${board} does not offer port ${outside}, asked for ${name}; it offers ${rangeText(offer.ports)}`);
    }
  }
};

const rangeText = (ports: PortRange | undefined): string => (ports === undefined ? 'none' : `${ports.first} to ${ports.last}`);
