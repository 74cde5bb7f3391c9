/**
 * A release on its way to a gateway: the manifest says what it consists of, each answer says what is missing, and
 * only that is sent. The gateway's own store is the memory of how far a push came, so a rerun resumes it.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { unpackZstd } from '../../runtime/adapters/zstd.ts';
import { type Bytes, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { unseal } from '../../runtime/protocol/noun.ts';
import { manifestNoun } from '../../runtime/protocol/nouns/release.ts';
import { publisherNoun } from '../../runtime/protocol/nouns/trust.ts';
import { contentIn } from '../../runtime/protocol/packing.ts';
import { openTrust, readAs } from './documents.ts';
import type { Pusher } from './push.ts';

/** As the builder names it: it is written last, so where it stands the folder is whole. */
export const MANIFEST_FILE = '000000-manifest.cose';
/** Pieces on their way at once: enough that the gateway can commit several in one turn. */
const WINDOW = 8;

export interface Release {
  directory: string;
  hash: string;
  recipe: string;
  sequence: number;
  manifest: Bytes;
}

/** What else may lie under that name, such as a folder, is none. */
export const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Errors: `not-found`, and those of a manifest that cannot be opened. */
export const readRelease = (directory: string): Release => {
  const path = join(directory, MANIFEST_FILE);
  if (!isFile(path)) refuse('not-found', `${directory} holds no ${MANIFEST_FILE}; \`lichen release build\` writes one`);
  const { value, hash, bytes } = readAs(manifestNoun, path, unseal);
  return { directory, hash: hex(hash), recipe: value.recipe, sequence: value.sequence, manifest: bytes };
};

const PIECE_MAX = Math.max(LIMITS.pageBytes, LIMITS.chunkMaxBytes);

/** As it lies there, packed or not. Error: `missing-content` for a piece that is absent or torn. */
export const readPiece = ({ directory }: Pick<Release, 'directory'>, hash: string): Bytes => {
  const path = [`page-${hash}`, `chunk-${hash}`].map((name) => join(directory, name)).find(isFile);
  if (path === undefined) return refuse('missing-content', `${directory} holds no piece ${hash}; build the release again`);
  const bytes = new Uint8Array(readFileSync(path));
  const isWhole = bytes.length <= PIECE_MAX && contentIn(nodeCrypto, unpackZstd, fromHex(hash), bytes, PIECE_MAX) !== null;
  return isWhole ? bytes : refuse('missing-content', `${path} is not what its name says; build the release again`);
};

/** A publisher's document that the gateway has a newer version of is no reason to stop. */
export const pushPublisher = async (pusher: Pusher, path: string, note: (text: string) => void): Promise<void> => {
  const { value, bytes } = readAs(publisherNoun, path, openTrust);
  try {
    await pusher.push(bytes);
  } catch (thrown) {
    if (!(thrown instanceof LichenError) || thrown.code !== 'stale') throw thrown;
    note(`publisher ${value.name}: ${thrown.detail}`);
  }
};

/** Sends what is missing, and what turns out to be missing by that. */
const sendAll = async (pusher: Pusher, release: Release, missing: string[], sent: (bytes: Bytes) => void): Promise<void> => {
  const known = new Set(missing);
  const queue = [...known];
  const send = async (hash: string): Promise<void> => {
    const bytes = readPiece(release, hash);
    for (const more of await pusher.push(bytes)) {
      if (known.has(more)) continue;
      known.add(more);
      queue.push(more);
    }
    sent(bytes);
  };
  // Round by round: a worker that finds nothing to do is not needed in this one, and the next begins with all of them.
  for (let round = queue.splice(0); round.length > 0; round = queue.splice(0)) {
    const worker = async (): Promise<void> => {
      try {
        for (let hash = round.pop(); hash !== undefined; hash = round.pop()) await send(hash);
      } catch (thrown) {
        round.length = 0; // the others stop as well
        throw thrown;
      }
    };
    await Promise.all(Array.from({ length: Math.min(WINDOW, round.length) }, worker));
  }
};

/**
 * An answer names a limited number of pieces, so the manifest is pushed until nothing is missing. Errors: what the
 * gateway refuses with; `conflict` when it goes on asking for what it has been given.
 */
export const pushRelease = async (
  pusher: Pusher,
  release: Release,
  shown: (pieces: number) => void,
): Promise<{ pieces: number; bytes: number }> => {
  let pieces = 0;
  let bytes = 0;
  let asked = '';
  for (;;) {
    const missing = await pusher.push(release.manifest);
    if (missing.length === 0) return { pieces, bytes };
    if (missing.join() === asked) refuse('conflict', `${pusher.to} still asks for ${missing.length} pieces after all of them were pushed`);
    asked = missing.join();
    await sendAll(pusher, release, missing, (piece) => {
      pieces += 1;
      bytes += piece.length;
      shown(pieces);
    });
  }
};
