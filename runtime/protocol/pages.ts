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

const sumOf = (chunks: ChunkRef[]): number => chunks.reduce((sum, [, bytes]) => sum + bytes, 0);

const checkSums = (entries: Entry[]): void => {
  let open: { path: string; bytes: number; sum: number } | null = null;
  const close = (): void => {
    if (open !== null && open.sum !== open.bytes)
      refuse('bad-schema', `the chunks of ${open.path} add up to ${open.sum} bytes, the entry says ${open.bytes}`);
  };
  for (const entry of entries) {
    if (entry.kind === 'more') {
      if (open !== null) open.sum += sumOf(entry.chunks);
      continue;
    }
    close();
    open = entry.kind === 'file' ? { path: entry.path, bytes: entry.bytes, sum: sumOf(entry.chunks) } : null;
  }
  close();
};

/**
 * Entries of all pages in their order: the whole tree, checked, and held against what the manifest promised. Errors:
 * those of `openPage`.
 */
export const entriesOf = (manifest: Manifest, pages: Bytes[]): Entry[] => {
  const entries = pages.flatMap(entriesIn);
  const listed = entries.filter(({ kind }) => kind !== 'more').length;
  const bytes = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0);
  if (listed !== manifest.entries || bytes !== manifest.bytes)
    refuse('bad-schema', `the pages hold ${listed} entries of ${bytes} bytes, the manifest says ${manifest.entries} of ${manifest.bytes}`);
  checkTree(entries);
  checkSums(entries);
  return entries;
};
