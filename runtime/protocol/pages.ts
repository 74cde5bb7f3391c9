/** Index pages of a release: what one shows alone, and what only all of them show. Gateway and board ask the same. */
import { type Bytes, together } from './bytes.ts';
import { refuse } from './errors.ts';
import { LIMITS } from './limits.ts';
import { decodeAs } from './noun.ts';
import { type ChunkRef, type Entry, type EntryOf, type Manifest, pageSchema } from './nouns/release.ts';
import { checkPath, checkTree } from './path.ts';
import type { Schema } from './schema.ts';

/** Entries of a page, their chunks as `schema` has them. Errors: `too-large`, `bad-cbor`, `bad-schema`. */
export const readPage = <Chunk>(schema: Schema<{ entries: EntryOf<Chunk>[] }>, page: Bytes): EntryOf<Chunk>[] => {
  if (page.length > LIMITS.pageBytes) refuse('too-large', `an index page has at most ${LIMITS.pageBytes} bytes, this one ${page.length}`);
  return decodeAs(schema, page, 'page').entries;
};

const entriesIn = (page: Bytes): Entry[] => together(() => readPage(pageSchema, page));

const parentOf = (path: string): string => path.split('/').slice(0, -1).join('/');

/** Directories that a page relies on without listing them, outer ones first. */
const reliedOn = (entries: Entry[]): Entry[] => {
  const listed = new Set(entries.map(({ path }) => path));
  const found = new Set<string>();
  for (const { path } of entries) {
    for (let at = parentOf(path); at !== '' && !listed.has(at); at = parentOf(at)) found.add(at);
  }
  return [...found].sort((a, b) => a.length - b.length).map((path): Entry => ({ kind: 'dir', path }));
};

/**
 * The entries of one page, as strictly as it can be taken alone: the directories that it does not list are assumed, and
 * it may begin within a file. Errors: `too-large`, `bad-cbor`, `bad-schema`, `bad-path`.
 */
export const openPage = (page: Bytes): Entry[] => {
  const entries = entriesIn(page);
  for (const { path } of entries) checkPath(path);
  const whole = entries.slice(entries.findIndex(({ kind }) => kind !== 'more'));
  if (whole[0] !== undefined && whole[0].kind !== 'more') checkTree([...reliedOn(whole), ...whole]);
  return entries;
};

/** Holds the chunks of each file against its length, one entry after the other. */
class Sums<Chunk> {
  readonly #lengthOf: (chunk: Chunk) => number;
  #open: { path: string; bytes: number; sum: number } | null = null;
  #wrong: string | null = null;

  constructor(lengthOf: (chunk: Chunk) => number) {
    this.#lengthOf = lengthOf;
  }

  take(entry: EntryOf<Chunk>): void {
    if (entry.kind === 'more') {
      if (this.#open !== null) this.#open.sum += this.#sumOf(entry.chunks);
      return;
    }
    this.#close();
    this.#open = entry.kind === 'file' ? { path: entry.path, bytes: entry.bytes, sum: this.#sumOf(entry.chunks) } : null;
  }

  #sumOf(chunks: Chunk[]): number {
    return chunks.reduce((sum, chunk) => sum + this.#lengthOf(chunk), 0);
  }

  #close(): void {
    if (this.#open === null || this.#wrong !== null) return;
    const { path, bytes, sum } = this.#open;
    if (sum !== bytes) this.#wrong = `the chunks of ${path} add up to ${sum} bytes, the entry says ${bytes}`;
  }

  check(): void {
    this.#close();
    if (this.#wrong !== null) refuse('bad-schema', this.#wrong);
  }
}

const withoutChunks = <Chunk>(entry: EntryOf<Chunk>): Entry =>
  entry.kind === 'file' || entry.kind === 'more' ? { ...entry, chunks: [] } : entry;

/** What becomes of a release's chunks, of which one of 200 MB has more than a small board has memory for as objects, is up to who reads. */
export interface Reader<Chunk> {
  /** Of one page after the other; the entries of each are taken, in order, before the next is read. */
  entriesIn(page: Bytes): EntryOf<Chunk>[];
  lengthOf(chunk: Chunk): number;
  take(entry: EntryOf<Chunk>): void;
}

/**
 * The whole tree of all pages in their order, without its chunks, checked, and held against what the manifest promised. Errors: those of
 * `openPage`; nothing that was taken counts then.
 */
export const treeOf = <Chunk>(manifest: Manifest, pages: Bytes[], reader: Reader<Chunk>): Entry[] => {
  const sums = new Sums<Chunk>((chunk) => reader.lengthOf(chunk));
  const tree: Entry[] = [];
  let [listed, bytes] = [0, 0];
  for (const page of pages) {
    for (const entry of reader.entriesIn(page)) {
      if (entry.kind !== 'more') listed++;
      if (entry.kind === 'file') bytes += entry.bytes;
      sums.take(entry);
      reader.take(entry);
      tree.push(withoutChunks(entry));
    }
  }
  if (listed !== manifest.entries || bytes !== manifest.bytes)
    refuse('bad-schema', `the pages hold ${listed} entries of ${bytes} bytes, the manifest says ${manifest.entries} of ${manifest.bytes}`);
  checkTree(tree);
  sums.check();
  return tree;
};

/** All entries of all pages, checked as by `treeOf`, with their chunks. */
export const entriesOf = (manifest: Manifest, pages: Bytes[]): Entry[] => {
  const entries: Entry[] = [];
  treeOf<ChunkRef>(manifest, pages, { entriesIn, lengthOf: (ref) => ref[1], take: (entry) => entries.push(entry) });
  return entries;
};
