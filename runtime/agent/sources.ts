/**
 * Who is asked for which piece of the release that is fetched: its gateway for this board's own part, others on the network
 * for theirs. Whoever says nothing, nothing new or something false is left for a while, and its part is shared out anew.
 */
import { type Neighbour, names, neighbours } from '../core/neighbour-tables.ts';
import { type Member, ownerOf, shareOut } from '../core/neighbours.ts';
import { doubts, type Fetch, fetches, ONE, shunned } from '../core/tables.ts';
import type { Targets } from '../core/targets.ts';
import { type Bytes, fromHex } from '../protocol/bytes.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { NeighbourPiece } from '../protocol/nouns/neighbours.ts';
import type { Instant } from '../turn/clock.ts';
import { isDoubted } from './doubts.ts';
import type { Board, Work } from './events.ts';

/** After so many pieces that it should have and has not, it is not asked for a while. */
const VAIN = LIMITS.neighbourPieces / 2;
/** Without a piece for so many patiences, while there is nothing else left to ask for, others are asked for what it owes. */
export const IDLE = 3;

const numbersOf = (targets: Targets, keys: readonly string[]): number[] => keys.flatMap((key) => targets.numberOf(fromHex(key)) ?? []);

/** What is asked of nobody now, of all sources together. */
const remaining = (work: Work, { targets, queue, cursor }: Fetch): number[] => {
  const left = new Set(queue.slice(cursor));
  for (const { value } of neighbours.all(work)) for (const piece of numbersOf(targets, notAsked(value))) left.add(piece);
  return [...left].sort((a, b) => a - b);
};

const notAsked = ({ owed, owedAt, tried, triedAt }: Neighbour): string[] => [...owed.slice(owedAt), ...tried.slice(triedAt)];

const membersOf = (work: Work): Member[] => neighbours.all(work).map(({ key: id, value: { whole } }) => ({ id, whole }));

const ownName = (work: Work): string => names.get(work, ONE) ?? '';

/** To be called when others came or went. In the order of the files, which is the same on all boards. */
export const shareAnew = (work: Work, release: string, now: Instant): void => {
  const fetch = fetches.get(work, release);
  if (fetch === null) return;
  const { targets } = fetch;
  const pieces = remaining(work, fetch);
  // What is doubted stays its own, and last: behind it nothing may wait.
  const doubted = doubts.any(work) ? pieces.filter((piece) => isDoubted(work, targets.keyOf(piece), now)) : [];
  const sure = doubted.length === 0 ? pieces : pieces.filter((piece) => !doubted.includes(piece));
  const others = neighbours.all(work);
  if (others.length === 0) return fetches.put(work, { ...fetch, queue: [...sure, ...doubted], cursor: 0 }, release);
  const parts = shareOut(
    sure.map((piece) => targets.keyOf(piece)),
    ownName(work),
    membersOf(work),
  );
  fetches.put(work, { ...fetch, queue: [...numbersOf(targets, parts.own), ...doubted], cursor: 0 }, release);
  for (const { key: id, value } of others) {
    const [owed, tried] = [parts.owed.get(id) ?? [], parts.tried.get(id) ?? []];
    neighbours.put(work, { ...value, owed, owedAt: 0, tried, triedAt: 0 }, id);
  }
};

/** What is under way to it is asked of others. */
export const dropNeighbour = (work: Work, release: string, id: string, now: Instant): void => {
  const [fetch, row] = [fetches.get(work, release), neighbours.get(work, id)];
  if (row === null) return;
  neighbours.remove(work, id);
  work.emit({ kind: 'neighbours', step: { kind: 'leave', neighbour: id } });
  if (fetch === null) return;
  const back = [...row.inflight.keys(), ...row.owed.slice(row.owedAt), ...row.tried.slice(row.triedAt)];
  fetches.put(work, { ...fetch, queue: [...fetch.queue, ...numbersOf(fetch.targets, back)] }, release);
  shareAnew(work, release, now);
};

export const shunNeighbour = (work: Work, release: string, id: string, why: string, forMs: number, now: Instant): void => {
  if (neighbours.get(work, id) === null) return;
  shunned.put(work, { untilMonoMs: now.monoMs + forMs, why }, id);
  work.emit({ kind: 'journal', line: `neighbour ${id}: ${why}` });
  dropNeighbour(work, release, id, now);
};

/** The release is fetched no more. */
export const forgetNeighbours = (work: Work): void => {
  for (const { key: neighbour } of neighbours.all(work)) {
    neighbours.remove(work, neighbour);
    work.emit({ kind: 'neighbours', step: { kind: 'leave', neighbour } });
  }
};

const pieceOf = ({ targets }: Fetch, key: string): NeighbourPiece | null => {
  const [first] = targets.placesOf(fromHex(key));
  return first === undefined ? null : { file: first.file, offset: first.offset, chunk: [fromHex(key), first.chunkBytes] };
};

interface Room {
  pieces: number;
  bytes: number;
}

/** What waits for the card counts, whoever gave it. */
const roomIn = (work: Work, fetch: Fetch): Room => {
  const under = neighbours.all(work).flatMap(({ value }) => numbersOf(fetch.targets, [...value.inflight.keys()]));
  const bytes = under.reduce((total, piece) => total + fetch.targets.lengthOf(piece), 0);
  return { pieces: LIMITS.wantWindowMost - fetch.writing - under.length, bytes: LIMITS.wantBytes - bytes };
};

/** What one is asked for now, and what is known of it then; null: nothing. */
const asked = (row: Neighbour, fetch: Fetch, room: Room, now: Instant): { pieces: NeighbourPiece[]; row: Neighbour } | null => {
  // One message asks for several.
  if (row.inflight.size * 2 > LIMITS.neighbourPieces) return null;
  const inflight = new Map(row.inflight);
  const pieces: NeighbourPiece[] = [];
  let { owedAt, triedAt } = row;
  const take = (key: string): void => {
    const piece = pieceOf(fetch, key);
    if (piece === null) return;
    room.pieces--;
    room.bytes -= piece.chunk[1];
    pieces.push(piece);
    inflight.set(key, now.monoMs);
  };
  const mayMore = (): boolean => inflight.size < LIMITS.neighbourPieces && room.pieces > 0 && room.bytes > 0;
  while (triedAt < row.tried.length && mayMore()) take(row.tried[triedAt++] ?? '');
  while (now.monoMs >= row.untilMonoMs && owedAt < row.owed.length && mayMore()) take(row.owed[owedAt++] ?? '');
  return pieces.length === 0 ? null : { pieces, row: { ...row, inflight, owedAt, triedAt } };
};

export const askNeighbours = (work: Work, release: Bytes, fetch: Fetch, now: Instant): void => {
  if (!neighbours.any(work)) return;
  const room = roomIn(work, fetch);
  for (const { key: neighbour, value } of neighbours.all(work)) {
    const next = asked(value, fetch, room, now);
    if (next === null) continue;
    neighbours.put(work, next.row, neighbour);
    work.emit({ kind: 'neighbours', step: { kind: 'take', release, neighbour, pieces: next.pieces } });
  }
};

/** It came, whatever it is. False: it was not asked for. */
export const answered = (work: Work, id: string, key: string, now: Instant): boolean => {
  const row = neighbours.get(work, id);
  if (row === null || !row.inflight.has(key)) return false;
  const inflight = new Map(row.inflight);
  inflight.delete(key);
  neighbours.put(work, { ...row, inflight, heardMonoMs: now.monoMs }, id);
  return true;
};

export const gaveRight = (work: Work, id: string, now: Instant): void => {
  const row = neighbours.get(work, id);
  if (row !== null) neighbours.put(work, { ...row, vain: 0, gaveMonoMs: now.monoMs, untilMonoMs: 0 }, id);
};

/** It has not got it. Whoever it is left to is asked for it later, and after all else: it may be this one, or the gateway. */
export const hasNot = (work: Work, release: string, id: string, key: string, now: Instant): void => {
  const fetch = fetches.get(work, release);
  if (fetch === null) return;
  const owner = ownerOf(key, ownName(work), membersOf(work));
  const row = neighbours.get(work, owner);
  if (row === null) return fetches.put(work, { ...fetch, queue: [...fetch.queue, ...numbersOf(fetch.targets, [key])] }, release);
  const owed = [...row.owed.slice(row.owedAt), key];
  const vain = owner === id ? row.vain + 1 : row.vain;
  const isInVain = vain >= Math.min(VAIN, owed.length);
  const pause = isInVain ? { vain: 0, untilMonoMs: now.monoMs + LIMITS.neighbourAgainMs } : { vain };
  neighbours.put(work, { ...row, owed, owedAt: 0, ...pause }, owner);
};

/** Why nothing is to be waited for from it any more; null: something is. */
const whyLate = (row: Neighbour, hasOwn: boolean, patienceMs: number, now: Instant): string | null => {
  // On a network that is busy others are given first: who answers at all is not late.
  const isSilent = now.monoMs - row.heardMonoMs > patienceMs;
  for (const askedMonoMs of row.inflight.values()) if (isSilent && now.monoMs - askedMonoMs > patienceMs) return 'it does not answer';
  const owes = row.owedAt < row.owed.length || row.inflight.size > 0;
  return owes && !hasOwn && now.monoMs - row.gaveMonoMs > IDLE * patienceMs ? 'it does not come by what others wait for' : null;
};

/** Looks after those that are slow. */
export const leaveLate = (work: Work, board: Board, release: string, now: Instant): void => {
  const { patienceMs } = board.pace;
  for (const { key: id } of neighbours.all(work)) {
    const [fetch, row] = [fetches.get(work, release), neighbours.get(work, id)];
    if (fetch === null || row === null) continue;
    const hasOwn = fetch.cursor < fetch.queue.length || fetch.inflight.size > 0;
    const why = whyLate(row, hasOwn, patienceMs, now);
    if (why !== null) shunNeighbour(work, release, id, why, IDLE * patienceMs, now);
  }
};
