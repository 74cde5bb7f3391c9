/**
 * What a gateway holds. `log`, `head` and `blob` are the record; the rest is the fold over all logs, kept so that it
 * need not be folded again, and the little that is this gateway's alone (claims, acknowledgements, content wanted).
 */
import * as v from 'valibot';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { offerSchema } from '../../runtime/protocol/nouns/board.ts';
import { leaseSchema } from '../../runtime/protocol/nouns/lease.ts';
import { closeSchema } from '../../runtime/protocol/nouns/log.ts';
import { manifestSchema } from '../../runtime/protocol/nouns/release.ts';
import { bindingSchema, requestSchema, voucherSchema } from '../../runtime/protocol/nouns/request.ts';
import { operatorSchema, publisherSchema } from '../../runtime/protocol/nouns/trust.ts';
import { bytes, gatewayId, hash, ownerId, positive, publicKey, text, uint, wallMs } from '../../runtime/protocol/schema.ts';
import { table, volatileTable } from '../../runtime/turn/table.ts';

const document = bytes(LIMITS.packetBytes);

/** author/ordinal → the entry's bytes, which are the Merkle leaf. */
export const logRows = 'log';
/** author/ordinal of the size → the signed checkpoint. */
export const heads = table('head', v.strictObject({ note: text }));
export const frontiers = table('frontier', v.strictObject({ size: uint, peaks: v.array(hash) }));
/** Entries of others that could not be applied yet because what they stand on has not come. */
export const pendings = table('pending', v.strictObject({ body: document }));

/** id → all versions' documents, oldest first, and every key that any of them lists for a gateway. */
export const operators = table(
  'operator',
  v.strictObject({
    doc: operatorSchema,
    documents: v.array(document),
    listed: v.array(v.strictObject({ gateway: gatewayId, key: publicKey })),
  }),
);
export const publishers = table('publisher', v.strictObject({ doc: publisherSchema, hash, document }));
/** Hash of a payload → the signed document, for boards that ask. */
export const documents = table('document', document);
export const blobs = table('blob', document);

export const parties = table('party', v.strictObject({ key: publicKey, name: text }));
export const claims = table('claim', v.strictObject({ owner: ownerId, expiresMs: wallMs, usedBy: v.nullable(publicKey) }));

export const boards = table(
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
);
export const bindings = table('binding', bindingSchema);
export const requests = table('request', v.strictObject({ doc: requestSchema, hash }));
export const vouchers = table('voucher', voucherSchema);
export const manifests = table('manifest', v.strictObject({ doc: manifestSchema, publisher: hash, signer: publicKey }));
/** How much of a release is missing here, and why it is refused for good; empty: it is not. */
export const releases = table('release', v.strictObject({ missing: uint, missingPages: uint, refused: text }));
/** Hash → the releases that wait for it, as what, and how long it is as a chunk. */
export const wanted = table('wanted', v.strictObject({ asPage: v.array(text), asChunk: v.array(text), bytes: uint }));

export const leases = table(
  'lease',
  v.strictObject({ doc: leaseSchema, document, signer: publicKey, opened: v.boolean(), closed: v.boolean() }),
);
/** board/lease → nothing; finds the leases of a board that are not closed. */
export const openLeases = table('lease-on', v.strictObject({}));
/** board/lease → which boundaries of the lease the board has signed, whether it is known or not. */
export const leaseMarks = table('lease-mark', v.strictObject({ opened: v.boolean(), closed: v.boolean() }));
/** request/index/term/lease → nothing; finds an instance's leases in order. */
export const leaseIndex = table('lease-of', v.strictObject({}));

/** End of a board's chain, with the record that stands there. */
export const usageHeads = table('usage-head', v.strictObject({ seq: uint, hash, record: bytes(LIMITS.usageRecordBytes) }));
/** board/ordinal of seq → hash of the record, by which repeats and forks are told. */
export const usageSeen = table('usage-seen', v.strictObject({ hash }));
/** What this gateway stored of a board's usage in its own log and peers may not hold yet. */
export const acks = table('ack', v.strictObject({ replicated: uint, pending: v.array(v.strictTuple([uint, uint])) }));
export const desireds = table('desired', v.strictObject({ tenure: positive, seq: positive, content: hash }));
export const closes = table('close', closeSchema);
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
  /** What was sent beyond that already. */
  sent: Record<string, number>;
  /** Our vector as it was last told to the peer. */
  told: Record<string, number>;
  /** Hashes of content it has not answered yet, and the last one of its round. */
  asked: string[];
  cursor: string;
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
  atMs: number;
}
/** lease → its board's newest word. */
export const reports = volatileTable<InstanceReport>('reports');
