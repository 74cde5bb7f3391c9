/**
 * Entries into index pages. A page ends where the path of the next entry says so and not where it happens to be full,
 * so that a release with one more file shares most of its pages with the one before.
 */
import { type Bytes, concat, utf8 } from '../../runtime/protocol/bytes.ts';
import { encode } from '../../runtime/protocol/cbor.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Page, pageSchema } from '../../runtime/protocol/nouns/release.ts';

/** At most 40 bytes each, so three entries of this length fit into a page. */
const CHUNKS_PER_ENTRY = 512;
/** A page may end from here on ... */
const PAGE_FLOOR_BYTES = LIMITS.pageBytes / 2;
/** ... before an entry whose path hash has this many leading zero bits: on average every 32nd. */
const PAGE_END_BITS = 5;

/** A file with many chunks goes on in `more` entries, each of which fits into a page. */
export const splitLong = (entries: Entry[]): Entry[] =>
  entries.flatMap((entry): Entry[] => {
    if (entry.kind !== 'file' || entry.chunks.length <= CHUNKS_PER_ENTRY) return [entry];
    const parts: ChunkRef[][] = [];
    for (let at = 0; at < entry.chunks.length; at += CHUNKS_PER_ENTRY) parts.push(entry.chunks.slice(at, at + CHUNKS_PER_ENTRY));
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
  entry.kind !== 'more' && (crypto.sha256(concat(utf8('lichen.page.1\n'), utf8(entry.path)))[0] ?? 0) >> (8 - PAGE_END_BITS) === 0;

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
