/** What has to be fetched of a release, worked out from its pages. */
import { type Bytes, hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { decodeAs } from '../protocol/noun.ts';
import { type ChunkRef, type Entry, type FileRef, type Manifest, pageSchema } from '../protocol/nouns/release.ts';
import { checkTree } from '../protocol/path.ts';
import type { Target } from './tables.ts';

export const fileKey = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

/** Entries of all pages, checked over the whole tree against what the manifest promised. */
export const entriesOf = (manifest: Manifest, pages: Bytes[]): Entry[] => {
  const entries = pages.flatMap((page) => decodeAs(pageSchema, page, 'page').entries);
  const files = entries.filter((entry) => entry.kind !== 'more');
  const bytes = entries.reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0);
  if (files.length !== manifest.entries || bytes !== manifest.bytes)
    refuse(
      'bad-schema',
      `the pages hold ${files.length} entries of ${bytes} bytes, the manifest says ${manifest.entries} of ${manifest.bytes}`,
    );
  if (files.length > LIMITS.entries) refuse('too-large', `more than ${LIMITS.entries} entries`);
  checkTree(entries);
  return entries;
};

interface FileChunks {
  file: FileRef;
  bytes: number;
  chunks: ChunkRef[];
}

/** Each distinct file once, with all its chunks; a file whose chunks do not add up is refused. */
export const filesOf = (entries: Entry[]): FileChunks[] => {
  const out = new Map<string, FileChunks>();
  let open: FileChunks | null = null;
  for (const entry of entries) {
    if (entry.kind === 'file') {
      const file: FileRef = { hash: entry.hash, executable: entry.executable };
      open = out.has(fileKey(file)) ? null : { file, bytes: entry.bytes, chunks: [...entry.chunks] };
      if (open !== null) out.set(fileKey(file), open);
    } else if (entry.kind === 'more') open?.chunks.push(...entry.chunks);
    else open = null;
  }
  for (const { file, bytes, chunks } of out.values()) {
    const sum = chunks.reduce((total, [, length]) => total + length, 0);
    if (sum !== bytes) refuse('bad-schema', `the chunks of ${fileKey(file)} add up to ${sum} bytes, the entry says ${bytes}`);
  }
  return [...out.values()];
};

export const targetsOf = (files: FileChunks[], missing: FileRef[]): Target[] => {
  const wanted = new Set(missing.map(fileKey));
  return files
    .filter(({ file }) => wanted.has(fileKey(file)))
    .flatMap(({ file, bytes, chunks }) => {
      let offset = 0;
      return chunks.map((chunk) => {
        const target: Target = { file, bytes, offset, chunk };
        offset += chunk[1];
        return target;
      });
    });
};
