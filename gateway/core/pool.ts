/** The boards of one look: what is reserved in it counts at once, and is forgotten with it. */
import { type Bytes, compare, utf8 } from '../../runtime/protocol/bytes.ts';
import type { RequestId } from '../../runtime/protocol/ids.ts';
import { dataMibOf } from '../../runtime/protocol/nouns/data.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Context } from './context.ts';
import { type Ordered, ordered } from './ordered.ts';
import { type Candidate, copyOf, placeOf, type Rooms, replace } from './rooms.ts';

export class Pool {
  readonly #rooms: Rooms;
  /** Those that have changed since the last look, by place. */
  readonly #changed: Ordered<Candidate> = ordered();

  constructor(rooms: Rooms, changed: Iterable<string>) {
    this.#rooms = copyOf(rooms);
    for (const board of changed) {
      const candidate = this.#rooms.of.get(board);
      if (candidate !== undefined) this.#changed.set(placeOf(candidate), candidate);
    }
  }

  *of(board: string): Generator<Candidate> {
    const candidate = this.#rooms.of.get(board);
    if (candidate !== undefined) yield candidate;
  }

  /** The emptiest first. */
  *all(): Generator<Candidate> {
    for (const [, candidate] of this.#rooms.emptiest.entries()) yield candidate;
  }

  *changed(): Generator<Candidate> {
    for (const [, candidate] of this.#changed.entries()) yield candidate;
  }

  /** Whether any of those that have changed can take anything. */
  get hasChanged(): boolean {
    for (const candidate of this.changed()) return candidate.freePartitions >= 1;
    return false;
  }

  reserve(chosen: Candidate, limits: Lease['limits'], request: RequestId, ports: string[] = []): void {
    const left: Candidate = {
      ...chosen,
      freeMemoryMib: chosen.freeMemoryMib - limits.memoryMib - limits.tmpMib,
      freeCpuMillis: chosen.freeCpuMillis - limits.cpuMillis,
      freePartitions: chosen.freePartitions - 1,
      freeDataMib: chosen.freeDataMib === null ? null : chosen.freeDataMib - dataMibOf(limits),
      held: new Set([...chosen.held, request]),
      taken: ports.length === 0 ? chosen.taken : new Set([...chosen.taken, ...ports]),
    };
    replace(this.#rooms, chosen.board, left);
    if (this.#changed.delete(placeOf(chosen))) this.#changed.set(placeOf(left), left);
  }
}

const asEmpty = (a: Candidate, b: Candidate): boolean => a.freePartitions === b.freePartitions && a.freeMemoryMib === b.freeMemoryMib;

/** The first by rendezvous; the others' order, which is most of its work where thousands are equally empty, is not asked for. */
export const drawn = <T extends { board: string }>(context: Context, among: T[], draw: string): T | undefined => {
  let first: T | undefined;
  let heaviest: Bytes = new Uint8Array(0);
  for (const one of among) {
    const weight = context.crypto.sha256(utf8(`${draw}\n${one.board}`));
    if (compare(weight, heaviest) > 0) [first, heaviest] = [one, weight];
  }
  return first;
};

/** The emptiest of those that fit; among equals a draw that comes out the same everywhere. `candidates`: the emptiest first. */
export const choose = (
  context: Context,
  candidates: Iterable<Candidate>,
  fits: (candidate: Candidate) => boolean,
  draw: string,
): Candidate | undefined => {
  const best: Candidate[] = [];
  for (const candidate of candidates) {
    const [first] = best;
    if (candidate.freePartitions < 1 || (first !== undefined && !asEmpty(first, candidate))) break;
    if (fits(candidate)) best.push(candidate);
  }
  return best.length < 2 ? best[0] : drawn(context, best, draw);
};
