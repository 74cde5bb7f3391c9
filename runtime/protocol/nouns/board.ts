/** What boards sign: pairing, tenure of their home, hello, report, usage records. */
import * as v from 'valibot';
import { LIMITS } from '../limits.ts';
import { type Noun, noun } from '../noun.ts';
import {
  boardId,
  bytes,
  counter,
  gatewayId,
  hash,
  leaseId,
  name,
  nonce,
  positive,
  publicKey,
  secret,
  text,
  tier,
  uint,
  version1,
  wallMs,
} from '../schema.ts';
import { cardHealth } from './card.ts';
import { chainPoint } from './lease.ts';
import { offered, portRange } from './reach.ts';

/** Sent once over TLS 1.3; `exporter` (RFC 9266 tls-exporter) ties it to this very connection. */
export const pairingSchema = v.strictObject({ v: version1, board: boardId, token: secret, exporter: hash });
export type Pairing = v.InferOutput<typeof pairingSchema>;
export const pairingNoun: Noun<Pairing> = noun('pairing', LIMITS.pairFrameBytes, pairingSchema);

/** The board's own word on who is its home: the highest tenure wins, so it fences off the gateway it left. */
export const homeSchema = v.strictObject({ v: version1, board: boardId, tenure: positive, gateway: gatewayId });
export type Home = v.InferOutput<typeof homeSchema>;
export const homeNoun: Noun<Home> = noun('home', LIMITS.documentBytes, homeSchema);

/** What a board offers: only what its kernel enforces. */
export const offerSchema = v.strictObject({
  tier,
  arch: v.picklist(['x64', 'arm64']),
  memoryMib: uint,
  cpuMillis: uint,
  partitions: uint,
  enforces: v.strictObject({
    memory: v.boolean(),
    cpu: v.boolean(),
    pids: v.boolean(),
    network: v.boolean(),
    disk: v.boolean(),
    /** What has to be over at a moment is, whatever becomes of the runtime. */
    deadline: v.boolean(),
    /** How fast an instance reads and writes the card; without it, that is not limited here. */
    io: v.optional(v.boolean()),
  }),
  engine: text,
  model: text,
  /** What its owner set free on it of what it can give and keep from all others; without it, nothing. */
  grants: v.optional(v.pipe(v.array(offered), v.maxLength(LIMITS.grants))),
  /** X25519: what its tenants seal their secrets to; without it, it gives its instances none. */
  box: v.optional(publicKey),
  /** What of its card is set aside for `/data` that has an end; without it, it can hold none to one. */
  dataMib: v.optional(positive),
  /** Its ports that instances may be published on; without it, none. */
  ports: v.optional(portRange),
  /** Which kind of image it was started from, and what of it can be replaced. */
  image: v.optional(v.strictObject({ board: name, parts: v.pipe(v.array(v.picklist(['system', 'runtime'])), v.maxLength(2)) })),
});
export type Offer = v.InferOutput<typeof offerSchema>;

export const helloSchema = v.strictObject({
  v: version1,
  board: boardId,
  speaks: v.strictObject({ min: positive, max: positive }),
  software: text,
  bootId: text,
  nonce,
  /** The signed `home` document. */
  home: bytes(LIMITS.documentBytes),
  /** End of the board's usage chain. */
  head: chainPoint,
  offer: offerSchema,
});
export type Hello = v.InferOutput<typeof helloSchema>;
export const helloNoun: Noun<Hello> = noun('hello', LIMITS.helloBytes, helloSchema);

export const instanceState = v.picklist(['fetching', 'starting', 'running', 'stopped', 'crashed', 'refused', 'unpaid', 'closing']);
export type InstanceState = v.InferOutput<typeof instanceState>;

const connectionText = v.pipe(v.string(), v.maxBytes(LIMITS.connectionBytes));

/** `trial`: it runs and has not shown yet that it works. `failed`: the board is back on the system that it had before. */
export const updatePhase = v.picklist(['fetching', 'written', 'armed', 'trial', 'kept', 'failed']);

/** The system that a board was started from, and what became of the newest one that it was given. */
const systemReport = v.strictObject({
  slot: text,
  /** Null: it was not given by an update, but written to the card. */
  release: v.nullable(hash),
  update: v.nullable(v.strictObject({ release: hash, phase: updatePhase, detail: text })),
  /** How the newest that it was to run did, signed. */
  outcome: v.optional(bytes(LIMITS.outcomeBytes)),
});
/** A board's word on how a release did under a lease; it stands in logs, so that every gateway decides alike upon it. */
export const outcomeSchema = v.strictObject({
  v: version1,
  board: boardId,
  lease: leaseId,
  release: hash,
  /** Of the request by which it was tried. */
  sequence: positive,
  result: v.picklist(['passed', 'failed']),
  /** Empty when it passed. */
  why: text,
});
export type Outcome = v.InferOutput<typeof outcomeSchema>;
export const outcomeNoun: Noun<Outcome> = noun('outcome', LIMITS.outcomeBytes, outcomeSchema);

/** The same of a system, or of a runtime alone: upon it the owner's other boards are given it, or not. */
export const systemOutcomeSchema = v.strictObject({
  v: version1,
  board: boardId,
  part: v.picklist(['system', 'runtime']),
  release: hash,
  /** Version of the owner's word by which it was wanted. */
  upkeep: positive,
  result: v.picklist(['passed', 'failed']),
  /** Empty when it passed. */
  why: text,
});
export type SystemOutcome = v.InferOutput<typeof systemOutcomeSchema>;
export const systemOutcomeNoun: Noun<SystemOutcome> = noun('system-outcome', LIMITS.outcomeBytes, systemOutcomeSchema);

export const reportSchema = v.strictObject({
  v: version1,
  board: boardId,
  bootId: text,
  monoMs: uint,
  instances: v.pipe(
    v.array(
      v.strictObject({
        lease: leaseId,
        state: instanceState,
        promise: v.picklist(['unknown', 'held', 'broken']),
        restarts: uint,
        address: v.nullable(text),
        /** The error's code when refused, the failing promise when broken, else empty. */
        detail: text,
        /** What it publishes, as JSON that its release's schema takes. */
        connection: v.optional(connectionText),
        /** The release that runs in the place of the lease's, which did not do. */
        instead: v.optional(hash),
        /** How its release came through its trial, signed. */
        outcome: v.optional(bytes(LIMITS.outcomeBytes)),
      }),
    ),
    v.maxLength(LIMITS.partitionsPerBoard),
  ),
  system: v.optional(systemReport),
  /** The same of its runtime alone; its slot is `image` while it is the one that came with the system. */
  runtime: v.optional(systemReport),
  /** Gateways that gave it something else for a piece, again and again: of which piece last, and of how many such lies it knows. */
  liars: v.optional(v.pipe(v.array(v.strictObject({ gateway: gatewayId, about: hash, times: positive })), v.maxLength(LIMITS.liars))),
  /** Absent: its kernel tells nothing of it. */
  card: v.optional(cardHealth),
});
export type SystemReport = v.InferOutput<typeof systemReport>;
export type Report = v.InferOutput<typeof reportSchema>;
export const reportNoun: Noun<Report> = noun('report', LIMITS.payloadBytes, reportSchema);

/** Order of the registers in a record; all cumulative since the lease's zero record. */
export const REGISTERS = ['wallMs', 'cpuMicros', 'memoryMibS', 'netInBytes', 'netOutBytes', 'diskBytes', 'diskMibS', 'energyMj'] as const;
export type Register = (typeof REGISTERS)[number];

export const registers = v.strictObject({
  wallMs: counter,
  cpuMicros: counter,
  memoryMibS: counter,
  netInBytes: counter,
  netOutBytes: counter,
  diskBytes: counter,
  diskMibS: counter,
  energyMj: counter,
});
export type Registers = v.InferOutput<typeof registers>;

export const usageSchema = v.strictObject({
  v: version1,
  board: boardId,
  /** Position in the board's one chain over all its leases; the first is 1. */
  seq: positive,
  prev: hash,
  lease: leaseId,
  /** `open` is the zero record and the board's acceptance of the lease; `close` is read after the cgroup is empty. */
  kind: v.picklist(['open', 'point', 'close']),
  bootId: text,
  monoMs: uint,
  wallMs,
  quality: v.picklist(['exact', 'interpolated', 'bounded']),
  /** What was enforced while this was metered. */
  tier,
  /** Set on the first record after the board lost its newest writes. */
  amnesia: v.boolean(),
  registers,
});
export type Usage = v.InferOutput<typeof usageSchema>;
export const usageNoun: Noun<Usage> = noun('usage', LIMITS.usageRecordBytes, usageSchema);
