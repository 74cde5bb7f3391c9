/**
 * One board's usage records as the one chain that they must be. The chain only ever grows: what a former close built
 * on stays, a gap waits for the record that fills it, and two histories stop it for good.
 * docs/spec/metering.md, "Chains".
 */
import { equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Usage } from '../../runtime/protocol/nouns/board.ts';
import type { Vector } from '../../runtime/protocol/nouns/log.ts';
import { type Book, type Doc, visible } from './book.ts';

export interface Link {
  doc: Doc<Usage>;
  /** Signed by a key that was revoked when it came to count: it holds the chain together and charges nothing. */
  revoked: boolean;
  /** Number of the last record up to this one that says its board lost some; 0 if none. */
  amnesiaSeq: number;
}

export interface Chain {
  /** Record n stands at n − 1. */
  links: Link[];
  /** Number of the first record of which there are two. */
  forkSeq: number | null;
  /** Hashes of the records that contradict each other there. */
  forked: string[];
  /** Records that cannot be placed yet. */
  waiting: number;
}

export const newChain = (): Chain => ({ links: [], forkSeq: null, forked: [], waiting: 0 });

const START = new Uint8Array(32);

/**
 * A history that ended before its board said that it lost it: the mark stands at or below its number and is not
 * older. One that goes on beside the mark is a second board with the same key.
 */
const abandonedBy = (mark: Doc<Usage>, other: Doc<Usage>): boolean =>
  mark.value.amnesia && mark.value.seq <= other.value.seq && mark.value.wallMs >= other.value.wallMs;

const bySeq = (docs: Doc<Usage>[]): Map<number, Doc<Usage>[]> => {
  const out = new Map<number, Doc<Usage>[]>();
  for (const doc of docs) {
    // Records of one content signed by two keys of a board are one record.
    const row = out.get(doc.value.seq) ?? [];
    if (!row.some((known) => equal(known.hash, doc.hash))) row.push(doc);
    out.set(doc.value.seq, row);
  }
  return out;
};

/** The one record that may follow, `fork` if there are two or one that cannot, null if there is none. */
const next = (chain: Chain, candidates: Doc<Usage>[], marks: Doc<Usage>[]): Doc<Usage> | 'fork' | null => {
  const live = candidates.filter((doc) => !marks.some((mark) => abandonedBy(mark, doc)));
  const head = chain.links.at(-1)?.doc.hash ?? START;
  const [first] = live;
  if (first === undefined) return null;
  if (live.length === 1) return first.value.amnesia || equal(first.value.prev, head) ? first : 'fork';
  const [mark, ...moreMarks] = live.filter((doc) => doc.value.amnesia);
  if (mark === undefined || moreMarks.length > 0) return 'fork';
  return live.every((doc) => doc === mark || abandonedBy(mark, doc)) ? mark : 'fork';
};

const fork = (chain: Chain, seq: number, records: Doc<Usage>[]): void => {
  chain.forkSeq = seq;
  chain.forked = records.map((doc) => hex(doc.hash)).sort();
};

/** A record that contradicts one on which the chain was built before. */
const checkBuilt = (chain: Chain, seqs: Map<number, Doc<Usage>[]>, marks: Doc<Usage>[]): void => {
  for (const { doc } of chain.links) {
    const { seq } = doc.value;
    const aliens = (seqs.get(seq) ?? []).filter((other) => !equal(other.hash, doc.hash) && !marks.some((mark) => abandonedBy(mark, other)));
    if (aliens.length > 0) return fork(chain, seq, [doc, ...aliens]);
  }
};

/**
 * Grows the chain by what is visible now and signed by a key the board has held; returns the new links. A chain that
 * forked grows no more.
 */
export const grow = (chain: Chain, book: Book, board: string, vector: Vector, held: Set<string>, revoked: Set<string>): Link[] => {
  const docs = (book.usage.get(board) ?? []).filter((doc) => held.has(doc.signer) && visible(doc, vector));
  // One good signature under a record is enough, so those of revoked keys stand behind the others.
  const rank = (doc: Doc<Usage>): string => `${revoked.has(doc.signer) ? 1 : 0}${doc.signer}`;
  if (held.size > 1) docs.sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  const seqs = bySeq(docs);
  const marks = chain.links.map(({ doc }) => doc).filter((doc) => doc.value.amnesia);
  const grown: Link[] = [];
  chain.waiting = 0;
  if (chain.forkSeq !== null) return grown;
  checkBuilt(chain, seqs, marks);
  while (chain.forkSeq === null) {
    const seq = chain.links.length + 1;
    const candidates = seqs.get(seq) ?? [];
    const doc = next(chain, candidates, marks);
    if (doc === null) break;
    if (doc === 'fork') {
      fork(chain, seq, candidates);
      break;
    }
    if (doc.value.amnesia) marks.push(doc);
    const link = { doc, revoked: revoked.has(doc.signer), amnesiaSeq: doc.value.amnesia ? seq : (chain.links.at(-1)?.amnesiaSeq ?? 0) };
    chain.links.push(link);
    grown.push(link);
  }
  chain.waiting = [...seqs].filter(([seq]) => seq > chain.links.length).reduce((sum, [, row]) => sum + row.length, 0);
  return grown;
};
