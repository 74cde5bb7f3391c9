/** Where everybody stands: boards, gateways, leases and instances, as the physics made them. Facts go in, nothing is judged. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import { noUse, type Use } from './glance.ts';
import type { Counted, Enforces } from './physics.ts';
import type { SeqSet } from './seqs.ts';

/** What a board was told of one lease. */
export interface Told {
  /** Hashes of requests that assignments named for it, with the moment at which each was first heard. */
  requests: Map<string, number>;
  /** The newest named. */
  request: string;
  /** It stands in the newest assignment heard. */
  isListed: boolean;
  /** When an assignment without it was last heard; before everything if never. */
  droppedMs: number;
  /** The board certainly knows that it is not to run: null, it may believe that it is. */
  unwanted: 'dropped' | 'stopped' | null;
  /** The first and the newest assignment that name it, kept until somebody asks who signed them. */
  desired: Bytes[];
  /** A gateway did. */
  isAssigned: boolean;
}

/** A program that runs. */
export interface Run {
  lease: LeaseCase;
  /** The release that it is of. */
  content: string;
  sinceMs: number;
}

/** A program that is to begin again. */
export interface Awaited {
  lease: LeaseCase;
  /** What has to begin may be another release than the one that failed, and not be there without a way to a gateway. */
  mayLack: boolean;
  /** Time that the board had for it, before it last could not. */
  spentMs: number;
  sinceMs: number;
}

/** A board's usage records, as far as anybody has seen them. Record n stands at n. */
export interface Chain {
  marks: (number | undefined)[];
  leases: (LeaseCase | undefined)[];
  firstMs: number[];
  lastSeq: number;
  /** Hash of the last one's payload; null before the first. */
  lastHash: Bytes | null;
  /** Of those that are not safe yet. */
  hashes: Map<number, Bytes>;
  /** The first number that a board has left out → the last. */
  leftOut: Map<number, number>;
  /** What its board forgot it holds no more: the last that it remembered → the one that it went on with. */
  forgotten: Map<number, number>;
  /** The highest that a gateway has heard or kept. */
  heardSeq: number;
  /** The first number of which there are two. */
  forkSeq: number | null;
  /** In the end its board's card holds these. */
  left: number[];
  /** Up to here all were on the disks of two gateways at some time. */
  safeSeq: number;
  /** Beyond: who has kept which. */
  keepers: Map<number, GatewayCase[]>;
  /** Keys that signed them. */
  keys: Bytes[];
}

export interface CardState {
  /** When it last lost commits. */
  lostMs: number | null;
  isCloned: boolean;
  isDead: boolean;
  isFull: boolean;
  isRotten: boolean;
}

export interface BoardCase {
  readonly id: string;
  enforces: Enforces | null;
  isPowered: boolean;
  isUp: boolean;
  canReach: boolean;
  cutOffMs: number;
  /** The runtime's present life began. */
  upMs: number;
  downMs: number;
  /** It is about to be started from the other slot: what runs ends, to begin again then. */
  isParting: boolean;
  /** It lives and does nothing; and when that was last over. */
  isHung: boolean;
  wokeMs: number;
  /** Its card last came to have room again. */
  roomMs: number;
  readonly card: CardState;
  /** Whose welcome it heard last, unless that session is certainly over. */
  home: GatewayCase | null;
  homeMs: number;
  /** When it last heard a welcome. */
  welcomeMs: number;
  /** That session has been heard since the board was last cut off. */
  isHomeSure: boolean;
  /** Since when it could find a home and has none; null: has one, or cannot. */
  seeksMs: number | null;
  /** Since when it has power, runtime, way and room all at once. */
  wellMs: number | null;
  /** The last time that it was, when it is not. */
  wasWell: { fromMs: number; toMs: number };
  /** The newest assignment heard. */
  tenure: number;
  seq: number;
  desiredMark: number;
  readonly told: Map<string, Told>;
  /** The gateway of a session of which assignments are certain to be taken, and since when the newest is in it. */
  session: string | null;
  unsureMs: number | null;
  readonly chain: Chain;
  readonly running: Map<string, Run>;
  readonly awaited: Map<string, Awaited>;
  /** Leases whose programs ever ran here. */
  readonly leases: Set<LeaseCase>;
  /** Overlaps of which it is one side. */
  readonly pairs: Set<Pair>;
}

export interface GatewayCase {
  readonly id: string;
  state: 'up' | 'down' | 'dead';
  /** Its process or its way last came back. */
  upMs: number;
  isCutOff: boolean;
  lies: boolean;
  forgotMs: number | null;
  /** It went back to an older disk, so that some of what it kept before is there still. */
  isUncertain: boolean;
  /** A liar told it another history: it never has all that the others have. */
  isDeceived: boolean;
  /** It signed two histories: peers take nothing from it any more. */
  isOutcast: boolean;
  kept: Map<BoardCase, SeqSet>;
  before: Map<BoardCase, SeqSet>[];
  /** Boards whose pairing it knows, and since when. */
  pairs: Map<string, number>;
  /** Gateways with which it cannot exchange bytes. */
  readonly apart: Set<string>;
}

export interface LeaseCase {
  readonly id: string;
  document: Lease | null;
  /** Documents of it, kept until somebody asks who signed them. */
  papers: Bytes[];
  isProven: boolean;
  board: BoardCase | null;
  runs: number;
  /** Of runs that are over. */
  ranMs: number;
  /** When the last of them was. */
  overMs: number;
  /** How often a runtime came back and found it running. */
  adoptions: number;
  counted: Use;
  /** Of the present run, as last told. */
  present: Counted | null;
  /** Up to what of it was forgotten for lack of a record: with the power, or with the runtime. */
  lost: Use;
  firstSeq: number;
  firstIsZero: boolean;
  lastSeq: number;
  lastMs: number;
  last: Use;
  isClosed: boolean;
  /** Of the first record that closed it; 0: none did. */
  closeSeq: number;
  records: number;
  /** By how much a record's wall time was wrong when it was written. */
  clockErrorMs: number;
  /** How far its guardian's clock was ahead when it signed it; null: it has no record. */
  aheadMs: number | null;
  /** Guarded: guardian → when the newest renewal that it granted was heard, as far as the board heard of it. */
  grantedMs: Map<string, number>;
}

export interface InstanceCase {
  readonly id: string;
  readonly leases: Set<LeaseCase>;
  active: number;
  activeMs: number;
  /** How long at least one of its programs ran, without the present stretch. */
  unionMs: number;
  readonly running: Map<LeaseCase, BoardCase>;
}

export interface Pair {
  instance: InstanceCase;
  a: { lease: LeaseCase; board: BoardCase };
  b: { lease: LeaseCase; board: BoardCase };
  sinceMs: number;
  /** Since when both could have been told. */
  boundMs: number | null;
}

const newChain = (): Chain => ({
  ...{ marks: [], leases: [], firstMs: [], lastSeq: 0, lastHash: null, heardSeq: 0, forkSeq: null, safeSeq: 0 },
  ...{ keepers: new Map(), keys: [], hashes: new Map(), leftOut: new Map(), forgotten: new Map(), left: [] },
});

const newBoard = (id: string): BoardCase => ({
  ...{
    id,
    enforces: null,
    isPowered: false,
    isUp: false,
    canReach: true,
    cutOffMs: 0,
    upMs: 0,
    downMs: -1,
    isParting: false,
    isHung: false,
    wokeMs: 0,
    roomMs: 0,
  },
  card: { lostMs: null, isCloned: false, isDead: false, isFull: false, isRotten: false },
  ...{ home: null, homeMs: 0, welcomeMs: 0, isHomeSure: false, seeksMs: null, wellMs: null, wasWell: { fromMs: 0, toMs: -1 } },
  ...{ tenure: 0, seq: 0, desiredMark: 0, told: new Map(), session: null, unsureMs: null, chain: newChain() },
  ...{ running: new Map(), awaited: new Map(), leases: new Set(), pairs: new Set() },
});

const newGateway = (id: string): GatewayCase => ({
  ...{ id, state: 'up', upMs: 0, isCutOff: false, lies: false, forgotMs: null, isUncertain: false, isDeceived: false, isOutcast: false },
  ...{ kept: new Map(), before: [], pairs: new Map(), apart: new Set() },
});

const newLease = (id: string): LeaseCase => ({
  ...{
    id,
    document: null,
    papers: [],
    isProven: false,
    board: null,
    runs: 0,
    ranMs: 0,
    overMs: 0,
    adoptions: 0,
    counted: noUse(),
    present: null,
    lost: noUse(),
  },
  ...{
    firstSeq: 0,
    firstIsZero: false,
    lastSeq: 0,
    lastMs: 0,
    last: noUse(),
    isClosed: false,
    closeSeq: 0,
    records: 0,
    clockErrorMs: 0,
    aheadMs: null,
  },
  grantedMs: new Map(),
});

const newInstance = (id: string): InstanceCase => ({
  ...{ id, leases: new Set(), active: 0, activeMs: 0, unionMs: 0, running: new Map() },
});

const keeper =
  <T>(held: Map<string, T>, make: (id: string) => T) =>
  (id: string): T => {
    const known = held.get(id);
    if (known !== undefined) return known;
    const made = make(id);
    held.set(id, made);
    return made;
  };

export interface Scene {
  readonly boards: Map<string, BoardCase>;
  readonly gateways: Map<string, GatewayCase>;
  readonly leases: Map<string, LeaseCase>;
  readonly instances: Map<string, InstanceCase>;
  board(id: string): BoardCase;
  gateway(id: string): GatewayCase;
  lease(id: string): LeaseCase;
  instance(id: string): InstanceCase;
  /** Boards tell what they write, so that what nobody has heard yet is known too. */
  hearsWrites: boolean;
}

export const openScene = (): Scene => {
  const boards = new Map<string, BoardCase>();
  const gateways = new Map<string, GatewayCase>();
  const leases = new Map<string, LeaseCase>();
  const instances = new Map<string, InstanceCase>();
  return {
    ...{ boards, gateways, leases, instances, hearsWrites: false },
    board: keeper(boards, newBoard),
    gateway: keeper(gateways, newGateway),
    lease: keeper(leases, newLease),
    instance: keeper(instances, newInstance),
  };
};

/** The board of a lease, whether it ever ran there or not. */
export const boardOf = (scene: Scene, { board, document }: LeaseCase): BoardCase | null =>
  board ?? (document === null ? null : (scene.boards.get(document.board) ?? null));

/** The lease of the same instance that makes all others void. */
export const newestOf = (scene: Scene, { document }: LeaseCase): LeaseCase | null => {
  if (document === null) return null;
  let newest: LeaseCase | null = null;
  for (const lease of scene.instance(`${document.request}/${document.index}`).leases) {
    const [term, held] = [lease.document?.term ?? 0, newest?.document?.term ?? 0];
    if (newest === null || term > held || (term === held && lease.id > newest.id)) newest = lease;
  }
  return newest;
};

/** Its word and its disk count. */
export const isGood = (gateway: GatewayCase): boolean => !gateway.lies && !gateway.isOutcast && gateway.state !== 'dead';

/** It runs and can be reached. */
export const isThere = (gateway: GatewayCase): boolean => gateway.state === 'up' && !gateway.isCutOff;

/** Whether a card was such that what is on it may contradict what was said. */
export const isContradictory = ({ card }: BoardCase): boolean => card.isCloned || card.lostMs !== null;

/** Nothing can be written, so nothing can be done. */
export const isStuck = ({ card }: BoardCase): boolean => card.isDead || card.isFull;

export const canSettle = (board: BoardCase): boolean => board.isPowered && board.isUp && !board.isHung && board.canReach && !isStuck(board);

/** A new life begins: what the one before had begun is over. */
export const restartWell = (board: BoardCase, atMs: number): void => {
  if (board.wellMs === null) return;
  board.wasWell = { fromMs: board.wellMs, toMs: atMs };
  board.wellMs = null;
};

/** Called after anything that `canSettle` asks has changed. */
export const noteWell = (board: BoardCase, atMs: number): void => {
  if (canSettle(board)) board.wellMs ??= atMs;
  else restartWell(board, atMs);
};

/** Whether it was well from one moment to another. */
export const wasWell = (board: BoardCase, fromMs: number, toMs: number): boolean =>
  (board.wellMs !== null && board.wellMs <= fromMs) || (board.wasWell.fromMs <= fromMs && board.wasWell.toMs >= toMs);
