/**
 * Entries into index pages. A page ends where the next entry says so and not where it happens to be full, so that a
 * release with one more file, or one more chunk in a long one, shares most of its pages with the one before.
 */
import { type Bytes, concat, utf8 } from '../../runtime/protocol/bytes.ts';
import { encode } from '../../runtime/protocol/cbor.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Page, pageSchema } from '../../runtime/protocol/nouns/release.ts';

/** At most 40 bytes each, so several entries of this length fit into a page. */
const CHUNKS_PER_ENTRY = 256;
/** An entry of a long file may end from here on, after a chunk whose hash says so: every 64th. */
const CHUNKS_FLOOR = 32;
const ENTRY_END_BITS = 6;
/** A page may end from here on: an edit costs one, so it is not to be larger than the chunk that it is about ... */
const PAGE_FLOOR_BYTES = 8 * 1024;
/** ... before an entry whose path hash has this many leading zero bits: on average every 32nd; in a long file before every other. */
const PAGE_END_BITS = 5;

const endsWith = (hash: Bytes, zeros: number): boolean => ((hash.at(-1) ?? 0) & ((1 << zeros) - 1)) === 0;

/** A file with many chunks goes on in `more` entries, each of which fits into a page. */
export const splitLong = (entries: Entry[]): Entry[] =>
  entries.flatMap((entry): Entry[] => {
    if (entry.kind !== 'file' || entry.chunks.length <= CHUNKS_PER_ENTRY) return [entry];
    const parts: ChunkRef[][] = [];
    for (let from = 0, at = 0; at < entry.chunks.length; at++) {
      const [hash] = entry.chunks[at] ?? [new Uint8Array()];
      const length = at + 1 - from;
      const isEnd = length === CHUNKS_PER_ENTRY || (length >= CHUNKS_FLOOR && endsWith(hash, ENTRY_END_BITS));
      if (!isEnd && at + 1 < entry.chunks.length) continue;
      parts.push(entry.chunks.slice(from, at + 1));
      from = at + 1;
    }
    const [first = [], ...others] = parts;
    return [{ ...entry, chunks: first }, ...others.map((chunks): Entry => ({ kind: 'more', path: entry.path, chunks }))];
  });

const pageOf = (entries: Entry[]): Bytes => {
  const page: Page = { v: 1, entries };
  return encodeAs(pageSchema, page, 'page');
};

/** Encoded size of what is not an entry; the array's head grows to three bytes. */
const OVERHEAD_BYTES = pageOf([]).length + 2;

const mayEndBefore = (crypto: Pick<Crypto, 'sha256'>, entry: Entry): boolean =>
  entry.kind === 'more'
    ? ((entry.chunks[0]?.[0][0] ?? 0) & 1) === 0
    : (crypto.sha256(concat(utf8('lichen.page.1\n'), utf8(entry.path)))[0] ?? 0) >> (8 - PAGE_END_BITS) === 0;

interface Sized {
  entry: Entry;
  /** Encoded. */
  bytes: number;
}

const cut = (crypto: Pick<Crypto, 'sha256'>, entries: Sized[], floorBytes: number): Entry[][] => {
  const pages: Entry[][] = [];
  let page: Entry[] = [];
  let total = OVERHEAD_BYTES;
  for (const { entry, bytes } of entries) {
    if (page.length > 0 && (total + bytes > LIMITS.pageBytes || (total >= floorBytes && mayEndBefore(crypto, entry)))) {
      pages.push(page);
      page = [];
      total = OVERHEAD_BYTES;
    }
    page.push(entry);
    total += bytes;
  }
  if (page.length > 0) pages.push(page);
  return pages;
};

/** Encoded pages, each within the limit, for entries that `splitLong` has seen. Error: `too-large`. */
export const pagesOf = (crypto: Pick<Crypto, 'sha256'>, entries: Entry[]): Bytes[] => {
  const sized = entries.map((entry): Sized => ({ entry, bytes: encode(entry).length }));
  let pages = cut(crypto, sized, PAGE_FLOOR_BYTES);
  // Full pages share less with the next release, but a release too big for pages with room must still fit.
  if (pages.length > LIMITS.pages) pages = cut(crypto, sized, LIMITS.pageBytes);
  if (pages.length > LIMITS.pages) refuse('too-large', `the index has ${pages.length} pages, at most ${LIMITS.pages} fit into a release`);
  return pages.map(pageOf);
};
