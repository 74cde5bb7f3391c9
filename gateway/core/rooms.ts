/** What the boards that may be given a lease have left, the emptiest first. Kept from look to look, as most stay as they were. */
import type { BoardId, RequestId } from '../../runtime/protocol/ids.ts';
import type { Offer } from '../../runtime/protocol/nouns/board.ts';
import { dataLimitOf, dataMibOf } from '../../runtime/protocol/nouns/data.ts';
import { limitsIo } from '../../runtime/protocol/nouns/io.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { PortRange } from '../../runtime/protocol/nouns/reach.ts';
import type { Binding } from '../../runtime/protocol/nouns/request.ts';
import type { TierName } from '../../runtime/protocol/schema.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { ordinal, volatileTable } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { gatewayById } from './directory.ts';
import { isCurrent, openOn } from './holding.ts';
import { alive } from './homing.ts';
import type { HeldLease } from './leased.ts';
import { type Ordered, ordered } from './ordered.ts';
import { takenBy } from './ports.ts';
import { bindings, boards } from './tables.ts';

export interface Room {
  freeMemoryMib: number;
  freeCpuMillis: number;
  freePartitions: number;
  /** Whether it can hold a release to a rate of reading and writing. */
  limitsIo: boolean;
  /** For `/data` that has an end; null: the board can hold none to one. */
  freeDataMib: number | null;
}

export interface Candidate extends Room {
  board: BoardId;
  binding: Binding;
  tier: TierName;
  arch: string;
  /** Whether it ends what has to be over at a moment, whatever becomes of its runtime. */
  deadline: boolean;
  /** What is lent of its network and its devices, by the board's word and its owner's. */
  grants: ReadonlySet<string>;
  /** Its ports that can be published on, and those of them that are taken. */
  ports: PortRange | undefined;
  taken: ReadonlySet<string>;
  /** Of its home. */
  region: string | undefined;
  held: Set<RequestId>;
}

/** What is left of an offer beside these leases. */
export const roomIn = (offer: Offer, binding: Binding, held: HeldLease[]): Room => {
  const sum = (of: (lease: Lease) => number): number => held.reduce((total, { doc }) => total + of(doc), 0);
  return {
    freeMemoryMib: offer.memoryMib - sum((doc) => doc.limits.memoryMib + doc.limits.tmpMib),
    freeCpuMillis: offer.cpuMillis - sum((doc) => doc.limits.cpuMillis),
    freePartitions: Math.min(offer.partitions, binding.policy.partitions) - held.length,
    limitsIo: offer.enforces.io === true,
    freeDataMib: offer.dataMib === undefined ? null : offer.dataMib - sum((doc) => dataMibOf(doc.limits)),
  };
};

/** What of a board is too little for these limits. */
export type Short = 'partitions' | 'memory' | 'cpu' | 'io' | 'data';

/** The first of them; null: there is room. */
export const shortOf = (room: Room, limits: Lease['limits']): Short | null => {
  if (room.freePartitions < 1) return 'partitions';
  if (room.freeMemoryMib < limits.memoryMib + limits.tmpMib) return 'memory';
  if (room.freeCpuMillis < limits.cpuMillis) return 'cpu';
  if (!room.limitsIo && limitsIo(limits)) return 'io';
  return dataLimitOf(limits) === null || dataMibOf(limits) <= (room.freeDataMib ?? -1) ? null : 'data';
};

export const hasRoom = (room: Room, limits: Lease['limits']): boolean => shortOf(room, limits) === null;

/** What leaves the board or touches its hardware takes two words: that the board can give it, and that its owner does. */
export const lentBy = ({ grants = [] }: Offer, { policy }: Binding): Set<string> =>
  new Set(grants.filter((one) => one === 'links' || policy.grants?.includes(one) === true));

/** With what is left of its offer; null when the board may not be given a lease now. */
const candidateOf = (rows: Rows, context: Context, board: string, now: Instant): Candidate | null => {
  const row = boards.get(rows, board);
  const binding = bindings.get(rows, board);
  if (row === null || row.home === null || row.offer === null || row.quarantined || !row.here || binding === null) return null;
  if (!alive(rows, context, row.home.gateway, now)) return null;
  const mine = openOn(rows, board).filter((held) => isCurrent(rows, held));
  return {
    board: binding.board,
    binding,
    ...roomIn(row.offer, binding, mine),
    tier: row.offer.tier,
    arch: row.offer.arch,
    deadline: row.offer.enforces.deadline,
    grants: lentBy(row.offer, binding),
    ports: row.offer.ports,
    taken: takenBy(rows, mine),
    region: gatewayById(rows, context, row.home.gateway)?.region,
    held: new Set(mine.map(({ doc }) => doc.request)),
  };
};

/** More than any board has, so that the emptiest comes first. */
const MOST = 2 ** 40;

/** Its place among the others, the emptiest first; the board's id only keeps those apart that are equally empty. */
export const placeOf = ({ freePartitions, freeMemoryMib, board }: Candidate): string =>
  `${ordinal(MOST - freePartitions)}/${ordinal(MOST - freeMemoryMib)}/${board}`;

export interface Rooms {
  of: Ordered<Candidate>;
  /** By place. */
  emptiest: Ordered<Candidate>;
}

const known = volatileTable<Rooms>('rooms');

export const copyOf = (rooms: Rooms): Rooms => ({ of: rooms.of.clone(), emptiest: rooms.emptiest.clone() });

/** Puts in the place of what was known of the board; null: it is none any more. */
export const replace = (rooms: Rooms, board: string, candidate: Candidate | null): void => {
  const before = rooms.of.get(board);
  if (before !== undefined) rooms.emptiest.delete(placeOf(before));
  if (candidate === null) rooms.of.delete(board);
  else {
    rooms.of.set(board, candidate);
    rooms.emptiest.set(placeOf(candidate), candidate);
  }
};

const fill = (rows: Rows, context: Context, rooms: Rooms, ids: Iterable<string>, now: Instant): Rooms => {
  for (const board of ids) replace(rooms, board, candidateOf(rows, context, board, now));
  known.put(rows, rooms, 'rooms');
  return rooms;
};

/** All of them. Values are replaced, never changed in place: who reserves takes a copy. */
export const roomsOf = (rows: Rows, context: Context, now: Instant): Rooms =>
  known.get(rows, 'rooms') ??
  fill(
    rows,
    context,
    { of: ordered(), emptiest: ordered() },
    boards.all(rows).map(({ key }) => key),
    now,
  );

/** Looks at these again; where nobody has asked for any yet, there is nothing to keep. */
export const refreshRooms = (rows: Rows, context: Context, ids: Set<string>, now: Instant): void => {
  const rooms = known.get(rows, 'rooms');
  if (rooms !== null && ids.size > 0) fill(rows, context, copyOf(rooms), ids, now);
};

export const forgetRooms = (rows: Rows): void => known.remove(rows, 'rooms');
