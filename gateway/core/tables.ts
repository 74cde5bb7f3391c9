/**
 * What a gateway holds. `log`, `head` and `blob` are the record; the rest is the fold over all logs, kept so that it
 * need not be folded again, and the little that is this gateway's alone (claims, acknowledgements, content wanted).
 */
import * as v from 'valibot';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { offerSchema, type Report, registers, type SystemReport } from '../../runtime/protocol/nouns/board.ts';
import type { CardHealth } from '../../runtime/protocol/nouns/card.ts';
import { leaseSchema } from '../../runtime/protocol/nouns/lease.ts';
import { closeSchema } from '../../runtime/protocol/nouns/log.ts';
import { manifestSchema } from '../../runtime/protocol/nouns/release.ts';
import { bindingSchema, requestSchema, voucherSchema } from '../../runtime/protocol/nouns/request.ts';
import { type Shared, shareSchema } from '../../runtime/protocol/nouns/share.ts';
import { operatorSchema, publisherSchema } from '../../runtime/protocol/nouns/trust.ts';
import { upkeepSchema } from '../../runtime/protocol/nouns/upkeep.ts';
import {
  boardId,
  bytes,
  gatewayId,
  hash,
  leaseId,
  ownerId,
  positive,
  publicKey,
  record,
  text,
  uint,
  wallMs,
} from '../../runtime/protocol/schema.ts';
import { bytesTable, type Table, table, volatileTable } from '../../runtime/turn/table.ts';
import type { Rows } from './context.ts';
import {
  fleets,
  instanceOf,
  touchAll,
  touchAwaited,
  touchBoard,
  touchFleets,
  touchInstance,
  touchPlacing,
  touchRequest,
  touchTelling,
} from './touched.ts';

const document = bytes(LIMITS.packetBytes);

/** A table whose every write is told, so that none that could change an answer goes unnoticed; `value` is null for a removal. */
const watched = <T>(held: Table<T>, told: (rows: Rows, value: T | null, ...key: string[]) => void): Table<T> => ({
  ...held,
  put: (rows, value, ...key) => {
    held.put(rows, value, ...key);
    told(rows, value, ...key);
  },
  remove: (rows, ...key) => {
    held.remove(rows, ...key);
    told(rows, null, ...key);
  },
});

/** author/ordinal → the entry's bytes, which are the Merkle leaf. */
export const logRows = 'log';
/** author/ordinal of the size → the signed checkpoint. */
export const heads = table('head', v.strictObject({ note: text }));
export const frontiers = table('frontier', v.strictObject({ size: uint, peaks: v.array(hash) }), 'seldom');
/** Of these tables no row is left, which is not to be looked up again and again. Empty after a restart. */
export const nothing = volatileTable<true>('nothing');
/** Entries of others that could not be applied yet because what they stand on has not come. */
export const pendings = watched(
  table('pending', v.strictObject({ body: document })),
  (rows, value) => value !== null && nothing.remove(rows, 'pending'),
);

/** id → all versions' documents, oldest first, and every key that any of them lists for a gateway. */
export const operators = watched(
  table(
    'operator',
    v.strictObject({
      doc: operatorSchema,
      documents: v.array(document),
      listed: v.array(v.strictObject({ gateway: gatewayId, key: publicKey })),
    }),
  ),
  touchAll,
);
export const publishers = watched(table('publisher', v.strictObject({ doc: publisherSchema, hash, document })), (rows) => {
  touchPlacing(rows);
  // Systems are assigned with the newest of them.
  touchTelling(rows);
});
/** Hash of a payload → the signed document, for boards that ask. */
export const documents = bytesTable('document', LIMITS.packetBytes);
export const blobs = bytesTable('blob', LIMITS.packetBytes);
/** Content that is held as it came, packed → how long it is. What is not listed is held plain. */
export const packed = table('packed', uint);

export const parties = table('party', v.strictObject({ key: publicKey, name: text }));
export const claims = table('claim', v.strictObject({ owner: ownerId, expiresMs: wallMs, usedBy: v.nullable(publicKey) }));

export const boards = watched(
  table(
    'board',
    v.strictObject({
      key: publicKey,
      /** Version of the newest rotation. */
      keyVersion: uint,
      /** Keys that it has handed over from: what they signed stands, but they open no session. */
      formerKeys: v.array(publicKey),
      owner: ownerId,
      home: v.nullable(v.strictObject({ tenure: positive, gateway: gatewayId })),
      offer: v.nullable(offerSchema),
      /** In reach of its home, since when. */
      here: v.boolean(),
      sinceMs: wallMs,
      quarantined: v.boolean(),
    }),
  ),
  (rows, _value, board = '') => touchBoard(rows, board),
);
/** board/ordinal of the version → how it handed over to another key, signed by both. */
export const rotations = bytesTable('rotation', LIMITS.documentBytes);
/** board → the hello by which it made its present offer, as it signed it: tenants look at it themselves. */
export const hellos = bytesTable('hello', LIMITS.helloBytes);
export const bindings = watched(table('binding', bindingSchema), (rows, _value, board = '') => touchBoard(rows, board));
/** board → its owner's newest word on its system. */
export const upkeeps = watched(table('upkeep', v.strictObject({ doc: upkeepSchema, hash })), (rows, value, board = '') => {
  touchBoard(rows, board);
  // Who leaves the waves is awaited no more.
  if (value?.doc.rollout !== undefined || fleets.any(rows)) touchFleets(rows);
});
/** release/board → the board's word on how it did there as its system, or as its runtime. */
export const systemOutcomes = watched(
  table('system-outcome', v.strictObject({ upkeep: positive, result: v.picklist(['passed', 'failed']), why: text })),
  touchFleets,
);
export const requests = watched(table('request', v.strictObject({ doc: requestSchema, hash })), (rows, _value, request = '') =>
  touchRequest(rows, request),
);
/** Request → where its newest document stands in this gateway's own log; of those that came with a peer's there is none. */
export const requestPlaces = table('request-place', v.strictObject({ hash, place: uint }), 'seldom');
/** host/share → its newest document, and when a gateway first took one of it: who came first is served first. */
export const shares = watched(table('share', v.strictObject({ doc: shareSchema, hash, sinceMs: wallMs })), (rows, _value, host = '') =>
  touchRequest(rows, host),
);
export const vouchers = watched(table('voucher', voucherSchema), (rows, _value, voucher = '') => touchAwaited(rows, `voucher/${voucher}`));
export const manifests = table('manifest', v.strictObject({ doc: manifestSchema, publisher: hash, signer: publicKey }));
/**
 * How much of a release is missing here, and why it is refused for good; empty: it is not. `gone`: nobody needed it, and what it
 * alone named goes, or went; what is missing is not waited for then.
 */
export const releases = watched(
  table('release', v.strictObject({ missing: uint, missingPages: uint, refused: text, gone: v.optional(v.literal(true)) })),
  (rows, value, release = '') => {
    if (value?.missing !== 0) return;
    touchAwaited(rows, `release/${release}`);
    // Any board may follow its publisher.
    if (manifests.get(rows, release)?.doc.image !== undefined) touchTelling(rows);
  },
);
/**
 * Hash → the releases that wait for it, as what, and how long it is as a chunk: as the first one says, and `otherwise` as others do who
 * say something else. Who is right shows when it comes.
 */
export const wanted = watched(
  table(
    'wanted',
    v.strictObject({ asPage: v.array(text), asChunk: v.array(text), bytes: uint, otherwise: v.optional(record(text, uint)) }),
  ),
  (rows, value) => value !== null && nothing.remove(rows, 'wanted'),
);

/** Content → how often releases of here name it; what none does any more goes. */
export const mentions = table('mention', uint);
/** release/page → the page is among the `mentions`; `chunks`: so is all that it names. */
export const counted = table('counted', v.strictObject({ chunks: v.boolean() }));
/** Releases that are gone and whose mentions are still being taken back, page by page. */
export const leaving = watched(table('leaving', v.strictObject({})), (rows, value) => value !== null && nothing.remove(rows, 'leaving'));
/** Releases that nobody needs, since when. */
export const idle = table('idle', v.strictObject({ sinceMs: wallMs }));
/** Bytes of all content, as it lies here. */
export const stock = table('stock', v.strictObject({ bytes: uint }));

export const leases = watched(
  table('lease', v.strictObject({ doc: leaseSchema, document, signer: publicKey, opened: v.boolean(), closed: v.boolean() })),
  (rows, value) => {
    if (value === null) return;
    touchBoard(rows, value.doc.board);
    touchInstance(rows, instanceOf(value.doc.request, value.doc.index));
  },
);
/** board/lease → nothing; finds the leases of a board that are not closed. */
export const openLeases = table('lease-on', v.strictObject({}));
/** board/lease → which boundaries of the lease the board has signed, whether it is known or not. */
export const leaseMarks = table('lease-mark', v.strictObject({ opened: v.boolean(), closed: v.boolean() }));
/** board/lease → its registers by the newest record in place, whether the lease is known or not. */
export const metered = table('metered', registers, 'seldom');
/** request/index/term/lease → nothing; finds an instance's leases in order. */
export const leaseRows = 'lease-of';
export const leaseIndex = table(leaseRows, v.strictObject({}));

/** lease → its board's newest word on how its release did. */
export const outcomes = table(
  'outcome',
  v.strictObject({ board: boardId, release: hash, sequence: positive, result: v.picklist(['passed', 'failed']), why: text }),
);

/** Instance → the lease to which this gateway, as one of its guardians, granted last. */
export const grants = table('grant', v.strictObject({ lease: leaseId, leaseMs: positive }));

/** The highest record of a board's chain, as it was signed. */
export const usageHeads = bytesTable('usage-head', LIMITS.usageRecordBytes);
/** board/hash → number of a record in place, by which repeats are told and what a record follows on. */
export const usageSeen = table('usage-seen', uint, 'seldom');
/** board/hash of a boot → the stretch of the chain that was signed in it. */
export const usageLives = table('usage-life', v.strictObject({ first: uint, last: uint, hash }), 'seldom');
/** Boards whose newest records stand in this gateway's log alone: up to which one a peer holds them. Of all others, all. */
export const lone = table('lone', v.strictObject({ replicated: uint }));
export const desireds = table('desired', v.strictObject({ tenure: positive, seq: positive, content: hash }));
export const closes = table('close', closeSchema);
/** Period → its statement, and the hash of the closes that it follows from. */
export const statements = table('statement', v.strictObject({ closes: hash, bytes: bytes(LIMITS.statementBytes) }), 'seldom');
/** peer → how much of this gateway's log it has countersigned as durable. */
export const cosigned = table('cosigned', v.strictObject({ size: uint, note: text }));

/** Sessions of boards and tenants: session → who. */
export interface Session {
  party: 'board' | 'tenant';
  id: string;
  /** Shown in the handshake. */
  key: Bytes;
}
export const sessions = volatileTable<Session>('sessions');
/** board → its session, once it has said hello. */
export const boardSessions = volatileTable<string>('board-sessions');
/** session → its hello, which is answered again when a new operator's document is to be told. */
export const welcomes = volatileTable<{ board: string; nonce: Bytes; speaks: number; told: string }>('welcomes');
export interface PeerState {
  session: string;
  up: boolean;
  sinceMs: number;
  /** Whether it has said over this link what it has. */
  heard: boolean;
  /** What the peer last said it has. */
  vector: Record<string, number>;
  /** Up to where it was shown others' heads. */
  shown: Record<string, number>;
  /** What was sent beyond that already. */
  sent: Record<string, number>;
  /** Our vector as it was last told to the peer. */
  told: Record<string, number>;
  /** The countersignature that it sent last, and the key that was found to have made it. */
  proof: { note: string; key: Bytes } | null;
  /** Hashes of content it has not answered yet, and the last one of its round. */
  asked: string[];
  cursor: string;
  /** It gave something else for content: asked again not before. */
  doubtedMs: number;
  /** Versions of the operators' documents with which a log from it could not be verified; empty: all could. */
  refusedAt: string;
}
export const peers = volatileTable<PeerState>('peers');
export interface InstanceReport {
  board: string;
  state: string;
  promise: string;
  address: string | null;
  restarts: number;
  detail: string;
  /** What it publishes, as JSON. */
  connection: string | null;
  /** The release that runs in the place of the lease's. */
  instead: string | null;
  atMs: number;
}
/** board/part → its newest word on its system, or its runtime alone. */
export const systems = volatileTable<SystemReport>('systems');
/** board → the gateways that it calls liars. */
export const accusations = volatileTable<NonNullable<Report['liars']>>('accusations');
/** board → what it says of its card; none: it says nothing. */
export const cards = volatileTable<CardHealth>('cards');
/** lease → its board's newest word. */
export const reports = volatileTable<InstanceReport>('reports');
/** lease → what its instance says to each whom it serves. */
export const shareReports = volatileTable<{ board: string; shares: Shared['shares'] }>('share-reports');
