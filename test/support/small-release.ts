/** A release of two files and a link, with one promise and one parameter: everything a board has to fetch of it. */
import { type Bytes, hex, utf8 } from '../../runtime/protocol/bytes.ts';
import { encodeAs, payloadOf, seal, sealMany } from '../../runtime/protocol/noun.ts';
import { type ChunkRef, type Entry, type Manifest, manifestNoun, pageSchema } from '../../runtime/protocol/nouns/release.ts';
import { type PublisherDoc, publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { keyOf, testCrypto } from './crypto.ts';
import { PUBLISHER, ROOTS } from './federation.ts';

const { sha256 } = testCrypto;

export interface SmallRelease {
  manifest: Manifest;
  /** Hash of the manifest's payload. */
  release: Bytes;
  /** Signed manifest. */
  document: Bytes;
  /** Pages and chunks by the hex of their hash. */
  content: Map<string, Bytes>;
  /** Hex of the chunks' hashes. */
  chunks: string[];
}

export const publisherDoc = (changes: Partial<PublisherDoc> = {}): PublisherDoc => ({
  ...{
    v: 1,
    version: 1,
    previous: null,
    name: 'Crustose Press',
    roots: ROOTS.map((name) => keyOf(name).publicKey),
    threshold: 2,
    revoked: [],
  },
  ...{ publisher: PUBLISHER, keys: [keyOf('release key').publicKey] },
  ...changes,
});

/** What follows on `doc`. */
export const nextPublisher = (doc: PublisherDoc, changes: Partial<PublisherDoc>): PublisherDoc => ({
  ...doc,
  ...{ version: doc.version + 1, previous: sha256(payloadOf(publisherNoun, doc)) },
  ...changes,
});

export const signedPublisher = (doc: PublisherDoc): Bytes => sealMany(publisherNoun, doc, ROOTS.map(keyOf));

const text = (name: string, bytes: number): Bytes => utf8(`${name} `.repeat(bytes).slice(0, bytes));

const fileOf = (path: string, pieces: Bytes[], executable = false): Entry => {
  const whole = Buffer.concat(pieces);
  const chunks = pieces.map((piece): ChunkRef => [sha256(piece), piece.length]);
  return { kind: 'file', path, executable, hash: sha256(whole), bytes: whole.length, chunks };
};

/** `tree` replaces the entries of its pages; `by` is who signs. */
export const smallRelease = (
  changes: Partial<Manifest> = {},
  { by = 'release key', tree = null as Entry[][] | null } = {},
): SmallRelease => {
  const pieces = [text(`#!/bin/${changes.recipe ?? 'echo'} one`, 5000), text('two', 300), text('three', 77)];
  const main = fileOf('bin/main', pieces.slice(0, 2), true);
  const pages = tree ?? [
    [{ kind: 'dir', path: 'bin' }, main],
    [fileOf('data', pieces.slice(2)), fileOf('empty', []), { kind: 'link', path: 'run', target: 'bin/main' }],
  ];
  const encoded = pages.map((entries) => encodeAs(pageSchema, { v: 1, entries }, 'page'));
  const manifest: Manifest = {
    ...{ v: 1, publisher: PUBLISHER, recipe: 'echo', label: '1.0', sequence: 1, arch: 'any', pages: encoded.map(sha256) },
    ...{
      entries: pages.flat().filter(({ kind }) => kind !== 'more').length,
      bytes: pages.flat().reduce((sum, entry) => sum + (entry.kind === 'file' ? entry.bytes : 0), 0),
    },
    ...{
      args: ['/bin/main', '--greet={{greeting}}'],
      env: { LANG: 'C' },
      engine: 'none',
      parameters: { greeting: 'hello', 'log-level': 'info' },
    },
    promises: [{ name: 'answers', probe: { kind: 'http', port: 8080, path: '/' }, intervalMs: 10_000, timeoutMs: 500, graceMs: 3000 }],
    ...{ demands: 'dev', limits: { memoryMib: 32, cpuMillis: 500, pids: 16, tmpMib: 8 } },
    ...changes,
  };
  return {
    manifest,
    release: sha256(payloadOf(manifestNoun, manifest)),
    document: seal(manifestNoun, manifest, keyOf(by)),
    content: new Map([...encoded, ...pieces].map((bytes) => [hex(sha256(bytes)), bytes])),
    chunks: pieces.map((piece) => hex(sha256(piece))),
  };
};
