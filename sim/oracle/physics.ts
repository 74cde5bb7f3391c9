/**
 * What the judge is told: what happened, by the world that made it happen. Never what a gateway or a board counts or
 * believes, unless they said it over a wire or wrote it to a disk; and then as the bytes.
 */
import type { Bytes } from '../../runtime/protocol/bytes.ts';

/** Cumulative since the partition's cgroup was made, as a kernel counts. */
export interface Counted {
  cpuMicros: bigint;
  memoryByteMs: bigint;
  netInBytes: bigint;
  netOutBytes: bigint;
  diskBytes: bigint;
}

/**
 * `stopped`: the runtime asked for it. `crashed`, `oom`: by itself. `power`: with the board. `deadline`: it was not to run
 * any longer, and was killed by what looks after that outside of the runtime.
 */
/** `done`: it was a hook. */
export type EndReason = 'stopped' | 'crashed' | 'oom' | 'power' | 'deadline' | 'done';

/**
 * `lost-writes`: commits were lost; told when they are. `cloned`: it was copied, and both run. What was signed on such a
 * card may be contradicted. `dead`: it takes no writes any more. `full` until `room`: it has no room for more. `rot`:
 * files on it changed by themselves.
 */
export type CardFault = 'lost-writes' | 'cloned' | 'dead' | 'full' | 'room' | 'rot';

/** What a board's virtual kernel enforces. */
export interface Enforces {
  tier: string;
  /** What it can give beside room, and keep from whoever was not given it. */
  grants: string[];
  memory: boolean;
  cpu: boolean;
  pids: boolean;
  network: boolean;
  disk: boolean;
  deadline: boolean;
}

/** What a machine is started from. */
export interface SystemStart {
  /** Hex; null: what was written to the card. */
  release: string | null;
  /** It lies there as its publisher made it, to the byte. */
  isWhole: boolean;
  /** It was not kept yet: what starts the machine goes back to the other one after a few starts. */
  onTrial: boolean;
}

/** Moments are of the simulated time that nobody inside can see, ms. Boards, gateways and leases go by their ids. */
export interface Physics {
  /** A person signed this: operator, publisher, tenant, owner. */
  signed(document: Bytes): void;
  /** A board came to be, with what its kernel can really enforce. */
  built(atMs: number, board: string, enforces: Enforces): void;
  /** Its runtime ends with the power, whether that is told or not. One that stands still for good counts as one without. */
  powered(atMs: number, board: string, on: boolean): void;
  /** The runtime of a board began or ended, with its power or without. */
  runtime(atMs: number, board: string, up: boolean): void;
  /** The runtime of a board does nothing, though it has not ended. False until told. */
  hung(atMs: number, board: string, is: boolean): void;
  /** Whether a session can be held between a board and any living gateway: bytes pass both ways, and in time. True until told. */
  reachable(atMs: number, board: string, can: boolean): void;
  gateway(atMs: number, gateway: string, state: 'up' | 'down' | 'dead'): void;
  /** Whether nothing passes between a gateway and anybody. False until told. */
  cutOff(atMs: number, gateway: string, is: boolean): void;
  /** Whether bytes pass between two gateways, both ways. True until told. */
  peered(atMs: number, gateway: string, other: string, can: boolean): void;
  /** A program began. `content` is the hash of the release whose files it was given. */
  began(atMs: number, board: string, lease: string, content: Bytes, args: string[]): void;
  /** It is over, and this is what it used since it began. */
  ended(atMs: number, board: string, lease: string, why: EndReason, used: Counted): void;
  /** What a program that still runs has used so far. Asked for once at the end; without it nothing is said of what it used. */
  counted(atMs: number, board: string, lease: string, used: Counted): void;
  /** A board's store holds this signed usage record, durably; as it is, or as the row in which it stands. */
  wrote(atMs: number, board: string, record: Bytes): void;
  /** A board's store has let go of the record of this number. */
  pruned(atMs: number, board: string, seq: number): void;
  /** In the end a board's store holds the records of these numbers. Told once; without it nothing is said of what was not brought. */
  left(atMs: number, board: string, seqs: number[]): void;
  /** Bytes on a wire, when they are heard. `from` and `to` are ids; a topic's name, or of what gateways say to each other `peer` and its kind. */
  heard(atMs: number, from: string, to: string, topic: string, payload: Bytes): void;
  /** A machine starts from one of its slots. */
  started(atMs: number, board: string, start: SystemStart): void;
  /** The other slot is the next to be started; the one that runs stays; it does not, and the other one is started next. */
  slot(atMs: number, board: string, what: 'armed' | 'kept' | 'left'): void;
  /** Content went from one board to another over a network that both are on. */
  passed(atMs: number, from: string, to: string): void;
  /** A board wrote a piece to its card that is of no release anybody built. */
  placed(atMs: number, board: string, piece: string): void;
  /** A gateway's store holds this entry of a log, durably. */
  kept(atMs: number, gateway: string, entry: Bytes): void;
  /** A gateway's store is gone, or back at what it was at this moment (null: empty). */
  forgot(atMs: number, gateway: string, backToMs: number | null): void;
  cardFault(atMs: number, board: string, what: CardFault): void;
  /** A line of a journal. */
  noted(atMs: number, by: string, line: string): void;
  /** A gateway is known to lie from here on, and to whom. */
  lies(atMs: number, gateway: string, to?: string): void;
  /** A person told a gateway to close the period. The last one that is told so before the end is held to it. */
  closing(atMs: number, gateway: string): void;
  /** A gateway was asked for the statements of all periods that it has closed so far, in order. */
  stated(atMs: number, gateway: string, statements: Bytes[]): void;
  /** The end, after everything was healed: the bytes of all statements, by gateway, in order of periods. */
  settled(atMs: number, statements: Map<string, Bytes[]>): void;
}

export interface Violation {
  /** Which of the ten promises, 1 to 10. */
  promise: number;
  /** Short and stable, for counting: `billed-twice`, `ran-unsigned`. */
  code: string;
  atMs: number;
  /** Ids of who is concerned. */
  who: string;
  /** A sentence with the figures. */
  what: string;
}

/** What the judge adds up on the way. */
export interface Tally {
  recordsSigned: number;
  recordsLost: number;
  recordsBilledTwice: number;
  /** Times that an instance came to run in two places. */
  overlaps: number;
  /** The longest that one did while both boards were at homes that heard each other: what the bound is about. */
  worstOverlapMs: number;
  /** During which an `onIsolation: stop` instance ran in two places. */
  overlapStopMs: number;
  /** The longest that a board which could reach a gateway went without a home after it lost one. */
  worstRehomeMs: number;
  amnesia: number;
}

export interface Judge extends Physics {
  readonly violations: Violation[];
  readonly tally: Tally;
}
