/** Placing, and telling each board at home here what it is to run. Level-triggered: only the newest state is ever sent. */
import { type Bytes, concat, equal } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { type BoardId, idFrom } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { seal } from '../../runtime/protocol/noun.ts';
import { desiredNoun, leaseNoun } from '../../runtime/protocol/nouns/lease.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { leasesFor } from '../core/holding.ts';
import { imageFor } from '../core/images.ts';
import { placements } from '../core/placement.ts';
import { servedBy } from '../core/shares.ts';
import { boardSessions, boards, desireds, requests, upkeeps } from '../core/tables.ts';
import type { Touched } from '../core/touched.ts';
import { accept } from './accept.ts';
import type { Service, Work } from './events.ts';
import { askGuardians } from './grants.ts';

export const place = (work: Work, service: Service, touched: Touched, now: Instant): void => {
  const placed = placements(work, service, touched, now);
  askGuardians(work, service);
  for (const lease of placed) {
    accept(work, service, 'lease', seal(leaseNoun, lease, service.signer), now);
    work.emit({ kind: 'journal', line: `lease ${lease.lease} term ${lease.term}: ${lease.name}/${lease.index} on board ${lease.board}` });
  }
};

const sharesOf = (work: Work, request: string): { shares?: Bytes[] } => {
  const served = servedBy(work, request);
  return served.length === 0 ? {} : { shares: served.map(({ hash }) => hash) };
};

/** Its owner's word, where more follows from it than which images are assigned. */
const upkeepOf = (work: Work, board: string): Bytes | null => {
  const word = upkeeps.get(work, board);
  return word?.doc.neighbours === undefined ? null : word.hash;
};

/** To a board in session: sends the assignment if its content changed since the last one, or always when `always`. */
export const sendDesired = (work: Work, service: Service, board: string, always = false): void => {
  const session = boardSessions.get(work, board);
  const home = boards.get(work, board)?.home;
  if (session === null || home === null || home === undefined || home.gateway !== service.me) return;
  const leases = leasesFor(work, board)
    .slice(0, LIMITS.partitionsPerBoard)
    .map(({ doc, document }) => ({
      lease: document,
      request: requests.get(work, doc.request)?.hash ?? refuse('internal', 'a lease without request'),
      ...sharesOf(work, doc.request),
    }));
  const [image, runtime] = [imageFor(work, service, board, 'system'), imageFor(work, service, board, 'runtime')];
  const named = [image, runtime].flatMap((one) => (one === null ? [] : [one.release, one.publisher, one.upkeep]));
  const upkeep = upkeepOf(work, board);
  const listed = leases.flatMap(({ lease, request, shares = [] }) => [lease, request, ...shares]);
  const content = service.crypto.sha256(concat(...listed, ...named, ...(upkeep === null ? [] : [upkeep])));
  const held = desireds.get(work, board);
  const changed = held === null || held.tenure !== home.tenure || !equal(held.content, content);
  if (!changed && !always) return;
  const seq = changed ? (held?.tenure === home.tenure ? held.seq : 0) + 1 : held.seq;
  if (changed) desireds.put(work, { tenure: home.tenure, seq, content }, board);
  const desired = { v: 1 as const, board: idFrom<BoardId>(board), gateway: service.me, tenure: home.tenure, seq, leases };
  const whole = { ...desired, ...(image !== null && { image }), ...(runtime !== null && { runtime }), ...(upkeep !== null && { upkeep }) };
  work.emit({ kind: 'send', session, topic: 'desired', payload: seal(desiredNoun, whole, service.signer) });
};
