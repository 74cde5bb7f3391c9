/**
 * Everything that is seen in the virtual world passes here: the judge is told, the trace hashes it, the report draws
 * it. Whoever looks changes nothing.
 */
import type { PartitionSpec } from '../../runtime/ports/partitions.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { encode } from '../../runtime/protocol/cbor.ts';
import { ERRORS, type LichenError } from '../../runtime/protocol/errors.ts';
import type { PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { Commit } from '../../runtime/turn/store.ts';
import { kindsOf } from '../hardware/bus.ts';
import type { Counted, EndReason, Judge, SystemStart } from '../oracle/physics.ts';
import type { VirtualClock } from '../world/clock.ts';
import type { Trace } from '../world/trace.ts';
import type { VirtualBoard } from './board.ts';
import type { Lanes } from './lanes.ts';
import type { BoardWitness } from './surroundings.ts';
import type { FoundData } from './virtual-data.ts';

/** What the oracle's interface leaves to whoever knows the fleet. */
export interface Names {
  contentOf(rootPath: string): Bytes;
  workloadOf(rootPath: string): string;
  /** Which of a workload's releases it is. */
  sequenceOf(rootPath: string): number;
}

export interface Seen {
  refusals: number;
  /** Gateways whose journal speaks of two histories. */
  forks: Set<string>;
  /** Workload → starts of a program on a lease on which one had run before. */
  restarts: Map<string, number>;
  /** Workload → leases on which a program began. */
  leases: Map<string, Set<string>>;
  running: Map<string, number>;
  /** Workload → starts of a release on `/data` that a newer one had written to. */
  spoilt: Map<string, number>;
  /** Board → bytes of content that gateways gave it, and that others of its lan did. */
  fetched: Map<string, number>;
  lent: Map<string, number>;
}

/** Who listens to what boards say of themselves. A machine is a board or its clone; moments are by its monotonic clock. */
export interface Ears {
  heard(topic: string, payload: Bytes): void;
  runtime(machine: Pick<VirtualBoard, 'at' | 'boots'>, up: boolean, monoMs: number): void;
  ended(machine: Pick<VirtualBoard, 'at' | 'boots'>, lease: string, monoMs: number): void;
}

const LOG_ROWS = 'log/';
/** Of a board's store: signed usage records. */
const RECORD_ROWS = 'outbox/';
/** A line that gives the code of an error. */
const REASON = new RegExp(`(^|[ :])(${Object.keys(ERRORS).join('|')}): `);

export class Witness implements BoardWitness<VirtualBoard> {
  readonly seen: Seen = {
    ...{ refusals: 0, forks: new Set(), restarts: new Map(), leases: new Map(), running: new Map(), spoilt: new Map() },
    ...{ fetched: new Map(), lent: new Map() },
  };
  names: Names = { contentOf: () => new Uint8Array(32), workloadOf: () => '', sequenceOf: () => 0 };
  readonly #clock: VirtualClock;
  readonly #judge: Judge;
  readonly #trace: Trace;
  readonly #lanes: Lanes | null;
  /** partition → workload, while it runs. */
  readonly #programs = new Map<string, string>();
  readonly #pieces = new Set<string>();
  /** Null: nobody wants to know. */
  ears: Ears | null = null;

  constructor(clock: VirtualClock, judge: Judge, trace: Trace, lanes: Lanes | null) {
    this.#clock = clock;
    this.#judge = judge;
    this.#trace = trace;
    this.#lanes = lanes;
  }

  // ---- people

  signed(document: Bytes): void {
    this.#judge.signed(document);
  }

  refused(error: LichenError | null): void {
    this.seen.refusals++;
    if (error !== null) this.#judge.noted(this.#clock.nowMs, 'a person', `refused: ${error.message}`);
  }

  // ---- wires

  readonly heard = (from: string, to: string, topic: string, payload: Bytes): void => {
    this.#trace.note(`${this.#clock.nowMs} ${from} ${to} ${topic}`, payload);
    this.#judge.heard(this.#clock.nowMs, from, to, topic, payload);
    if (topic === 'chunk') this.#count(this.seen.fetched, to, payload.length);
    this.ears?.heard(topic, payload);
    this.#lanes?.heard(from, to, topic);
  };

  /**
   * Frames travel as values: what the trace hashes of one is what would be signed or counted, and the judge is told the bytes that
   * a peer link would send. They are written without a schema, so that what does not fit it is the judge's to find.
   */
  readonly frameHeard = (from: string, to: string, frame: PeerFrame): void => {
    this.#judge.heard(this.#clock.nowMs, from, to, `peer ${frame.kind}`, encode({ ...frame }));
    const head = `${this.#clock.nowMs} ${from} ${to} ${frame.kind}`;
    if (frame.kind === 'entries') this.#trace.note(`${head} ${frame.author} ${frame.from} ${frame.head}`, ...frame.entries);
    else if (frame.kind === 'have') this.#trace.note(`${head} ${JSON.stringify(frame.vector)} ${frame.cosigned ?? ''}`);
    else if (frame.kind === 'want') this.#trace.note(head, ...frame.hashes);
    else if (frame.kind === 'renew') this.#trace.note(head, frame.renewal);
    else if (frame.kind === 'grant') this.#trace.note(`${head} ${frame.board}`, frame.grant);
    else if (frame.kind === 'blob') this.#trace.note(head, frame.hash, frame.bytes);
    else this.#trace.note(`${head} ${frame.request} ${frame.index} ${frame.term}`);
  };

  readonly passed = (from: string, to: string, bytes: Bytes): void => {
    this.#trace.note(`${this.#clock.nowMs} ${from} ${to} piece`, bytes);
    this.#judge.passed(this.#clock.nowMs, from, to);
    this.#count(this.seen.lent, to, bytes.length);
  };

  /** Pieces of releases that were built, by the hex of their hashes. */
  published(pieces: Iterable<string>): void {
    for (const piece of pieces) this.#pieces.add(piece);
  }

  placed(board: VirtualBoard, piece: string): void {
    if (!this.#pieces.has(piece)) this.#judge.placed(this.#clock.nowMs, board.id, piece);
  }

  // ---- gateways

  gateway(id: string, listens: boolean): void {
    this.#trace.note(`${this.#clock.nowMs} ${id} ${listens ? 'up' : 'down'}`);
    this.#judge.gateway(this.#clock.nowMs, id, listens ? 'up' : 'down');
    this.#lanes?.gateway(id, listens);
  }

  cutOff(id: string, is: boolean): void {
    this.#trace.note(`${this.#clock.nowMs} ${id} ${is ? 'cut off' : 'joined'}`);
    this.#judge.cutOff(this.#clock.nowMs, id, is);
  }

  peered(one: string, other: string, can: boolean): void {
    this.#trace.note(`${this.#clock.nowMs} ${one} ${other} ${can ? 'joined' : 'apart'}`);
    this.#judge.peered(this.#clock.nowMs, one, other, can);
  }

  keptAtGateway(id: string, commit: Commit): void {
    this.#write(id, commit);
    for (const [key, value] of commit.writes) {
      if (value !== null && key.startsWith(LOG_ROWS)) this.#judge.kept(this.#clock.nowMs, id, value);
    }
  }

  // ---- boards

  home(board: VirtualBoard, gateway: string | null): void {
    this.#lanes?.home(board, gateway);
  }

  built({ id, hardware }: VirtualBoard): void {
    this.#judge.built(this.#clock.nowMs, id, { tier: hardware.tier, grants: ['links', ...kindsOf(hardware)], ...hardware.enforces });
  }

  powered(board: VirtualBoard, on: boolean): void {
    this.#trace.note(`${this.#clock.nowMs} ${board.at} ${on ? 'on' : 'off'}`);
    // A clone is the same board to everybody; its power is not the board's.
    if (board.at === board.id) this.#judge.powered(this.#clock.nowMs, board.id, on);
    this.#lanes?.powered(board, on);
  }

  runtime(board: VirtualBoard, up: boolean): void {
    this.ears?.runtime(board, up, board.hands.monoMs(this.#clock.nowMs));
    if (board.at === board.id) this.#judge.runtime(this.#clock.nowMs, board.id, up);
  }

  hung(board: VirtualBoard, is: boolean): void {
    if (board.at === board.id) this.#judge.hung(this.#clock.nowMs, board.id, is);
  }

  reachable(board: VirtualBoard, can: boolean): void {
    if (board.at === board.id) this.#judge.reachable(this.#clock.nowMs, board.id, can);
    this.#lanes?.reachable(board, can);
  }

  began(board: VirtualBoard, spec: PartitionSpec, data: FoundData): void {
    const { partition, rootPath, args, hook } = spec;
    const workload = this.names.workloadOf(rootPath);
    this.#trace.note(`${this.#clock.nowMs} ${board.at} began ${partition} ${rootPath} ${args.join(' ')}`);
    this.#judge.began(this.#clock.nowMs, board.id, partition, this.names.contentOf(rootPath), args);
    this.#lanes?.began(board, partition, workload);
    this.#programs.set(`${board.at}/${partition}`, workload);
    const isNewer = hook === undefined && this.names.sequenceOf(data.by) > this.names.sequenceOf(rootPath);
    if (isNewer || !data.fit) this.#count(this.seen.spoilt, workload, 1);
    this.#count(this.seen.running, workload, 1);
    if (hook !== undefined) return;
    const leases = this.seen.leases.get(workload) ?? new Set();
    if (leases.has(partition)) this.#count(this.seen.restarts, workload, 1);
    this.seen.leases.set(workload, leases.add(partition));
  }

  ended(board: VirtualBoard, partition: string, why: EndReason, used: Counted): void {
    this.#trace.note(`${this.#clock.nowMs} ${board.at} ended ${partition} ${why} ${used.cpuMicros} ${used.memoryByteMs}`);
    this.#judge.ended(this.#clock.nowMs, board.id, partition, why, used);
    this.#lanes?.ended(board, partition, why);
    this.ears?.ended(board, partition, board.hands.monoMs(this.#clock.nowMs));
    this.#count(this.seen.running, this.#programs.get(`${board.at}/${partition}`) ?? '', -1);
    this.#programs.delete(`${board.at}/${partition}`);
  }

  kept(board: VirtualBoard, commit: Commit): void {
    this.#write(board.at, commit);
    for (const [key, value] of commit.writes) {
      if (!key.startsWith(RECORD_ROWS)) continue;
      if (value !== null) this.#judge.wrote(this.#clock.nowMs, board.id, value);
      else this.#judge.pruned(this.#clock.nowMs, board.id, Number(key.slice(RECORD_ROWS.length)));
    }
  }

  started(board: VirtualBoard, start: SystemStart): void {
    this.#trace.note(`${this.#clock.nowMs} ${board.at} starts ${start.release ?? 'as written'} ${start.isWhole} ${start.onTrial}`);
    if (board.at === board.id) this.#judge.started(this.#clock.nowMs, board.id, start);
    this.#lanes?.started(board, start);
  }

  slot(board: VirtualBoard, what: 'armed' | 'kept' | 'left'): void {
    this.#trace.note(`${this.#clock.nowMs} ${board.at} slot ${what}`);
    if (board.at === board.id) this.#judge.slot(this.#clock.nowMs, board.id, what);
  }

  forgot(board: VirtualBoard): void {
    this.#judge.cardFault(this.#clock.nowMs, board.id, 'lost-writes');
  }

  wornOut(board: VirtualBoard): void {
    this.#trace.note(`${this.#clock.nowMs} ${board.at} worn out`);
    if (board.at === board.id) this.#judge.cardFault(this.#clock.nowMs, board.id, 'dead');
  }

  noted(by: VirtualBoard | string, line: string): void {
    const id = typeof by === 'string' ? by : by.id;
    if (REASON.test(line)) this.seen.refusals++;
    if (/\bfork\b/.test(line) && typeof by === 'string') this.seen.forks.add(by);
    this.#judge.noted(this.#clock.nowMs, id, line);
    this.#lanes?.noted(id, line);
  }

  #write(at: string, { writes }: Commit): void {
    this.#trace.note(`${this.#clock.nowMs} ${at} writes`);
    for (const [key, value] of writes) this.#trace.note(key, value);
  }

  #count(of: Map<string, number>, key: string, by: number): void {
    of.set(key, (of.get(key) ?? 0) + by);
  }
}
