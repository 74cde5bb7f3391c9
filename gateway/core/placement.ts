/**
 * Which instance goes on which board. Pure over rows: the same rows give the same leases. A replica never shares a
 * board with another replica of its request; among the boards that fit, the emptiest is taken, ties by rendezvous.
 */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import { idFrom, type RequestId } from '../../runtime/protocol/ids.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import { needsOf, placeOfPort, publishedOf } from '../../runtime/protocol/nouns/reach.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { agendaOf, inOrder } from './agenda.ts';
import { setAlarm } from './alarms.ts';
import { isWithdrawn, objectionTo } from './apply-demand.ts';
import { isCaughtUp } from './caught-up.ts';
import type { Context, Rows } from './context.ts';
import { contract, leasedLimits } from './contract.ts';
import { holdsKey } from './directory.ts';
import { misfitOf, type Wish } from './fit.ts';
import { canRenew, guardiansFor, isGuarded } from './grants.ts';
import { leasesFor } from './holding.ts';
import { actsFor, awaySince } from './homing.ts';
import { currentLease, type HeldLease } from './leased.ts';
import { linkedRequests } from './links.ts';
import { choose, Pool } from './pool.ts';
import { canPublish } from './ports.ts';
import { exceedsPart } from './purse.ts';
import { type Candidate, hasRoom, roomIn, roomsOf } from './rooms.ts';
import { bindings, boards, manifests, releases, requests, vouchers } from './tables.ts';
import { awaitFor, instanceOf, ofInstance, type Touched, touchPlacing } from './touched.ts';
import { mayReplace } from './votes.ts';
import { wait, waitingFor, waitNoMore } from './waiting.ts';
import { isFor, releaseFor } from './waves.ts';

/**
 * Guardians that do not hear each other may fill one board twice. What it cannot hold goes elsewhere: first what runs,
 * then the lower id stays, so that all agree on which.
 */
const isExcess = (rows: Rows, { doc, opened }: HeldLease): boolean => {
  const offer = boards.get(rows, doc.board)?.offer ?? null;
  const binding = bindings.get(rows, doc.board);
  if (opened || offer === null || binding === null) return false;
  const before = leasesFor(rows, doc.board).filter((held) => held.doc.lease !== doc.lease && (held.opened || held.doc.lease < doc.lease));
  return !hasRoom(roomIn(offer, binding, before), doc.limits);
};

/** What it has itself on the board that it is on is not in its way there. */
const publishes = ({ board, ports, taken }: Candidate, { request, manifest }: Wish, held: HeldLease | null): boolean => {
  const own = board === held?.doc.board ? publishedOf(manifest, request).map(placeOfPort) : [];
  return canPublish(manifest, request, ports, own.length === 0 ? taken : new Set([...taken].filter((place) => !own.includes(place))));
};

/** Whether the lease does not do any more. One that does only until its board has been away for too long is looked at again then. */
const needsLease = (rows: Rows, context: Context, request: Request, held: HeldLease | null, now: Instant): boolean => {
  if (held === null || held.closed || !isFor(rows, request, held)) return true;
  // What its tenant pays from now on: a lease whose cap is reached goes on under the next one.
  if (!equal(held.doc.voucher, request.voucher) || exceedsPart(rows, request, held)) return true;
  // A board takes no lease from a key that its guardian does not hold any more.
  if (!held.opened && !holdsKey(rows, context, held.doc.guardian, held.signer)) return true;
  if (isExcess(rows, held) || !isGuarded(rows, context, held.doc)) return true;
  const away = awaySince(rows, context, held.doc.board);
  if (away === null) return false;
  if (now[away.clock] - away.at > request.patienceMs) return true;
  const patient = { clock: away.clock, at: Math.floor(away.at + request.patienceMs) + 1 };
  setAlarm(rows, patient, instanceOf(held.doc.request, held.doc.index));
  return false;
};

/** A request's replica that can be placed now, and by this gateway. */
const wishOf = (rows: Rows, context: Context, key: string, index: number, now: Instant): Wish | null => {
  const id = idFrom<RequestId>(key);
  const request = requests.get(rows, id)?.doc;
  if (request === undefined || request.state === 'destroyed' || index >= request.replicas) return null;
  const asked = releaseFor(rows, id, request, index);
  const release = hex(asked);
  const content = releases.get(rows, release);
  if (content === null || content.missing > 0) {
    awaitFor(rows, id, `release/${release}`);
    return null;
  }
  if (content.refused !== '' || !actsFor(rows, context, id, now) || isWithdrawn(rows, release)) return null;
  const manifest = manifests.get(rows, release)?.doc;
  if (manifest === undefined || objectionTo(request, manifest, !equal(asked, request.release)) !== null) return null;
  return {
    id,
    request,
    release: asked,
    manifest,
    limits: leasedLimits(rows, request, manifest),
    needs: needsOf(manifest),
    beside: linkedRequests(context.crypto, manifest, request),
  };
};

/** A guarded lease that nobody would renew moves nothing, it only ends the one before; and others are asked whether that is over. */
const mayGuard = (
  rows: Rows,
  context: Context,
  { id, request, index }: Wish & { index: number },
  held: HeldLease | null,
  now: Instant,
): boolean => {
  if (request.onIsolation === 'continue') return true;
  const guardians = guardiansFor(rows, context, id, held);
  return canRenew(rows, context, guardians, now) && mayReplace(rows, context, { id, index }, held, guardians, now);
};

/** Leases that this gateway is to sign now, as acting guardian, for what was touched. Instances without a fitting board wait. */
export const placements = (rows: Rows, context: Context, touched: Touched, now: Instant): Lease[] => {
  if (!isCaughtUp(rows, context, now)) {
    // All of it is looked at then, and meanwhile every moment.
    touchPlacing(rows);
    return [];
  }
  const { instances, changed } = agendaOf(rows, context, touched, now);
  const out: Lease[] = [];
  const wishes = new Map<string, Wish | null>();
  let pool: Pool | null = null;

  const boardsOf = (): Pool => {
    pool ??= new Pool(roomsOf(rows, context, now), changed);
    return pool;
  };
  const wishFor = (request: string, index: number): Wish | null => {
    // Only where a release is rolled out do replicas differ in what they wish for.
    const like = requests.get(rows, request)?.doc.rollout === undefined ? request : instanceOf(request, index);
    const wish = wishes.get(like);
    if (wish !== undefined) return wish;
    const found = wishOf(rows, context, request, index, now);
    wishes.set(like, found);
    return found;
  };

  const place = (instance: string, candidates: (pool: Pool) => Iterable<Candidate>): void => {
    const { request: key, index } = ofInstance(instance);
    const wish = index < (requests.get(rows, key)?.doc.replicas ?? 0) ? wishFor(key, index) : null;
    if (wish === null) return waitNoMore(rows, instance);
    const { id, request, manifest, release } = wish;
    const { board } = request.filter;
    const held = currentLease(rows, id, index);
    if (!needsLease(rows, context, request, held, now)) return waitNoMore(rows, instance, board);
    if (!mayGuard(rows, context, { ...wish, index }, held, now)) return wait(rows, instance, board);
    // The board of a lease that is being replaced may be taken again: what it holds of this request ends.
    const open = (candidate: Candidate): boolean => !candidate.held.has(id) || candidate.board === held?.doc.board;
    const isFit = (candidate: Candidate): boolean =>
      open(candidate) && misfitOf(candidate, wish) === null && publishes(candidate, wish, held);
    // Where it was there are its data.
    const stays = held === null || held.closed ? undefined : [...boardsOf().of(held.doc.board)].find(isFit);
    const there = board === undefined ? stays : undefined;
    const chosen = there ?? choose(context, board === undefined ? candidates(boardsOf()) : boardsOf().of(board), isFit, `${id}/${index}`);
    const lease = chosen === undefined ? null : contract(rows, context, { id, request, index, release }, { chosen, before: held }, now);
    if (vouchers.get(rows, hex(request.voucher)) === null) awaitFor(rows, id, `voucher/${hex(request.voucher)}`);
    if (chosen === undefined || lease === null) return wait(rows, instance, board);
    waitNoMore(rows, instance, board);
    out.push(lease);
    boardsOf().reserve(chosen, wish.limits, id, publishedOf(manifest, request).map(placeOfPort));
  };

  const waiting = changed.size === 0 ? [] : waitingFor(rows);
  for (const { instance, waits } of inOrder(instances, waiting, () => boardsOf().hasChanged))
    place(instance, (boards) => (waits ? boards.changed() : boards.all()));
  return out;
};
