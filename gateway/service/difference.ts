/** What of one release a board that has another one whole still has to be sent, at most. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { openPage } from '../../runtime/protocol/pages.ts';
import { blobs, manifests } from '../core/tables.ts';
import type { Service, Work } from './events.ts';
import { plainOf } from './pieces.ts';

const pagesOf = (work: Work, release: string): Bytes[] =>
  manifests.get(work, release)?.doc.pages ?? refuse('not-found', `release ${release} is not known here; push it first`);

const chunksOf = (work: Work, service: Service, release: string): Map<string, number> => {
  const found = new Map<string, number>();
  for (const hash of pagesOf(work, release)) {
    const page = plainOf(work, service, hex(hash)) ?? refuse('missing-content', `a page of release ${release} is not here yet`);
    for (const entry of openPage(page)) if ('chunks' in entry) for (const [chunk, bytes] of entry.chunks) found.set(hex(chunk), bytes);
  }
  return found;
};

export interface Difference {
  pages: number;
  chunks: number;
  /** Of these, unpacked. */
  bytes: number;
  /** As they are held here, packed. */
  wireBytes: number;
}

/** `from`: what the board has; null: nothing. Errors: `not-found`, `missing-content`. */
export const differenceOf = (work: Work, service: Service, release: string, from: string | null): Difference => {
  const held = from === null ? new Map<string, number>() : chunksOf(work, service, from);
  const heldPages = new Set(from === null ? [] : pagesOf(work, from).map(hex));
  const pages = pagesOf(work, release)
    .map(hex)
    .filter((key) => !heldPages.has(key));
  const chunks = [...chunksOf(work, service, release)].filter(([key]) => !held.has(key));
  const wire = (key: string): number => blobs.get(work, key)?.length ?? 0;
  return {
    pages: pages.length,
    chunks: chunks.length,
    bytes: chunks.reduce((total, [, bytes]) => total + bytes, 0),
    wireBytes: [...pages, ...chunks.map(([key]) => key)].reduce((total, key) => total + wire(key), 0),
  };
};
