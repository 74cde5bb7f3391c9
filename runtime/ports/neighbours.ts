/**
 * The board's door to others on its own network that hold the same releases: found by asking, and asked for pieces. What it
 * gives to them it gives beside the turn, from the board's files; the agent says of which releases, and of no others.
 */
import type { Bytes } from '../protocol/bytes.ts';
import type { LichenError } from '../protocol/errors.ts';
import type { NeighbourPiece } from '../protocol/nouns/neighbours.ts';

export interface Shared {
  release: Bytes;
  /** Whoever knows it is given of it, and nobody else learns that it is here. */
  key: Bytes;
  /** All of it is here. */
  whole: boolean;
}

export type NeighboursStep =
  /** From now on these and no others, under this name. With none, nothing is open to anybody. */
  | { kind: 'share'; who: string; releases: Shared[] }
  /** Asks who has of it. Answered by as many `neighbour-seen` as there are. */
  | { kind: 'look'; release: Bytes }
  /** Each piece is answered by one `neighbour-gave`, unless `neighbour-lost` comes before. */
  | { kind: 'take'; release: Bytes; neighbour: string; pieces: NeighbourPiece[] }
  /** Nothing more is wanted of it. Not answered. */
  | { kind: 'leave'; neighbour: string };

export type NeighboursEvent =
  /** Also without having been asked: it asks itself. */
  | { kind: 'neighbour-seen'; release: Bytes; neighbour: string; whole: boolean }
  /** As it came, to be looked at; null: it has not got that. */
  | { kind: 'neighbour-gave'; release: Bytes; neighbour: string; hash: Bytes; bytes: Bytes | null }
  | { kind: 'neighbour-lost'; neighbour: string; error: LichenError };

export interface Neighbours {
  /** What it says comes by `watch`, never before this returned. */
  perform(step: NeighboursStep): void;
  watch(listener: (event: NeighboursEvent) => void): void;
  /** Ends whatever is open. */
  close(): void;
}

/** A piece that is held, whole or as part of a file that is still being received, and is what its hash says; else null. */
export type ReadPiece = (piece: NeighbourPiece) => Promise<Bytes | null>;
