/** What has to be fetched of a release, worked out from its pages. */
import { hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import type { ChunkRef, Entry, FileRef } from '../protocol/nouns/release.ts';
import type { Target } from './tables.ts';

export const fileKey = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

interface FileChunks {
  file: FileRef;
  bytes: number;
  chunks: ChunkRef[];
}

/** Each distinct file once, with all its chunks. Error: `bad-schema` when one content is said to have two lengths. */
export const filesOf = (entries: Entry[]): FileChunks[] => {
  const out = new Map<string, FileChunks>();
  let open: FileChunks | null = null;
  for (const entry of entries) {
    if (entry.kind === 'file') {
      const file: FileRef = { hash: entry.hash, executable: entry.executable };
      const known = out.get(fileKey(file));
      if (known !== undefined && known.bytes !== entry.bytes)
        refuse('bad-schema', `${entry.path}: one content of ${known.bytes} and of ${entry.bytes} bytes`);
      open = known === undefined ? { file, bytes: entry.bytes, chunks: [...entry.chunks] } : null;
      if (open !== null) out.set(fileKey(file), open);
    } else if (entry.kind === 'more') open?.chunks.push(...entry.chunks);
    else open = null;
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
