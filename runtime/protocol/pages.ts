/** Index pages of a release: what one shows alone, and what only all of them show. Gateway and board ask the same. */
import { type Bytes, together } from './bytes.ts';
import { refuse } from './errors.ts';
import { LIMITS } from './limits.ts';
import { decodeAs } from './noun.ts';
import { type ChunkRef, type Entry, type Manifest, pageSchema } from './nouns/release.ts';
import { checkPath, checkTree } from './path.ts';

const entriesIn = (page: Bytes): Entry[] => {
  if (page.length > LIMITS.pageBytes) refuse('too-large', `an index page has at most ${LIMITS.pageBytes} bytes, this one ${page.length}`);
  return together(() => decodeAs(pageSchema, page, 'page').entries);
};

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

/** Not taken apart by a pattern, which makes objects for each of thousands before the code is optimised. */
const sumOf = (chunks: ChunkRef[]): number => chunks.reduce((sum, ref) => sum + ref[1], 0);

/** Holds the chunks of each file against its length, one entry after the other. */
class Sums {
  #open: { path: string; bytes: number; sum: number } | null = null;
  #wrong: string | null = null;

  take(entry: Entry): void {
    if (entry.kind === 'more') {
      if (this.#open !== null) this.#open.sum += sumOf(entry.chunks);
      return;
    }
    this.#close();
    this.#open = entry.kind === 'file' ? { path: entry.path, bytes: entry.bytes, sum: sumOf(entry.chunks) } : null;
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

const withoutChunks = (entry: Entry): Entry => (entry.kind === 'file' || entry.kind === 'more' ? { ...entry, chunks: [] } : entry);

/**
 * The whole tree of all pages in their order, checked, and held against what the manifest promised; without its chunks: `take` is given each
 * entry with them, and lets go of them. The chunks of a release of 200 MB take as many objects as a small board has no memory for, those
 * of a page do not. Errors: those of `openPage`; nothing that was taken counts then.
 */
export const treeOf = (manifest: Manifest, pages: Bytes[], take: (entry: Entry) => void): Entry[] => {
  const sums = new Sums();
  const tree: Entry[] = [];
  let [listed, bytes] = [0, 0];
  for (const page of pages) {
    for (const entry of entriesIn(page)) {
      if (entry.kind !== 'more') listed++;
      if (entry.kind === 'file') bytes += entry.bytes;
      sums.take(entry);
      take(entry);
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
  treeOf(manifest, pages, (entry) => entries.push(entry));
  return entries;
};
