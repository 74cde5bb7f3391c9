/**
 * A release on its way: the signed manifest, its index pages and its chunks. As a folder it is one file a piece, each
 * small enough to be pushed as one MQTT message, by any client, in any order and any number of times. A piece is packed
 * where that pays: once, here, for all links that it will ever cross.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { packZstd, unpackZstd } from '../../runtime/adapters/zstd.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { type Manifest, manifestNoun, pageSchema } from '../../runtime/protocol/nouns/release.ts';
import { contentIn } from '../../runtime/protocol/packing.ts';
import { toSign } from '../../runtime/protocol/to-sign.ts';

export interface Bundle {
  /** Hash of the manifest's payload: the release's identity. */
  release: Bytes;
  /** COSE_Sign1 of the manifest, or what is still to be signed. */
  manifest: Bytes;
  /** Without the word, it is. */
  isSigned?: boolean;
  /** What it is made of, as CycloneDX; of a release from before there was one, null. */
  sbom?: Bytes | null;
  /** Encoded index pages, by the hex of their hash. */
  pages: Map<string, Bytes>;
  /** By the hex of their hash. */
  chunks: Map<string, Bytes>;
}

/** Sorts before all others, so that pushing a folder in order of names says first what the rest belongs to. */
const MANIFEST_FILE = '000000-manifest.cose';
/** In its place while it is not signed. */
const UNSIGNED_FILE = '000000-manifest.tosign';
const MANIFESTS = new Set([MANIFEST_FILE, UNSIGNED_FILE]);
/** Beside what travels. */
const SBOM_FILE = 'sbom.cdx.json';
const PIECE = /^(page|chunk)-([0-9a-f]{64})$/;
const DRAFT = /\.draft$/;

const namesOf = (directory: string): string[] => {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return refuse('not-found', `there is no folder ${directory}`);
    throw error;
  }
};

const writePiece = (directory: string, name: string, bytes: Bytes): void => {
  const draft = join(directory, `${name}.draft`);
  const descriptor = openSync(draft, 'w');
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    if (MANIFESTS.has(name)) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, join(directory, name));
};

/**
 * Writes the pieces, the manifest last: where it stands the bundle is whole. Pieces of an earlier bundle that this one
 * lacks are removed. Error: `conflict` when the folder holds anything else, which would be pushed along with it.
 */
export const writeBundle = ({ manifest, isSigned = true, sbom = null, pages, chunks }: Bundle, directory: string): void => {
  mkdirSync(directory, { recursive: true });
  const present = namesOf(directory).filter((name) => !DRAFT.test(name));
  const stranger = present.find((name) => !MANIFESTS.has(name) && name !== SBOM_FILE && !PIECE.test(name));
  if (stranger !== undefined) refuse('conflict', `${directory} holds ${stranger}, which is no part of a bundle; name an empty folder`);
  const pieces = new Map<string, Bytes>();
  for (const [name, bytes] of chunks) pieces.set(`chunk-${name}`, bytes);
  for (const [name, bytes] of pages) pieces.set(`page-${name}`, bytes);
  for (const name of MANIFESTS) rmSync(join(directory, name), { force: true });
  const held = new Set(present);
  for (const name of namesOf(directory)) if (!pieces.has(name)) rmSync(join(directory, name));
  // A piece is named by its hash, but a crash may have torn what stands under that name.
  for (const [name, bytes] of pieces)
    if (!held.has(name) || readPiece(directory, name) === null) writePiece(directory, name, packZstd(bytes));
  if (sbom !== null) writePiece(directory, SBOM_FILE, sbom);
  writePiece(directory, isSigned ? MANIFEST_FILE : UNSIGNED_FILE, manifest);
};

const plain = ({ buffer, byteOffset, length }: Buffer): Bytes => new Uint8Array(buffer, byteOffset, length);

/** Null when the file is torn. */
const readPiece = (directory: string, name: string): Bytes | null => {
  const hash = Uint8Array.from(Buffer.from(PIECE.exec(name)?.[2] ?? '', 'hex'));
  return contentIn(
    nodeCrypto,
    unpackZstd,
    hash,
    plain(readFileSync(join(directory, name))),
    Math.max(LIMITS.pageBytes, LIMITS.chunkMaxBytes),
  );
};

/** Hashes of all chunks that the pages name, in the order of the tree. */
const chunksNamed = (pages: Bytes[]): Set<string> => {
  const named = new Set<string>();
  for (const page of pages) {
    for (const entry of decodeAs(pageSchema, page, 'page').entries) {
      if (entry.kind === 'file' || entry.kind === 'more') for (const [hash] of entry.chunks) named.add(hex(hash));
    }
  }
  return named;
};

/** Manifest of a bundle, its signature verified; whether that key may sign is not asked here. */
export const manifestOf = ({ manifest }: Pick<Bundle, 'manifest'>): Manifest => unseal(nodeCrypto, manifestNoun, manifest).value;

/** Of one that is not signed yet. */
export const unsignedManifestOf = ({ manifest }: Pick<Bundle, 'manifest'>): Manifest =>
  decodeAs(manifestNoun.schema, decodeAs(toSign, manifest, 'what is to be signed').payload, 'manifest');

/**
 * Reads what `writeBundle` wrote. Errors: `not-found`, `missing-content` for pieces that are absent or torn, and those
 * of a manifest that cannot be opened.
 */
export const readBundle = (directory: string): Bundle => {
  const names = new Set(namesOf(directory));
  if (!names.has(MANIFEST_FILE))
    refuse('not-found', `${directory} holds no ${MANIFEST_FILE}: it is no bundle, or was not written to its end`);
  const manifest = plain(readFileSync(join(directory, MANIFEST_FILE)));
  const { value, hash: release } = unseal(nodeCrypto, manifestNoun, manifest);
  const lost: string[] = [];
  const read = (kind: 'page' | 'chunk', hashes: Iterable<string>): Map<string, Bytes> => {
    const pieces = new Map<string, Bytes>();
    for (const hash of hashes) {
      const name = `${kind}-${hash}`;
      const bytes = names.has(name) ? readPiece(directory, name) : null;
      if (bytes !== null) pieces.set(hash, bytes);
      else lost.push(name);
    }
    return pieces;
  };
  const pages = read('page', value.pages.map(hex));
  const chunks = read('chunk', chunksNamed([...pages.values()]));
  if (lost.length > 0) {
    const shown = lost.slice(0, 4).join(', ');
    refuse('missing-content', `${directory} lacks ${lost.length} of its pieces, or they are torn: ${shown}${lost.length > 4 ? ', …' : ''}`);
  }
  const sbom = names.has(SBOM_FILE) ? plain(readFileSync(join(directory, SBOM_FILE))) : null;
  return { release, manifest, isSigned: true, sbom, pages, chunks };
};
