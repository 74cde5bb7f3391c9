/**
 * What an auditor finds in the kept logs: every document opened with the signature that it carries, and whether each
 * log leads to the head that its author signed. Written apart from the gateway's own fold on purpose.
 */
import { type Bytes, compare, equal, hex } from '../../runtime/protocol/bytes.ts';
import { openCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { asLichenError } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { append, EMPTY, rootOf } from '../../runtime/protocol/merkle.ts';
import { decodeAs, type Noun, unseal, unsealMany } from '../../runtime/protocol/noun.ts';
import { type Usage, usageNoun } from '../../runtime/protocol/nouns/board.ts';
import { type Lease, leaseNoun } from '../../runtime/protocol/nouns/lease.ts';
import {
  type Close,
  closeSchema,
  type EntryKind,
  entrySchema,
  type LogEntry,
  type Pair,
  pairSchema,
} from '../../runtime/protocol/nouns/log.ts';
import { type Manifest, manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import {
  type Binding,
  bindingNoun,
  type Request,
  type Rotation,
  requestNoun,
  rotationNoun,
  type Voucher,
  voucherNoun,
} from '../../runtime/protocol/nouns/request.ts';
import { type OperatorDoc, operatorNoun, type PublisherDoc, publisherNoun } from '../../runtime/protocol/nouns/trust.ts';

/** Evidence as it is kept: each author's log with the head it signed, and the statement under audit. */
export interface Kept {
  logs: Map<string, { entries: Bytes[]; head: string }>;
  statement: Bytes;
}

export interface Finding {
  kind: 'log' | 'document' | 'lease' | 'release' | 'close' | 'posting' | 'statement';
  /** What it is about: `author/seq`, a lease, a period. */
  subject: string;
  says: string;
}

/** A document at one place of one log. Repeats stay repeats. */
export interface Exhibit<T> {
  author: string;
  seq: number;
  value: T;
  /** Hash of the payload. */
  hash: string;
  /** Keys whose signatures verified. */
  signers: Bytes[];
}

export interface Evidence {
  operators: Exhibit<OperatorDoc>[];
  publishers: Exhibit<PublisherDoc>[];
  manifests: Exhibit<Manifest>[];
  requests: Exhibit<Request>[];
  vouchers: Exhibit<Voucher>[];
  bindings: Exhibit<Binding>[];
  pairs: Exhibit<Pair>[];
  rotations: Exhibit<Rotation>[];
  leases: Exhibit<Lease>[];
  usage: Exhibit<Usage>[];
  closes: Exhibit<Close>[];
  sizes: Map<string, number>;
  signatures: number;
}

const none = (): Evidence => ({
  operators: [],
  publishers: [],
  manifests: [],
  requests: [],
  vouchers: [],
  bindings: [],
  pairs: [],
  rotations: [],
  leases: [],
  usage: [],
  closes: [],
  sizes: new Map(),
  signatures: 0,
});

type Open<T> = (crypto: Crypto, body: Bytes) => Omit<Exhibit<T>, 'author' | 'seq'>;

const signed =
  <T>(kind: Noun<T>): Open<T> =>
  (crypto, body) => {
    const { value, hash, signer } = unseal(crypto, kind, body);
    return { value, hash: hex(hash), signers: [signer] };
  };

const signedByMany =
  <T>(kind: Noun<T>): Open<T> =>
  (crypto, body) => {
    const { value, hash, signers } = unsealMany(crypto, kind, body, 2 * LIMITS.rootKeys);
    return { value, hash: hex(hash), signers };
  };

const file = <T>(crypto: Crypto, entry: LogEntry, rows: Exhibit<T>[], open: Open<T>): number => {
  const opened = open(crypto, entry.body);
  rows.push({ author: entry.author, seq: entry.seq, ...opened });
  return opened.signers.length;
};

/** Files one entry; returns how many signatures were verified. */
const exhibit = (crypto: Crypto, found: Evidence, entry: LogEntry): number => {
  const stated = (value: Bytes) => ({ hash: hex(crypto.sha256(value)), signers: [] });
  const filing: Partial<Record<EntryKind, () => number>> = {
    operator: () => file(crypto, entry, found.operators, signedByMany(operatorNoun)),
    publisher: () => file(crypto, entry, found.publishers, signedByMany(publisherNoun)),
    rotation: () => file(crypto, entry, found.rotations, signedByMany(rotationNoun)),
    manifest: () => file(crypto, entry, found.manifests, signed(manifestNoun)),
    request: () => file(crypto, entry, found.requests, signed(requestNoun)),
    voucher: () => file(crypto, entry, found.vouchers, signed(voucherNoun)),
    binding: () => file(crypto, entry, found.bindings, signed(bindingNoun)),
    lease: () => file(crypto, entry, found.leases, signed(leaseNoun)),
    usage: () => file(crypto, entry, found.usage, signed(usageNoun)),
    pair: () => file(crypto, entry, found.pairs, (_, body) => ({ value: decodeAs(pairSchema, body, 'pair'), ...stated(body) })),
    close: () => file(crypto, entry, found.closes, (_, body) => ({ value: decodeAs(closeSchema, body, 'close'), ...stated(body) })),
  };
  return filing[entry.kind]?.() ?? 0;
};

/** Opens all logs. An entry that does not open is a finding; a gateway has no business keeping it. */
export const collect = (crypto: Crypto, kept: Kept, findings: Finding[]): Evidence => {
  const found = none();
  for (const [author, { entries }] of kept.logs) {
    found.sizes.set(author, entries.length);
    entries.forEach((bytes, at) => {
      const subject = `${author}/${at}`;
      try {
        const entry = decodeAs(entrySchema, bytes, 'entry');
        if (entry.author !== author || entry.seq !== at) findings.push({ kind: 'log', subject, says: 'the entry is out of its place' });
        else found.signatures += exhibit(crypto, found, entry);
      } catch (thrown) {
        findings.push({ kind: 'document', subject, says: asLichenError(thrown).message });
      }
    });
  }
  return found;
};

/** Each log's Merkle root against the head that a key of the author's, as its operator lists it, has signed. */
export const checkHeads = (crypto: Crypto, kept: Kept, keysOf: (author: string) => Bytes[], findings: Finding[]): void => {
  for (const [author, { entries, head }] of kept.logs) {
    const refute = (says: string) => findings.push({ kind: 'log', subject: author, says });
    const tree = entries.reduce((frontier, entry) => append(crypto, frontier, entry), EMPTY);
    const keys = keysOf(author);
    if (keys.length === 0) refute('no operator lists this gateway');
    const opened = keys.flatMap((key) => {
      try {
        return [openCheckpoint(crypto, head, author, key)];
      } catch {
        return [];
      }
    });
    const [checkpoint] = opened;
    if (checkpoint === undefined) refute('no key listed for the gateway signed this head');
    else if (checkpoint.author !== author || checkpoint.size !== entries.length)
      refute(`the head is of ${checkpoint.author} at ${checkpoint.size}, not of these ${entries.length} entries`);
    else if (!equal(checkpoint.root, rootOf(crypto, tree))) refute('the entries do not lead to the signed head');
  }
};

export const sameKey = (a: Bytes, b: Bytes): boolean => compare(a, b) === 0;

export const bornWith = (crypto: Crypto, id: string, keys: Bytes[]): boolean => keys.some((key) => fingerprint(crypto, key) === id);
