/**
 * What each call of the HTTP API answers, as the client reads it. Unknown keys are dropped, so that an older client
 * goes on with a newer gateway.
 */
import * as v from 'valibot';
import type { CallName } from '../../runtime/protocol/api.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { offerSchema, updatePhase } from '../../runtime/protocol/nouns/board.ts';
import { cardHealth } from '../../runtime/protocol/nouns/card.ts';
import { grant, linkTargets, publishedPorts } from '../../runtime/protocol/nouns/reach.ts';
import { shared } from '../../runtime/protocol/nouns/release.ts';
import { filter, rollout } from '../../runtime/protocol/nouns/request.ts';
import { sharing } from '../../runtime/protocol/nouns/share.ts';
import { windows } from '../../runtime/protocol/nouns/windows.ts';
import {
  boardId,
  currency,
  gatewayId,
  int,
  leaseId,
  name,
  operatorId,
  ownerId,
  positive,
  publisherId,
  requestId,
  type Schema,
  shareId,
  tenantId,
  text,
  uint,
} from '../../runtime/protocol/schema.ts';

const hash = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'expected 64 digits of hex'));
const hex = v.pipe(v.string(), v.regex(/^([0-9a-f]{2})*$/, 'expected hex'));
/** Counters are decimal strings: JSON's numbers end at 2^53. */
const decimal = v.pipe(
  v.string(),
  v.regex(/^\d{1,20}$/, 'expected a decimal number'),
  v.transform((digits) => BigInt(digits)),
);
const vector = v.record(v.string(), uint);
const rates = v.object({
  wallHour: decimal,
  cpuSecond: decimal,
  memoryMibHour: decimal,
  netMib: decimal,
  diskMib: decimal,
  dataMibHour: decimal,
});
const close = v.object({ period: positive, vector, closedMs: uint });

const status = v.object({
  gateway: gatewayId,
  name: text,
  region: text,
  operator: operatorId,
  software: text,
  wallMs: uint,
  vector,
  pending: uint,
  /** Bytes of releases that it holds, and at most. */
  content: v.optional(v.object({ bytes: uint, most: uint }), { bytes: 0, most: LIMITS.contentBytes }),
  boardsHere: v.array(boardId),
  peers: v.array(v.object({ gateway: gatewayId, up: v.boolean(), forMs: int, vector })),
});

const gateway = v.object({
  gateway: gatewayId,
  name: text,
  region: text,
  address: text,
  operator: operatorId,
  serving: v.boolean(),
  revoked: v.boolean(),
  reachable: v.boolean(),
});

/** How far the newest has come through the boards of one owner, and where this one stands. */
const fleet = v.object({
  release: hash,
  state: v.picklist(['rolling', 'halted', 'done']),
  wave: positive,
  open: positive,
  of: positive,
  trial: v.picklist(['old', 'given', 'passed', 'failed']),
  why: text,
});

const part = v.object({
  slot: text,
  release: v.nullable(hash),
  update: v.nullable(v.object({ release: hash, phase: updatePhase, detail: text })),
  fleet: v.optional(v.nullable(fleet), null),
});

const board = v.object({
  board: boardId,
  owner: ownerId,
  home: v.nullable(v.object({ tenure: positive, gateway: gatewayId })),
  here: v.boolean(),
  sinceMs: uint,
  quarantined: v.boolean(),
  offer: v.nullable(v.object({ ...offerSchema.entries, box: v.optional(v.string()) })),
  /** Signed by the board: what it offers, in hex. */
  hello: v.optional(v.nullable(v.string()), null),
  /** Each signed by the key before and the one after it, in hex. */
  rotations: v.optional(v.array(hex), []),
  labels: v.array(name),
  grants: v.optional(v.array(grant), []),
  /** What its owner takes for it; null while it is not bound. */
  rates: v.optional(v.nullable(rates), null),
  windows: v.optional(v.nullable(windows), null),
  bound: v.boolean(),
  /** Version of the owner's newest binding; 0 while there is none. */
  binding: uint,
  /** Its owner's newest word on its system; null: none, so that it stays as it is. */
  upkeep: v.optional(
    v.nullable(
      v.object({
        version: positive,
        publisher: v.nullable(publisherId),
        release: v.nullable(hash),
        rollout: v.optional(v.nullable(v.object({ wave: positive, tolerated: uint, bakeMs: uint })), null),
        windows: v.optional(v.nullable(windows), null),
        /** Whether it shares content with its network; absent: that was not said. */
        neighbours: v.optional(v.boolean()),
      }),
    ),
    null,
  ),
  /** What it said last of the system that runs on it, and of its runtime alone. */
  system: v.optional(v.nullable(part), null),
  runtime: v.optional(v.nullable(part), null),
  /** Gateways that gave it something else for a piece of content, twice: of which piece last, and how often. */
  liars: v.optional(v.array(v.object({ gateway: gatewayId, about: hash, times: positive })), []),
  /** What its kernel tells of its card; null: nothing. */
  card: v.optional(v.nullable(v.object(cardHealth.entries)), null),
});

const release = v.object({
  release: hash,
  recipe: name,
  label: text,
  sequence: positive,
  image: v.optional(v.nullable(name), null),
  /** Whether that board's whole system or its runtime alone. */
  part: v.optional(v.nullable(v.picklist(['system', 'runtime'])), null),
  publisher: publisherId,
  bytes: uint,
  limits: v.object({ memoryMib: positive, cpuMillis: positive }),
  parameters: v.record(v.string(), text),
  parameterSchema: v.nullable(v.string()),
  /** What it takes of each share; null: it serves its own request alone. */
  shares: v.optional(v.nullable(shared), null),
  missing: v.nullable(uint),
  /** Why its content is refused for good; empty: it is not. */
  refused: text,
});

const rolloutView = v.object({
  plan: rollout,
  state: v.picklist(['rolling', 'halted', 'done']),
  wave: positive,
  of: positive,
  why: text,
  next: text,
  replicas: v.array(v.object({ index: uint, wave: positive, trial: v.picklist(['old', 'given', 'passed', 'failed']), why: text })),
});

const request = v.object({
  request: requestId,
  tenant: tenantId,
  name,
  sequence: positive,
  state: v.picklist(['started', 'stopped', 'destroyed']),
  release: hash,
  replicas: positive,
  leases: v.array(v.nullable(leaseId)),
  parameters: v.record(v.string(), text),
  filter,
  priceCap: rates,
  currency,
  voucher: hash,
  onIsolation: v.picklist(['continue', 'stop']),
  patienceMs: positive,
  links: v.optional(linkTargets, {}),
  publish: v.optional(publishedPorts, {}),
  /** Sealed by the tenant, in hex. */
  secrets: v.optional(v.array(v.object({ board: boardId, box: v.string() })), []),
  /** Why replicas have no board, where it is not for want of room. */
  lacks: v.optional(v.array(text), []),
  holdMs: v.nullable(uint),
  /** What takes the place of the release where that does not hold its promises. */
  fallback: v.optional(v.nullable(v.object({ release: hash, bakeMs: uint })), null),
  /** Who else may have a share of its instances; null: nobody. */
  shares: v.optional(v.nullable(sharing), null),
  windows: v.optional(v.nullable(windows), null),
  /** How far its release has come through its waves; null: it has none. */
  rollout: v.optional(v.nullable(rolloutView), null),
  /** How often its tenant has let all its instances begin anew. */
  bang: uint,
  /** Whether another gateway has it, too: else it is gone with this one. */
  copied: v.optional(v.boolean(), true),
  /** Why no gateway acts upon it; empty: they do. */
  refused: text,
});

const report = v.object({
  board: boardId,
  state: text,
  promise: text,
  address: v.nullable(text),
  restarts: uint,
  detail: text,
  /** What it publishes of how it is reached, as JSON. */
  connection: v.nullable(v.string()),
  /** The release that runs in the place of the lease's, which did not do. */
  instead: v.optional(v.nullable(hash), null),
  atMs: uint,
});

const instance = v.object({
  lease: leaseId,
  request: requestId,
  name,
  index: uint,
  term: positive,
  tenant: tenantId,
  board: boardId,
  guardian: gatewayId,
  currency,
  opened: v.boolean(),
  report: v.nullable(report),
});

const share = v.object({
  share: shareId,
  tenant: tenantId,
  name,
  sequence: positive,
  state: v.picklist(['started', 'destroyed']),
  host: v.object({ tenant: tenantId, name, request: requestId }),
  parameters: v.record(v.string(), text),
  /** Why no instance serves it; empty: they do. */
  refused: text,
  /** One for each instance of the host that has been told of it. */
  servings: v.array(
    v.object({
      lease: leaseId,
      board: boardId,
      index: uint,
      address: v.nullable(text),
      /** What it says of how it is reached for this share, as JSON. */
      connection: v.nullable(v.string()),
      detail: text,
    }),
  ),
});

const SCHEMAS = {
  status,
  gateways: v.array(gateway),
  boards: v.array(board),
  releases: v.array(release),
  difference: v.object({ pages: uint, chunks: uint, bytes: uint, wireBytes: uint }),
  requests: v.array(request),
  instances: v.array(instance),
  shares: v.array(share),
  push: v.object({ ok: v.literal(true), missing: v.array(hash) }),
  admit: v.object({ id: tenantId }),
  claim: v.object({ claim: text, validMs: uint }),
  close,
  periods: v.array(close),
  log: v.object({ author: gatewayId, from: uint, size: uint, head: v.nullable(text), entries: v.array(hex) }),
};

/** `statement` and `carry` answer in CBOR. */
export type JsonCall = Exclude<CallName, 'statement' | 'carry'>;
export type Answers = { [Name in JsonCall]: v.InferOutput<(typeof SCHEMAS)[Name]> };
export type Board = Answers['boards'][number];
export type RolloutView = v.InferOutput<typeof rolloutView>;
export type StandingRequest = Answers['requests'][number];
export type Instance = Answers['instances'][number];
export type StandingShare = Answers['shares'][number];

export const ANSWERS: { [Name in JsonCall]: Schema<Answers[Name]> } = SCHEMAS;

/** Keys of one row of an answer, for the reference and its test. */
export const keysOf = {
  gateway: Object.keys(gateway.entries),
  board: Object.keys(board.entries),
  release: Object.keys(release.entries),
  request: Object.keys(request.entries),
  instance: Object.keys(instance.entries),
  share: Object.keys(share.entries),
  status: Object.keys(status.entries),
  close: Object.keys(close.entries),
};
