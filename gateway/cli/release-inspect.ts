/**
 * What is in a release, from the folder in which it lies, before anybody asks for it: who signed it, what it may do, every
 * file, whether it is whole, and what a board would fetch of it. Nothing of it is believed that is not looked at.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import { type Bytes, equal, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { contentIn } from '../../runtime/protocol/packing.ts';
import { entriesOf } from '../../runtime/protocol/pages.ts';
import { programsOf } from '../../runtime/protocol/program.ts';
import { parse } from '../../runtime/protocol/schema.ts';
import { checkManifest } from '../../runtime/protocol/soundness.ts';
import { openTrust, readAs } from './documents.ts';
import { isFile, MANIFEST_FILE } from './release-push.ts';

const SBOM_FILE = 'sbom.cdx.json';
const PIECE_MAX = Math.max(LIMITS.pageBytes, LIMITS.chunkMaxBytes);

/** `bytes`: as it lies there, and travels; `plain`: what is in it. Null: absent, or torn. */
const pieceIn = (directory: string, kind: 'page' | 'chunk', hash: string): { bytes: number; plain: Bytes } | null => {
  const path = join(directory, `${kind}-${hash}`);
  if (!isFile(path)) return null;
  const came = new Uint8Array(readFileSync(path));
  const plain = came.length > PIECE_MAX ? null : contentIn(nodeCrypto, unpackZstd, fromHex(hash), came, PIECE_MAX);
  return plain === null ? null : { bytes: came.length, plain };
};

interface Opened {
  manifest: Manifest;
  release: Bytes;
  signer: Bytes;
  entries: Entry[];
}

/** Errors: `not-found`, `missing-content` without its index, and all for which a gateway or a board would refuse it. */
const openFolder = (directory: string): Opened => {
  const path = join(directory, MANIFEST_FILE);
  if (!isFile(path)) refuse('not-found', `${directory} holds no ${MANIFEST_FILE}; \`lichen release build\` writes one`);
  const { value, hash, signer } = unseal(nodeCrypto, manifestNoun, new Uint8Array(readFileSync(path)));
  checkManifest(value);
  const pages = value.pages.map(
    (page) =>
      pieceIn(directory, 'page', hex(page))?.plain ?? refuse('missing-content', `${directory} lacks page ${hex(page)}, or it is torn`),
  );
  const entries = entriesOf(value, pages);
  programsOf(value, entries);
  return { manifest: value, release: hash, signer, entries };
};

export interface FileRow {
  path: string;
  kind: 'dir' | 'file' | 'link';
  bytes: number;
  executable: boolean;
  /** Of a link: where it leads; of a file: its SHA-256. */
  is: string;
}

/** A file's chunks, also those of its continuations. */
const filesOf = (entries: Entry[]): { row: FileRow; chunks: ChunkRef[] }[] => {
  const files: { row: FileRow; chunks: ChunkRef[] }[] = [];
  for (const entry of entries) {
    const { path } = entry;
    if (entry.kind === 'more') files.at(-1)?.chunks.push(...entry.chunks);
    else if (entry.kind === 'dir') files.push({ row: { path, kind: 'dir', bytes: 0, executable: false, is: '' }, chunks: [] });
    else if (entry.kind === 'link') files.push({ row: { path, kind: 'link', bytes: 0, executable: false, is: entry.target }, chunks: [] });
    else {
      const { bytes, executable, hash } = entry;
      files.push({ row: { path, kind: 'file', bytes, executable, is: hex(hash) }, chunks: [...entry.chunks] });
    }
  }
  return files;
};

/** Whose key it is, by a document of the publisher: it may sign, it may not any more, or it is a stranger's. */
const standingOf = ({ manifest, signer }: Opened, path: string | undefined): 'listed' | 'revoked' | 'unlisted' | 'unknown' => {
  if (path === undefined) return 'unknown';
  const { value } = readAs(publisherNoun, path, openTrust);
  if (value.publisher !== manifest.publisher)
    refuse('wrong-publisher', `${path} is of publisher ${value.publisher}, the release of ${manifest.publisher}`);
  if (value.revoked.some((key) => equal(key, signer))) return 'revoked';
  return value.keys.some((key) => equal(key, signer)) ? 'listed' : 'unlisted';
};

export interface Inspection {
  release: string;
  manifest: Manifest;
  key: string;
  keyIs: ReturnType<typeof standingOf>;
  pages: number;
  chunks: number;
  /** Of all pieces, as they travel. */
  wireBytes: number;
  /** What it is made of, beside it: whether that is what its publisher signed, and the packages in it; null: none was signed. */
  sbom: { is: 'signed' | 'another' | 'absent'; packages: string[] } | null;
  /** Pieces that are absent or torn. */
  missing: string[];
  /** Files whose chunks make something else than they say. */
  wrong: string[];
  /** What a board fetches that has the other release; null: none was named. */
  update: { pages: number; chunks: number; wireBytes: number } | null;
  files: FileRow[];
}

const bomSchema = v.object({ components: v.array(v.object({ purl: v.optional(v.string()) })) });

const sbomIn = (directory: string, { sbom }: Manifest): Inspection['sbom'] => {
  const path = join(directory, SBOM_FILE);
  if (sbom === undefined) return null;
  if (!isFile(path)) return { is: 'absent', packages: [] };
  const bytes = new Uint8Array(readFileSync(path));
  if (!equal(nodeCrypto.sha256(bytes), sbom)) return { is: 'another', packages: [] };
  const { components } = parse(bomSchema, JSON.parse(new TextDecoder().decode(bytes)), SBOM_FILE);
  return { is: 'signed', packages: components.flatMap(({ purl }) => purl ?? []) };
};

const piecesOf = ({ manifest, entries }: Opened): Map<string, 'page' | 'chunk'> =>
  new Map([
    ...manifest.pages.map((page): [string, 'page'] => [hex(page), 'page']),
    ...filesOf(entries).flatMap(({ chunks }) => chunks.map(([hash]): [string, 'chunk'] => [hex(hash), 'chunk'])),
  ]);

export const inspect = (directory: string, publisherPath?: string, againstPath?: string): Inspection => {
  const opened = openFolder(directory);
  const pieces = piecesOf(opened);
  const before = againstPath === undefined ? null : piecesOf(openFolder(againstPath));
  const sizes = new Map([...pieces].map(([hash, kind]) => [hash, pieceIn(directory, kind, hash)?.bytes ?? null]));
  const files = filesOf(opened.entries);
  const wrong = files.flatMap(({ row, chunks }) => {
    const found = chunks.map(([hash]) => pieceIn(directory, 'chunk', hex(hash))?.plain ?? null);
    if (row.kind !== 'file' || found.includes(null)) return [];
    const digest = createHash('sha256');
    for (const bytes of found) digest.update(bytes ?? new Uint8Array());
    return digest.digest('hex') === row.is ? [] : [row.path];
  });
  const sum = (of: string[]): { pages: number; chunks: number; wireBytes: number } => ({
    pages: of.filter((hash) => pieces.get(hash) === 'page').length,
    chunks: of.filter((hash) => pieces.get(hash) === 'chunk').length,
    wireBytes: of.reduce((total, hash) => total + (sizes.get(hash) ?? 0), 0),
  });
  const all = [...pieces.keys()];
  return {
    ...{ release: hex(opened.release), manifest: opened.manifest, key: hex(opened.signer), keyIs: standingOf(opened, publisherPath) },
    ...sum(all),
    sbom: sbomIn(directory, opened.manifest),
    missing: all.filter((hash) => sizes.get(hash) === null),
    wrong,
    update: before === null ? null : sum(all.filter((hash) => !before.has(hash))),
    files: files.map(({ row }) => row),
  };
};
