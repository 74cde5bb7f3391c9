/** What is around a virtual board: who sees what happens to it, and what it stands on. */
import type { Neighbours } from '../../runtime/ports/neighbours.ts';
import type { PartitionSpec } from '../../runtime/ports/partitions.ts';
import type { Commit } from '../../runtime/turn/store.ts';
import type { Carrier } from '../net/doors.ts';
import type { LanHost } from '../net/lan.ts';
import type { Counted, EndReason, SystemStart } from '../oracle/physics.ts';
import type { Behaviour, PaceSpec, ReadSpec } from '../scenario/scenario.ts';
import type { Chance } from '../world/chance.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { People } from './people.ts';
import type { Systems } from './systems.ts';
import type { FoundData } from './virtual-data.ts';

/** Who sees what happens to a board; what that is, is not known here. */
export interface BoardWitness<Board> {
  /** Another gateway welcomed it than before, or none is its home now. */
  home(board: Board, gateway: string | null): void;
  powered(board: Board, on: boolean): void;
  runtime(board: Board, up: boolean): void;
  hung(board: Board, is: boolean): void;
  began(board: Board, spec: PartitionSpec, data: FoundData): void;
  ended(board: Board, partition: string, why: EndReason, used: Counted): void;
  kept(board: Board, commit: Commit): void;
  forgot(board: Board): void;
  /** Its card takes no writes from here on. */
  wornOut(board: Board): void;
  noted(board: Board, line: string): void;
  /** The machine starts from this slot. */
  started(board: Board, start: SystemStart): void;
  slot(board: Board, what: 'armed' | 'kept' | 'left'): void;
  /** A piece was written to its card. */
  placed(board: Board, piece: string): void;
}

export interface BoardSurroundings<Board> {
  clock: VirtualClock;
  chance: Chance;
  people: People;
  systems: Systems;
  carrier: Carrier;
  pace: PaceSpec;
  startsMs: number;
  witness: BoardWitness<Board>;
  /** By the release whose root it is. */
  behaviourOf(rootPath: string): Behaviour | null;
  /** Of sensors, by the program in this root. */
  readsOf(rootPath: string): ReadSpec[];
  /** Another gateway is its home, or none. */
  linked(at: string): void;
  /** Its card has forgotten that it was paired. */
  unpaired(): void;
  /** Its machine has power and takes part in the network. */
  listens(at: string, listens: boolean): void;
  /** Nothing passes on its network until what is returned is called. */
  hush(at: string): () => void;
  /** Its door to others on its network, for one life of its runtime; null: it is alone. */
  neighbours(board: Board, life: Pick<LanHost, 'alive' | 'later'>): Neighbours | null;
}
