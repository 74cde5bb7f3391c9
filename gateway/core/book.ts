/**
 * What the ledger reads from the logs: each document once, with the places where it stands, so that the same book
 * serves every closed period. Signatures are verified when an entry is taken in; who may sign is asked at a close,
 * because the answer lies in documents that may stand in another author's log.
 */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { asLichenError, type ErrorCode, refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint, type RequestId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, type Sealed, unseal, unsealMany } from '../../runtime/protocol/noun.ts';
import { type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { type Lease, leaseIdOf } from '../../runtime/protocol/nouns/lease.ts';
import { type EntryKind, type LogEntry, type Pair, pairSchema, type Vector } from '../../runtime/protocol/nouns/log.ts';
import {
  type Binding,
  type Request,
  type Rotation,
  requestIdOf,
  rotationNoun,
  type Voucher,
} from '../../runtime/protocol/nouns/request.ts';
import { type OperatorDoc, operatorNoun } from '../../runtime/protocol/nouns/trust.ts';
import { open } from './opened.ts';

/** Where a document stands. */
interface Place {
  author: string;
  seq: number;
}

/** There are as many as boards have signed records, so that little is kept of each. */
export interface Doc<T> {
  value: T;
  /** Hex of the payload's hash. */
  name: string;
  /** Hex of the key that signed; empty for what an author states or several keys sign. */
  signer: string;
  kind: EntryKind;
  /** The first in each author's log. */
  places: Place[];
}

export interface Invalid {
  author: string;
  seq: number;
  kind: EntryKind;
  code: ErrorCode;
  detail: string;
}

/** An operator's document as it came: whether it follows from the version before it is asked at a close. */
export interface OperatorBytes {
  doc: OperatorDoc;
  bytes: Bytes;
}

/** Documents by what they are looked up by; each list in no particular order. */
type Shelf<T> = Map<string, Doc<T>[]>;

export interface Book {
  /** Author → entries taken in. */
  sizes: Map<string, number>;
  /** By operator. */
  operators: Shelf<OperatorBytes>;
  /** By board. */
  pairs: Shelf<Pair>;
  rotations: Shelf<Rotation>;
  usage: Shelf<Usage>;
  /** By `board/version`. */
  bindings: Shelf<Binding>;
  /** By request. */
  requests: Shelf<Request>;
  /** By hash. */
  vouchers: Shelf<Voucher>;
  /** By lease. */
  leases: Shelf<Lease>;
  invalid: Invalid[];
  /** Name → documents of that payload, to find repeats. */
  known: Map<string, Doc<unknown>[]>;
}

export const newBook = (): Book => ({
  sizes: new Map(),
  operators: new Map(),
  pairs: new Map(),
  rotations: new Map(),
  usage: new Map(),
  bindings: new Map(),
  requests: new Map(),
  vouchers: new Map(),
  leases: new Map(),
  invalid: [],
  known: new Map(),
});

/** Whether a document stands in some log below the vector. */
export const visible = ({ places }: Doc<unknown>, vector: Vector): boolean => {
  for (const { author, seq } of places) if (seq < (vector[author] ?? 0)) return true;
  return false;
};

export const visibleIn = <T>(shelf: Shelf<T>, key: string, vector: Vector): Doc<T>[] =>
  (shelf.get(key) ?? []).filter((doc) => visible(doc, vector));

/** The place to name when speaking of a document: of the lowest author below the vector. */
export const placeOf = (doc: Doc<unknown>, vector: Vector): Place => {
  const [place] = doc.places.filter(({ author, seq }) => seq < (vector[author] ?? 0)).sort((a, b) => (a.author < b.author ? -1 : 1));
  return place ?? refuse('internal', 'a document without a place');
};

type Found<T> = Pick<Doc<T>, 'value' | 'name' | 'signer'>;

const shelve = <T>(book: Book, shelf: Shelf<T>, key: string, entry: LogEntry, found: Found<T>): void => {
  const { author, seq, kind } = entry;
  const same = book.known.get(found.name);
  const held = same?.find((doc) => doc.kind === kind && doc.signer === found.signer);
  if (held !== undefined) {
    if (!held.places.some((place) => place.author === author)) held.places.push({ author, seq });
    return;
  }
  const doc: Doc<T> = { ...found, kind, places: [{ author, seq }] };
  if (same === undefined) book.known.set(found.name, [doc]);
  else same.push(doc);
  const row = shelf.get(key);
  if (row === undefined) shelf.set(key, [doc]);
  else row.push(doc);
};

const ofOne = <T>({ value, hash, signer }: Sealed<T>): Found<T> => ({ value, name: hex(hash), signer: hex(signer) });

/** Of a document whose author's id is the fingerprint of the key that signs it. */
const byAuthor = <T>(crypto: Crypto, kind: EntryKind, sealed: Sealed<T>, author: string): Found<T> => {
  if (fingerprint(crypto, sealed.signer) !== author) refuse('wrong-signer', `the ${kind} is not signed by the one it names`);
  return ofOne(sealed);
};

type Taker = (crypto: Crypto, book: Book, entry: LogEntry) => void;

const takeOperator: Taker = (crypto, book, entry) => {
  const { value: doc, hash, bytes } = unsealMany(crypto, operatorNoun, entry.body, 2 * LIMITS.rootKeys);
  shelve(book, book.operators, doc.operator, entry, { value: { doc, bytes }, name: hex(hash), signer: '' });
};

const takePair: Taker = (crypto, book, entry) => {
  const value = decodeAs(pairSchema, entry.body, 'pair');
  if (fingerprint(crypto, value.key) !== value.board) refuse('wrong-signer', "the board's id is not that of its key");
  shelve(book, book.pairs, value.board, entry, { value, name: hex(crypto.sha256(entry.body)), signer: '' });
};

const takeRotation: Taker = (crypto, book, entry) => {
  const { value, hash, signers } = unsealMany(crypto, rotationNoun, entry.body, 2);
  const both = [value.from, value.to].every((key) => signers.some((signer) => equal(signer, key)));
  if (!both) refuse('wrong-signer', 'a rotation is signed by the old key and the new one');
  if (value.kind !== 'board') refuse('wrong-signer', "a gateway's key changes in its operator's document");
  shelve(book, book.rotations, value.subject, entry, { value, name: hex(hash), signer: '' });
};

const takeRequest: Taker = (crypto, book, entry) => {
  const sealed = open.request(crypto, entry.body);
  const found = byAuthor(crypto, entry.kind, sealed, sealed.value.tenant);
  const id: RequestId = requestIdOf(crypto, found.value.tenant, found.value.name);
  shelve(book, book.requests, id, entry, found);
};

const takeVoucher: Taker = (crypto, book, entry) => {
  const sealed = open.voucher(crypto, entry.body);
  const found = byAuthor(crypto, entry.kind, sealed, sealed.value.tenant);
  shelve(book, book.vouchers, found.name, entry, found);
};

const takeBinding: Taker = (crypto, book, entry) => {
  const sealed = open.binding(crypto, entry.body);
  const found = byAuthor(crypto, entry.kind, sealed, sealed.value.owner);
  shelve(book, book.bindings, `${found.value.board}/${found.value.version}`, entry, found);
};

const takeLease: Taker = (crypto, book, entry) => {
  const found = ofOne(open.lease(crypto, entry.body));
  if (leaseIdOf(crypto, found.value) !== found.value.lease) refuse('bad-schema', "the lease's id is not that of its terms");
  shelve(book, book.leases, found.value.lease, entry, found);
};

const takeUsage: Taker = (crypto, book, entry) => {
  // Each comes by once: to remember them all would drive out what is asked for again.
  const found = ofOne(unseal(crypto, usageNoun, entry.body));
  shelve(book, book.usage, found.value.board, entry, found);
};

/** Kinds that no bill depends on are not opened. */
const TAKERS: Partial<Record<EntryKind, Taker>> = {
  operator: takeOperator,
  pair: takePair,
  rotation: takeRotation,
  request: takeRequest,
  voucher: takeVoucher,
  binding: takeBinding,
  lease: takeLease,
  usage: takeUsage,
};

/**
 * Takes in the next entry of its author's log; repeats are passed over. A body that does not hold is noted in
 * `invalid` and means nothing. Error: `missing-content` when entries before it have not been taken in.
 */
export const absorb = (crypto: Crypto, book: Book, entry: LogEntry): void => {
  const size = book.sizes.get(entry.author) ?? 0;
  if (entry.seq < size) return;
  if (entry.seq > size) refuse('missing-content', `entry ${size} of ${entry.author} comes before ${entry.seq}`);
  book.sizes.set(entry.author, size + 1);
  try {
    TAKERS[entry.kind]?.(crypto, book, entry);
  } catch (thrown) {
    const { code, detail } = asLichenError(thrown);
    if (code === 'internal') throw thrown;
    book.invalid.push({ author: entry.author, seq: entry.seq, kind: entry.kind, code, detail });
  }
};
