/** What stands behind an instance, once all that signed it was verified. */
import { checkDemands } from '../core/capacity.ts';
import { systemManifests } from '../core/system-tables.ts';
import { documents, instances, manifests } from '../core/tables.ts';
import { leaseToRun, releaseOf } from '../core/trial.ts';
import { openManifest, openPublisher } from '../core/trust.ts';
import { type Bytes, equal, hex } from '../protocol/bytes.ts';
import { asLichenError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { unsealMany } from '../protocol/noun.ts';
import type { Lease } from '../protocol/nouns/lease.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import { publisherNoun } from '../protocol/nouns/trust.ts';
import { checkManifest, checkRunnable } from '../protocol/soundness.ts';
import type { Board, Work } from './events.ts';
import { newestKnown } from './remember.ts';

const NONE = new Uint8Array();

/** A manifest as a lease, or a wish, names it with its publisher's version. `stands`: it was begun, whatever has become of its key since. */
export const openSigned = (
  work: Work,
  board: Board,
  named: Pick<Lease, 'release' | 'publisher'>,
  document: Bytes,
  stands: boolean,
): Manifest => {
  const versions = openPublisher(board.crypto, publisherChain(work, board, named.publisher).held);
  const newest = newestKnown(work, versions);
  return openManifest(board.crypto, named, versions, stands ? null : newest, document);
};

/** Its release was begun with. */
const stands = (work: Work, { lease, release }: Lease): boolean => equal(instances.get(work, lease)?.began ?? NONE, release);

/** The verified manifest of a lease's release, once its documents are held. Throws why it may not run. */
export const manifestFor = (work: Work, board: Board, lease: Lease): Manifest | null => {
  const known = manifests.get(work, lease.lease);
  if (known !== null) return known;
  const manifest = documents.get(work, hex(lease.release));
  const publisher = publisherChain(work, board, lease.publisher);
  if (manifest === null || publisher.missing !== null) return null;
  const opened = openSigned(work, board, lease, manifest, stands(work, lease));
  checkManifest(opened);
  checkRunnable(opened);
  checkDemands(board.offer, opened, lease);
  manifests.put(work, opened, lease.lease);
  return opened;
};

/** That of any lease of a release, or of the board's own system: one that may not run does not hide the others. */
export const manifestOf = (work: Work, board: Board, release: string): Manifest | null => {
  const system = systemManifests.get(work, release);
  if (system !== null) return system;
  for (const { value } of instances.all(work)) {
    if (hex(releaseOf(value)) !== release) continue;
    try {
      const found = manifestFor(work, board, leaseToRun(value));
      if (found !== null) return found;
    } catch (thrown) {
      if (asLichenError(thrown).code === 'internal') throw thrown;
    }
  }
  return null;
};

/** A publisher's versions as far as they are held, first one first, and the next that has to be asked for. */
export const publisherChain = (work: Work, board: Board, newest: Bytes): { held: Bytes[]; hashes: string[]; missing: Bytes | null } => {
  const held: Bytes[] = [];
  const hashes: string[] = [];
  let next: Bytes | null = newest;
  while (next !== null) {
    const document = documents.get(work, hex(next));
    if (document === null) return { held, hashes, missing: next };
    held.unshift(document);
    hashes.push(hex(next));
    next = unsealMany(board.crypto, publisherNoun, document, 2 * LIMITS.rootKeys).value.previous;
  }
  return { held, hashes, missing: null };
};

/**
 * A document's hash is that of its payload, so what carries another's signature may stand in its place. It is asked for
 * anew when the lease is next assigned, unless a lease was verified with it: what that runs needs it after a power cut.
 */
export const forgetUnverified = (work: Work, board: Board, lease: Lease): void => {
  if (manifestOf(work, board, hex(lease.release)) !== null) return;
  documents.remove(work, hex(lease.release));
  const verified = instances.all(work).filter(({ key, value: { opened } }) => opened || manifests.get(work, key) !== null);
  const kept = new Set(verified.flatMap(({ value }) => publisherChain(work, board, value.lease.publisher).hashes));
  for (let next: Bytes | null = lease.publisher; next !== null; ) {
    const document: Bytes | null = documents.get(work, hex(next));
    if (!kept.has(hex(next))) documents.remove(work, hex(next));
    next = document === null ? null : previousOf(board, document);
  }
};

const previousOf = (board: Board, document: Bytes): Bytes | null => {
  try {
    return unsealMany(board.crypto, publisherNoun, document, 2 * LIMITS.rootKeys).value.previous;
  } catch (thrown) {
    if (asLichenError(thrown).code === 'internal') throw thrown;
    return null;
  }
};
