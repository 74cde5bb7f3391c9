/** What a board remembers through a power cut, and beside it what it may forget. */
import * as v from 'valibot';
import type { Bytes } from '../protocol/bytes.ts';
import type { Part } from '../protocol/image.ts';
import { LIMITS } from '../protocol/limits.ts';
import { type Registers, type Report, registers, type SystemReport } from '../protocol/nouns/board.ts';
import type { CardHealth } from '../protocol/nouns/card.ts';
import { chainPoint, leaseSchema } from '../protocol/nouns/lease.ts';
import type { Published } from '../protocol/nouns/reach.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import { fallback } from '../protocol/nouns/request.ts';
import { gatewayEntry, operatorSchema } from '../protocol/nouns/trust.ts';
import { windows } from '../protocol/nouns/windows.ts';
import {
  bytes,
  gatewayId,
  hash,
  int,
  kept,
  leaseId,
  operatorId,
  ownerId,
  positive,
  publicKey,
  shareId,
  text,
  uint,
  wallMs,
} from '../protocol/schema.ts';
import type { Said } from '../protocol/shares.ts';
import { bytesTable, table, volatileTable } from '../turn/table.ts';
import type { FilePieces } from './pieces.ts';
import type { Targets } from './targets.ts';

const document = bytes(LIMITS.packetBytes);
/** Key of tables that hold one row. */
export const ONE = 'one';

/** The operator whose root was pinned at pairing, and the gateway that did it. */
export const pairings = table('pairing', v.strictObject({ operator: operatorId, first: gatewayEntry, owner: v.optional(ownerId) }));
export const operators = table('operator', v.strictObject({ doc: operatorSchema, documents: v.array(document) }));
export const homes = table('home', v.strictObject({ tenure: positive, gateway: gatewayId }));
export const chains = table(
  'chain',
  v.strictObject({
    end: chainPoint,
    /** The number of the next record. */
    next: positive,
    /** Up to which number none is held any more, and how many are held beyond. */
    pruned: uint,
    held: uint,
    /** The highest record of its own that it was shown and does not remember; whether that is still to be owned up to. */
    lost: uint,
    amnesia: v.boolean(),
    /** The boot for which `next` was worked out. */
    bootId: text,
  }),
);
/** ordinal of seq → the lease that this record closed, of the newest ones: none of them is opened again. */
export const closings = table('closing', leaseId);
/** ordinal of seq → a signed usage record not yet known to be replicated. */
export const outbox = bytesTable('outbox', LIMITS.usageRecordBytes);
/** lease → as its guardian signed it, until it is opened. */
export const leaseDocuments = bytesTable('lease', LIMITS.documentBytes);
/**
 * ordinal of seq → the lease that this record opens, as its guardian signed it, and what that was given upon by the hashes of the
 * documents; for as long as the record is held.
 */
export const openings = table(
  'opening',
  v.strictObject({ lease: leaseId, document: bytes(LIMITS.documentBytes), request: hash, voucher: hash }),
);
export const assignments = table('assignment', v.strictObject({ tenure: positive, seq: positive }));
export const documents = bytesTable('document', LIMITS.packetBytes);
/**
 * publisher → the newest version of its trust document that was ever verified here, beyond the first. `order`: of the rows of
 * one table the one put last has the highest.
 */
export const publishers = table('publisher', v.strictObject({ version: positive, hash, keys: v.array(publicKey), order: uint }));
/** request → the highest sequence of it that was obeyed here; `order` as of publishers. */
export const obeyedRequests = table('obeyed', v.strictObject({ sequence: positive, order: uint }));
/** share → the same. */
export const obeyedShares = table('obeyed-share', v.strictObject({ sequence: positive, order: uint }));
/** What the newest `now` said: a lower bound of wall time that survives a power cut. */
export const floors = table('floor', v.strictObject({ wallMs }));

export const instanceSchema = v.strictObject({
  lease: kept(leaseSchema),
  /** Hash of the tenant's request document that is obeyed, its sequence, and a newer one that is not verified yet. */
  request: hash,
  sequence: uint,
  asked: v.nullable(hash),
  wanted: v.picklist(['unknown', 'started', 'stopped', 'gone']),
  /** Documents of the shares that its home lists for it, and the newest of each that is obeyed. */
  listed: v.array(hash),
  shares: v.array(v.strictObject({ share: shareId, sequence: positive, document: hash })),
  opened: v.boolean(),
  closed: v.boolean(),
  unpaid: v.boolean(),
  /** As of the newest record. */
  registers,
  /** What the registers were when the present cgroup was made: kernel counters add to it. */
  base: registers,
  bootId: text,
  recordedMonoMs: uint,
  /** Digests of the parameters that the request asks for, and of those that were given last; empty: not known, or none were. */
  wants: text,
  given: text,
  /** How often its tenant has let it begin anew, as far as is known and as far as it has. */
  bang: uint,
  banged: uint,
  /** Since when another release is to take its place, of what is to run until then; how long its tenant lets it hold that off. */
  supersededMonoMs: v.nullable(int),
  holdMs: v.nullable(uint),
  /** When its tenant lets its release change; null: at any time. */
  windows: v.nullable(windows),
  /** What its tenant lets take the place of its release when that does not do. */
  fallback: v.nullable(fallback),
  /** Whether its release has shown that it does, and why it does not; how often it was begun without having shown it. */
  trial: v.picklist(['open', 'passed', 'failed']),
  failure: text,
  begun: uint,
  /** What it says of that, signed; the request of the trial is named in it. */
  outcome: v.nullable(bytes(LIMITS.outcomeBytes)),
  /** The release with which it was begun last, be it with a hook of it. */
  began: v.nullable(hash),
  /** The release that left `/data` as they were when this lease took them over; null: it took none over. */
  left: v.nullable(hash),
  /**
   * How far the hooks of `/data` are. `due`: what is there was left by another release, `after` still comes. `after` and
   * `before`: that is what was begun last, and it has not ended well yet. `changed`: `after` has, and no program began since.
   * `ready`: so has `before`, and the next release may come.
   */
  hook: v.picklist(['none', 'due', 'after', 'changed', 'before', 'ready']),
});
export type Instance = v.InferOutput<typeof instanceSchema>;
export const instances = table('instance', instanceSchema);
/** Instances of which nothing but what was metered changes, and since when: whoever does not meter has nothing to do then. */
export const readings = instances.told('reading');

export type LinkPhase = 'idle' | 'dialling' | 'linked' | 'welcomed';
export interface LinkState {
  phase: LinkPhase;
  gateway: v.InferOutput<typeof gatewayEntry> | null;
  nonce: Bytes;
  attempt: number;
  /** How long the gateway dialled may take for an answer. */
  patienceMs: number;
  /** Sessions one after the other that were over soon. */
  brief: number;
  /** What is said may be read days later: nothing is waited for, and no time is told. */
  carried: boolean;
  /** When to dial next, or since when this phase lasts. */
  atMonoMs: number;
}
export const links = volatileTable<LinkState>('link');

/** Usage sent up to here and acknowledged up to there; a batch is under way while they differ. */
export interface Flow {
  sent: number;
  stored: number;
  sentAtMonoMs: number;
}
export const flows = volatileTable<Flow>('flow');

export interface PromiseState {
  held: boolean | null;
  everHeld: boolean;
  /** Since when it is as it is. */
  sinceMonoMs: number;
  detail: string;
}

export type Process = 'unknown' | 'none' | 'starting' | 'running' | 'stopping' | 'stopped' | 'removing';
export interface Run {
  process: Process;
  /** A step of the partition is under way. */
  busy: boolean;
  rootPath: string | null;
  startedMonoMs: number;
  restarts: number;
  /** Not started again before. */
  retryMonoMs: number;
  address: string | null;
  promises: Record<string, PromiseState>;
  /** Code of the error for which it cannot run. */
  error: string;
  /** How it ended, when that was told before its start was; else empty. */
  over: string;
  /** When its first process ended by itself; null: it has not. */
  endedMonoMs: number | null;
  /** How it ended last by itself, and how often it has one soon after the other. */
  lastEnd: string;
  streak: number;
  /** What it publishes, as JSON, or why that is not told on. */
  connection: string | null;
  unfit: string;
  /** Whether it holds off an update; null: it was not asked. */
  holds: boolean | null;
  /** Digest of the parameters that it is just being given. */
  giving: string;
  /** What it says to each whom it serves. */
  said: ReadonlyMap<string, Said>;
}
export const runs = volatileTable<Run>('run');

/** What an instance was told to reach last, as JSON; what of it is wanted and not there, for people. */
export interface Reach {
  told: string;
  /** The answer is still to come. */
  busy: boolean;
  /** Not told again before; 0: it was not refused. */
  retryMonoMs: number;
  lacks: readonly string[];
}
export const reaches = volatileTable<Reach>('reach');
/** Of a verified request, `of` by its hash: whose instances its links mean, and which ports it publishes. */
export const wishes = volatileTable<{ of: string; targets: ReadonlyMap<string, string>; publish: readonly Published[] }>('wish');

/** Of a shared instance: what is listed, since when, and how much of that was here when it was obeyed; null: it was not. */
export interface Heed {
  listed: Bytes[];
  sinceMonoMs: number;
  taken: number | null;
}
export const heeds = volatileTable<Heed>('heed');
/** Whom it serves and whom it does not, with why, as of what it was given last. */
export interface Serving {
  served: readonly string[];
  refused: ReadonlyMap<string, string>;
  sinceMonoMs: number;
}
export const servings = volatileTable<Serving>('serving');
/** What was told of that last, as JSON. */
export const lastShared = volatileTable<{ told: string; atMonoMs: number }>('last-shared');

/** Of a guarded lease: when the newest renewal that each guardian granted was asked for, and how long it holds. */
export interface Hold {
  asked: ReadonlyMap<string, number>;
  untilMonoMs: number;
}
export const holds = volatileTable<Hold>('hold');

/** Renewals that may still be granted, the newest last. */
export interface Renewing {
  sent: readonly { nonce: Bytes; atMonoMs: number; leases: readonly string[] }[];
  /** The session's hello in which the last one was sent. */
  session: Bytes;
}
export const renewings = volatileTable<Renewing>('renewing');

export interface Meter {
  /** As of the instance: what the counters add to. */
  base: Registers;
  cpuMicros: bigint;
  netInBytes: bigint;
  netOutBytes: bigint;
  diskBytes: bigint;
  wallMs: bigint;
  memoryByteMs: bigint;
  dataByteMs: bigint;
  atMonoMs: number;
}
export const meters = volatileTable<Meter>('meter');

/** lease → the manifest of its release, once all that signed it was verified. */
export const manifests = volatileTable<Manifest>('manifest');
/** operator → hash of the newest document shown, while versions before it are on their way. */
export const operatorGoals = volatileTable<Bytes>('operator-goal');

export interface Content {
  /** Where it is planted: a root among the files, or a slot. */
  door: 'files' | Part;
  phase: 'pages' | 'checking' | 'gathering' | 'fetching' | 'planting' | 'held' | 'refused';
  /** All of its files while they are checked, and those that are not held while they are gathered. */
  files: readonly FilePieces[];
  rootPath: string | null;
  error: string;
  /** Chunks of it were not to be had. */
  lacks: boolean;
  /** A file of it was not what its pages say, each of its chunks right. */
  belied: boolean;
  /** When it last moved, or before when it is not tried again. */
  movedMonoMs: number;
}
export const contents = volatileTable<Content>('content');

/** How far the fetching of a release is. It changes with every piece, so nothing is in it that anybody else has to hear of. */
export interface Fetch {
  /** Chunks that have to be fetched; below they go by their numbers there. */
  targets: Targets;
  /** Those for which the gateway is asked, in that order, and the next of them. */
  queue: readonly number[];
  cursor: number;
  /** Chunk → when it was asked for. */
  inflight: ReadonlyMap<number, number>;
  /** Pieces that came and are not on the card yet: they are of the window too, or a slow card would fill the memory. */
  writing: number;
  /** Files all of which was here already, chunk by chunk. */
  found: ReadonlySet<string>;
  unsealed: number;
  window: number;
  /** When it last moved; one that stands still makes way for the next. */
  movedMonoMs: number;
  /** Its gateway is not asked before: others on the network may still say that they have of it. */
  asksMonoMs: number;
  /** Bytes that came from those. */
  lentBytes: number;
}
export const fetches = volatileTable<Fetch>('fetch');
/** File of the release that is fetched → chunks still to be written, and its size. */
export const lefts = volatileTable<{ chunks: number; bytes: number }>('left');
/** Documents and pages asked for: hash → when. */
export const docWants = volatileTable<number>('doc-want');

/** Hash → what a gateway gave for it that was something else: how often, and before when it is not asked again. */
export interface Doubt {
  by: string;
  times: number;
  untilMonoMs: number;
}
export const doubts = volatileTable<Doubt>('doubt');
/** Gateways that gave something else once more, or nothing: until when others are tried before them, and why, for people. */
export const shunned = volatileTable<{ untilMonoMs: number; why: string }>('shunned');
/** gateway → its name and the piece of which it last said so again, for people. */
export const liars = table('liar', v.strictObject({ name: text, about: hash, times: uint, wallMs }));

export interface Anchor {
  wallMs: number;
  monoMs: number;
}
export const anchors = volatileTable<Anchor>('anchor');
/** What is put off until a moment. */
export const schedules = volatileTable<number>('schedule');
/** Since when records are to be made, in a turn of their own. */
export const recordings = volatileTable<number>('recording');
/** What is done again and again: when it is next. */
export const cadences = volatileTable<number>('cadence');
/** Of one instance: which promise is being probed, and when each is to be next; one that is not listed is due. */
export interface Probing {
  name: string | null;
  dueMonoMs: ReadonlyMap<string, number>;
}
export const probes = volatileTable<Probing>('probe');
/** Of one instance: whether an answer is still to come, and when it is to be looked at next. */
export const looks = volatileTable<{ busy: boolean; dueMonoMs: number }>('look');
/** As it was seen last; none: nothing is told of it. */
export const cards = volatileTable<CardHealth>('card');
export const lastReports = volatileTable<{
  instances: Report['instances'];
  system: SystemReport | null;
  runtime: SystemReport | null;
  /** How often gateways had lied. */
  lies: number;
  card: CardHealth | null;
  atMonoMs: number;
}>('last-report');

export interface Dues {
  /** Of each, in the order of the concerns. */
  monoMs: readonly number[];
  soonestMonoMs: number;
}

/** When each concern has to be looked at next while nothing changes: those of a tick, and those of every turn. */
export interface Attention {
  /** All of a tick's were looked at since anything changed. */
  settled: boolean;
  tick: Dues;
  turn: Dues;
  /** The soonest of them all, as it was told last. */
  restMonoMs: number;
}
export const attentions = volatileTable<Attention>('attention');
