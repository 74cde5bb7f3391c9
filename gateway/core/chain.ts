/**
 * One board's usage records as what they must be: a chain, from which a board that forgot its newest records goes on
 * beside them. What a former close built on stays, a gap waits for the record that fills it, and two lives under one key
 * stop it for good. docs/spec/metering.md, "Chains".
 */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Usage } from '../../runtime/protocol/nouns/board.ts';
import type { Vector } from '../../runtime/protocol/nouns/log.ts';
import { type Book, type Doc, visible } from './book.ts';

/** A record in place. */
export interface Link {
  doc: Doc<Usage>;
  /** Signed by a key that was revoked when it came to count: it holds the chain together and charges nothing. */
  revoked: boolean;
  /** The one that it follows on; null: it is the first. */
  parent: Link | null;
  /** The nearest of its lease before it. */
  before: Link | null;
  /** Once its lease's meter has taken it: the latest wall time up to here. */
  reachMs: number | null;
}

/** What was signed in one boot of the board: one stretch of the chain. */
interface Life {
  first: number;
  last: Link;
}

export interface Chain {
  /** Hex of the hash → the record. */
  links: Map<string, Link>;
  /** By number. */
  seqs: Map<number, Link>;
  /** By boot. */
  lives: Map<string, Life>;
  /** The highest in place. */
  top: Link | null;
  /**
   * Of the record that was placed last: lease → its newest one on the way up to there. Of no other, so that a board that boots often and
   * has had many leases does not cost the one times the other.
   */
  ahead: { end: Link; leases: Map<string, Link> } | null;
  /** Number from which on there are two lives; nothing from there on counts any more. */
  forkSeq: number | null;
  /** Hashes of the records that contradict each other there. */
  forked: string[];
  /** Records that cannot be placed yet. */
  waiting: number;
}

export const newChain = (): Chain => ({
  ...{ links: new Map(), seqs: new Map(), lives: new Map(), top: null, ahead: null },
  ...{ forkSeq: null, forked: [], waiting: 0 },
});

const START = new Uint8Array(32);

const fork = (chain: Chain, seq: number, records: Doc<Usage>[]): void => {
  chain.forkSeq = seq;
  chain.forked = records.map(({ name }) => name).sort();
};

const isBelowFork = (chain: Chain, { value }: Doc<Usage>): boolean => chain.forkSeq === null || value.seq < chain.forkSeq;

/** A life of which one record stands between the first and the last of another one. */
const between = (chain: Chain, { bootId, seq }: Usage): Life | undefined => {
  const own = chain.lives.get(bootId);
  // Above all others it is alone, unless its life was over by the word of another one's.
  if (seq > (chain.top?.doc.value.seq ?? 0) && (own === undefined || own.last === chain.top)) return undefined;
  const first = own?.first ?? seq;
  return [...chain.lives.values()].find((life) => life !== own && life.first < seq && life.last.doc.value.seq > first);
};

/** lease → its newest record up to `end`. */
const leasesUpTo = (chain: Chain, end: Link | null): Map<string, Link> => {
  if (end !== null && chain.ahead?.end === end) return chain.ahead.leases;
  const found = new Map<string, Link>();
  for (let link = end; link !== null; link = link.parent) {
    const { lease } = link.doc.value;
    if (!found.has(lease)) found.set(lease, link);
  }
  return found;
};

const put = (chain: Chain, doc: Doc<Usage>, parent: Link | null, revoked: boolean): Link => {
  const { seq, lease, bootId } = doc.value;
  const life = chain.lives.get(bootId);
  const leases = leasesUpTo(chain, parent);
  const link: Link = { doc, revoked, parent, before: leases.get(lease) ?? null, reachMs: null };
  leases.set(lease, link);
  chain.ahead = { end: link, leases };
  chain.lives.set(bootId, { first: life?.first ?? seq, last: link });
  chain.links.set(doc.name, link);
  chain.seqs.set(seq, link);
  if (seq > (chain.top?.doc.value.seq ?? 0)) chain.top = link;
  return link;
};

/** Null when it waits for one before it, or when it has shown that there are two lives. */
const place = (chain: Chain, doc: Doc<Usage>, revoked: boolean): Link | null => {
  const { seq, prev, bootId } = doc.value;
  const parent = equal(prev, START) ? null : chain.links.get(hex(prev));
  const own = chain.lives.get(bootId)?.last ?? null;
  if (own !== null && parent !== own) {
    // What was signed in one boot follows on one another; one that does not come next to its own may have a gap before it.
    if (parent !== undefined || seq <= own.doc.value.seq + 1) fork(chain, seq, [doc, own.doc]);
    return null;
  }
  if (parent === undefined) return null;
  const other = between(chain, doc.value);
  if (other !== undefined || seq <= (parent?.doc.value.seq ?? 0)) {
    fork(chain, seq, [doc, ...(other === undefined ? [] : [other.last.doc])]);
    return null;
  }
  return put(chain, doc, parent, revoked);
};

/** By number, then hash. Records of one content signed by two keys of a board are one record. */
const inOrder = (docs: Doc<Usage>[]): Doc<Usage>[] => {
  const found = new Map<string, Doc<Usage>>();
  for (const doc of docs) if (!found.has(doc.name)) found.set(doc.name, doc);
  return [...found.values()].sort((one, other) => one.value.seq - other.value.seq || (one.name < other.name ? -1 : 1));
};

/** The first number of which there are two records. */
const checkNumbers = (chain: Chain, docs: Doc<Usage>[]): void => {
  let last: Doc<Usage> | null = null;
  for (const doc of docs) {
    const { seq } = doc.value;
    if (!isBelowFork(chain, doc)) return;
    const placed = chain.seqs.get(seq)?.doc;
    const other: Doc<Usage> | null | undefined = placed !== undefined && placed.name !== doc.name ? placed : last;
    if (other?.value.seq === seq && other.name !== doc.name) return fork(chain, seq, [other, doc]);
    last = doc;
  }
};

const PIECE = 64;

/** Grows the chain by what is visible now and signed by a key the board has held, piece by piece; returns the new links. */
export function* grow(
  chain: Chain,
  book: Book,
  board: string,
  vector: Vector,
  held: Set<string>,
  revoked: Set<string>,
): Generator<number, Link[]> {
  const docs = (book.usage.get(board) ?? []).filter((doc) => held.has(doc.signer) && visible(doc, vector));
  // One good signature under a record is enough, so those of revoked keys stand behind the others.
  const rank = (doc: Doc<Usage>): string => `${revoked.has(doc.signer) ? 1 : 0}${doc.signer}`;
  if (held.size > 1) docs.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const ordered = inOrder(docs);
  checkNumbers(chain, ordered);
  const grown: Link[] = [];
  chain.waiting = 0;
  for (const doc of ordered) {
    if (!isBelowFork(chain, doc)) break;
    if (chain.links.has(doc.name)) continue;
    const link = place(chain, doc, revoked.has(doc.signer));
    if (link === null) chain.waiting++;
    else grown.push(link);
    if (grown.length % PIECE === 0) yield PIECE;
  }
  if (chain.forkSeq !== null) chain.waiting = 0;
  return grown;
}
