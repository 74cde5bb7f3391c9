/**
 * Which instance goes on which board. Pure over rows: the same rows give the same leases. A replica never shares a
 * board with another replica of its request; among the boards that fit, the emptiest is taken, ties by rendezvous.
 */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { type BoardId, idFrom, type RequestId } from '../../runtime/protocol/ids.ts';
import { NOT_PAYABLE, within } from '../../runtime/protocol/money.ts';
import type { Offer } from '../../runtime/protocol/nouns/board.ts';
import { type Lease, leaseIdOf, type Terms } from '../../runtime/protocol/nouns/lease.ts';
import type { Manifest } from '../../runtime/protocol/nouns/release.ts';
import type { Binding, Request } from '../../runtime/protocol/nouns/request.ts';
import { rendezvous } from '../../runtime/protocol/rendezvous.ts';
import type { TierName } from '../../runtime/protocol/schema.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { ordinal } from '../../runtime/turn/table.ts';
import { isWithdrawn } from './apply-demand.ts';
import type { Context, Rows } from './context.ts';
import { gatewayById, holdsKey } from './directory.ts';
import { actsFor, alive, awayMs } from './homing.ts';
import { bindings, boards, leaseIndex, leases, manifests, openLeases, releases, requests, vouchers } from './tables.ts';

const RANK: Record<TierName, number> = { dev: 0, reduced: 1, full: 2 };

export interface HeldLease {
  doc: Lease;
  document: Bytes;
  signer: Bytes;
  opened: boolean;
  closed: boolean;
}

/** The lease of (request, index) with the highest term; equal terms (a split of guardians) go by the greater id. */
export const currentLease = (rows: Rows, request: string, index: number): HeldLease | null => {
  const last = leaseIndex.all(rows, request, ordinal(index)).at(-1);
  return last === undefined ? null : leases.get(rows, last.key.split('/').at(-1) ?? '');
};

/** Whether the tenant still wants what this lease is for. */
export const stillWanted = (rows: Rows, lease: Lease): boolean => {
  const request = requests.get(rows, lease.request);
  if (request === null || request.doc.state === 'destroyed') return false;
  return lease.index < request.doc.replicas && equal(request.doc.release, lease.release);
};

const isCurrent = (rows: Rows, { doc }: HeldLease): boolean => currentLease(rows, doc.request, doc.index)?.doc.lease === doc.lease;

const openOn = (rows: Rows, board: string): HeldLease[] =>
  openLeases.all(rows, board).flatMap(({ key }) => leases.get(rows, key.split('/')[1] ?? '') ?? []);

/** What a board's home asks it to run: open leases that are current and wanted. */
export const leasesFor = (rows: Rows, board: string): HeldLease[] =>
  openOn(rows, board).filter((held) => stillWanted(rows, held.doc) && isCurrent(rows, held));

interface Candidate {
  board: BoardId;
  binding: Binding;
  freeMemoryMib: number;
  freeCpuMillis: number;
  freePartitions: number;
  tier: TierName;
  arch: string;
  held: Set<RequestId>;
}

type Room = Pick<Candidate, 'freeMemoryMib' | 'freeCpuMillis' | 'freePartitions'>;

/** What is left of an offer beside these leases. */
const roomIn = (offer: Offer, binding: Binding, held: HeldLease[]): Room => {
  const sum = (of: (lease: Lease) => number): number => held.reduce((total, { doc }) => total + of(doc), 0);
  return {
    freeMemoryMib: offer.memoryMib - sum((doc) => doc.limits.memoryMib + doc.limits.tmpMib),
    freeCpuMillis: offer.cpuMillis - sum((doc) => doc.limits.cpuMillis),
    freePartitions: Math.min(offer.partitions, binding.policy.partitions) - held.length,
  };
};

const hasRoom = (room: Room, limits: Lease['limits']): boolean =>
  room.freePartitions >= 1 && room.freeMemoryMib >= limits.memoryMib + limits.tmpMib && room.freeCpuMillis >= limits.cpuMillis;

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

/** Boards that may be given a lease now, with what is left of their offer. */
const candidates = (rows: Rows, context: Context, now: Instant): Candidate[] => {
  return boards.all(rows).flatMap(({ key, value: board }) => {
    const binding = bindings.get(rows, key);
    const reachable = board.home !== null && board.here && alive(rows, context, board.home.gateway, now);
    if (binding === null || board.offer === null || board.quarantined || !reachable) return [];
    const mine = openOn(rows, key).filter((held) => isCurrent(rows, held));
    return [
      {
        board: binding.board,
        binding,
        ...roomIn(board.offer, binding, mine),
        tier: board.offer.tier,
        arch: board.offer.arch,
        held: new Set(mine.map(({ doc }) => doc.request)),
      },
    ];
  });
};

const fits = (candidate: Candidate, request: Request, manifest: Manifest, region: string | undefined): boolean => {
  const { filter } = request;
  // What is run unprivileged is posted in XTS whatever the tariff says, so it answers any currency.
  const currency = candidate.tier === 'dev' || candidate.binding.currency === request.currency;
  return (
    currency &&
    hasRoom(candidate, manifest.limits) &&
    (manifest.arch === 'any' || manifest.arch === candidate.arch) &&
    RANK[candidate.tier] >= RANK[manifest.demands] &&
    RANK[candidate.tier] >= RANK[filter.tier ?? 'dev'] &&
    (filter.board === undefined || filter.board === candidate.board) &&
    (filter.owner === undefined || filter.owner === candidate.binding.owner) &&
    (filter.region === undefined || filter.region === region) &&
    within(candidate.binding.rates, request.priceCap)
  );
};

const choose = (context: Context, fitting: Candidate[], request: RequestId, index: number): Candidate | undefined => {
  const ties = rendezvous(
    context.crypto,
    `${request}/${index}`,
    fitting.map((candidate) => candidate.board),
  );
  const rank = new Map(ties.map((board, i) => [board, i]));
  return [...fitting].sort(
    (a, b) =>
      b.freePartitions - a.freePartitions || b.freeMemoryMib - a.freeMemoryMib || (rank.get(a.board) ?? 0) - (rank.get(b.board) ?? 0),
  )[0];
};

const needsLease = (rows: Rows, context: Context, request: Request, held: HeldLease | null, now: Instant): boolean => {
  if (held === null || held.closed || !equal(held.doc.release, request.release)) return true;
  // A board takes no lease from a key that its guardian does not hold any more.
  if (!held.opened && !holdsKey(rows, context, held.doc.guardian, held.signer)) return true;
  return isExcess(rows, held) || awayMs(rows, context, held.doc.board, now) > request.patienceMs;
};

const contract = (
  rows: Rows,
  context: Context,
  id: RequestId,
  request: Request,
  index: number,
  term: number,
  chosen: Candidate,
  now: Instant,
): Lease | null => {
  const manifest = manifests.get(rows, hex(request.release));
  const voucher = vouchers.get(rows, hex(request.voucher));
  if (manifest === null || voucher === null || voucher.notAfterMs < now.wallMs) return null;
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
    release: request.release,
    publisher: manifest.publisher,
    limits: manifest.doc.limits,
    rates: binding.rates,
    currency: chosen.tier === 'dev' ? NOT_PAYABLE : binding.currency,
    feePermille: gatewayById(rows, context, context.me)?.feePermille ?? 0,
    // Each replica may spend its share, so that boards that cannot talk to each other cannot overspend together.
    capMicro: voucher.capMicro / BigInt(request.replicas),
    onIsolation: request.onIsolation,
    openedMs: now.wallMs,
  };
  return { ...terms, lease: leaseIdOf(context.crypto, terms) };
};

/** Leases that this gateway is to sign now, as acting guardian. Instances without a fitting board wait. */
export const placements = (rows: Rows, context: Context, now: Instant): Lease[] => {
  const out: Lease[] = [];
  let pool: Candidate[] | null = null;
  for (const { key, value } of requests.all(rows)) {
    const request = value.doc;
    const id = idFrom<RequestId>(key);
    const content = releases.get(rows, hex(request.release));
    if (
      request.state === 'destroyed' ||
      content === null ||
      content.missing > 0 ||
      content.refused !== '' ||
      !actsFor(rows, context, id, now)
    )
      continue;
    const manifest = isWithdrawn(rows, hex(request.release)) ? undefined : manifests.get(rows, hex(request.release))?.doc;
    for (let index = 0; manifest !== undefined && index < request.replicas; index++) {
      const held = currentLease(rows, id, index);
      if (!needsLease(rows, context, request, held, now)) continue;
      pool ??= candidates(rows, context, now);
      // The board of a lease that is being replaced may be taken again: what it holds of this request ends.
      const open = (candidate: Candidate): boolean => !candidate.held.has(id) || candidate.board === held?.doc.board;
      const fitting = pool.filter(
        (candidate) => open(candidate) && fits(candidate, request, manifest, regionOf(rows, context, candidate.board)),
      );
      const chosen = choose(context, fitting, id, index);
      const lease = chosen === undefined ? null : contract(rows, context, id, request, index, (held?.doc.term ?? 0) + 1, chosen, now);
      if (chosen === undefined || lease === null) continue;
      out.push(lease);
      reserve(chosen, manifest, id);
    }
  }
  return out;
};

const reserve = (chosen: Candidate, manifest: Manifest, request: RequestId): void => {
  chosen.freeMemoryMib -= manifest.limits.memoryMib + manifest.limits.tmpMib;
  chosen.freeCpuMillis -= manifest.limits.cpuMillis;
  chosen.freePartitions -= 1;
  chosen.held.add(request);
};

const regionOf = (rows: Rows, context: Context, board: string): string | undefined => {
  const home = boards.get(rows, board)?.home;
  return home === null || home === undefined ? undefined : gatewayById(rows, context, home.gateway)?.region;
};
