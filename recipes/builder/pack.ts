/** Files into a signed release: chunks, pages, manifest. Whatever they are files of. */
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { type Bytes, compare, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { chunksOf, gearFrom } from '../../runtime/protocol/chunk.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { payloadOf, seal } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { checkManifest } from '../../runtime/protocol/soundness.ts';
import { unsigned } from '../../runtime/protocol/to-sign.ts';
import type { Bundle } from './bundle.ts';
import type { Item } from './items.ts';
import { pagesOf, splitLong } from './pages.ts';

const byPath = (a: { path: string }, b: { path: string }): number => compare(utf8(a.path), utf8(b.path));

/** Every directory on the way to an item, whether somebody named it or not. */
export const withParents = (items: Item[]): Item[] => {
  const all = new Map(items.map((item) => [item.path, item]));
  for (const { path } of items) {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      if (!all.has(parent)) all.set(parent, { kind: 'dir', path: parent });
    }
  }
  // Bytewise, so that a directory stands before what is in it, in every locale.
  return [...all.values()].sort(byPath);
};

export interface Packed {
  entries: Entry[];
  chunks: Map<string, Bytes>;
  bytes: number;
}

export const pack = (items: Item[]): Packed => {
  const gear = gearFrom(nodeCrypto);
  const chunks = new Map<string, Bytes>();
  let total = 0;
  const entries = items.map((item): Entry => {
    if (item.kind !== 'file') return item;
    const { path, executable, bytes } = item;
    total += bytes.length;
    const refs = chunksOf(bytes, gear).map((chunk): ChunkRef => {
      const hash = nodeCrypto.sha256(chunk);
      chunks.set(hex(hash), chunk);
      return [hash, chunk.length];
    });
    return { kind: 'file', path, executable, bytes: bytes.length, hash: nodeCrypto.sha256(bytes), chunks: refs };
  });
  if (total > LIMITS.releaseBytes) refuse('too-large', `the files have ${total} bytes together, a release at most ${LIMITS.releaseBytes}`);
  return { entries: splitLong(entries), chunks, bytes: total };
};

/** What a manifest says besides what follows from the files. Errors: `bad-release`, `bad-path`, `bad-schema`. */
export type About = Omit<Manifest, 'v' | 'pages' | 'entries' | 'bytes'>;

/** `signer` null: what is to be signed stands in the place of the manifest. */
export const bundleOf = ({ entries, chunks, bytes }: Packed, about: About, signer: Signer | null): Bundle => {
  const pages = pagesOf(nodeCrypto, entries).map((page) => ({ hash: nodeCrypto.sha256(page), page }));
  const manifest: Manifest = {
    v: 1,
    ...about,
    pages: pages.map(({ hash }) => hash),
    // A continuation is no entry of its own.
    entries: entries.filter(({ kind }) => kind !== 'more').length,
    bytes,
  };
  checkManifest(manifest);
  return {
    release: nodeCrypto.sha256(payloadOf(manifestNoun, manifest)),
    manifest: signer === null ? unsigned(manifestNoun, manifest) : seal(manifestNoun, manifest, signer),
    isSigned: signer !== null,
    pages: new Map(pages.map(({ hash, page }) => [hex(hash), page])),
    chunks,
  };
};
