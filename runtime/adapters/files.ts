/**
 * The files door on a directory. A file stands there once, named by its hash, and a release's root is a tree of hard
 * links to such files: no second copy, and the kernel counts for us which files are still in use.
 *
 *   files/<aa>/<hash>[x]   sealed, mode 0444, with `x` 0555: the mode belongs to the file and not to its name in a tree
 *   incoming/<hash>[x]     being written; believed by nobody before it is sealed. What of it is right is found out by the
 *                          hashes of its pieces, so it may be torn, and outlives whatever interrupts it
 *   roots/<release>/root   a planted tree; `planted` beside it says that it is whole
 *
 * Steps run one after the other, so that a seal sees every write that was asked for before it.
 */
import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Files, FilesEvent, FilesStep } from '../ports/files.ts';
import type { ReadPiece } from '../ports/neighbours.ts';
import { asLichenError, type LichenError, refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { diskError } from './disk.ts';
import { type ContentStore, openContent } from './files-content.ts';
import { openRoots, type Roots } from './files-roots.ts';

export interface FilesOptions {
  /** One board's own directory, on a file system that knows hard links. */
  path: string;
  /** Of its card, left free. Default: the limit. */
  reserveBytes?: number;
}

const MIB = 1024 * 1024;
const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;

/** Before a byte of it is fetched: what was fetched in vain wears the card and the link. Error: `storage-full`. */
const checkRoom = (path: string, reserveBytes: number, needed: number): void => {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  if (needed > 0 && free - needed < reserveBytes)
    refuse('storage-full', `${mib(needed)} are needed, ${mib(free)} are free, of which ${mib(reserveBytes)} stay so`);
};

interface Places {
  path: string;
  reserveBytes: number;
  content: ContentStore;
  roots: Roots;
}

const run = async (step: FilesStep, { path, reserveBytes, content, roots }: Places): Promise<FilesEvent> => {
  switch (step.kind) {
    case 'check':
      return { kind: 'checked', missing: await content.missing(step.files) };
    case 'gather':
      checkRoom(path, reserveBytes, content.lacking(step.files));
      return { kind: 'gathered', lacks: await content.gather(step.files) };
    case 'write':
      await content.write(step.file, step.offset, step.bytes);
      return { kind: 'written', file: step.file, offset: step.offset };
    case 'seal':
      await content.seal(step.file, step.bytes);
      return { kind: 'file-sealed', file: step.file };
    case 'plant':
      return { kind: 'planted', release: step.release, rootPath: await roots.plant(step.release, step.entries) };
    case 'sweep':
      await roots.keepOnly(step.keep);
      return { kind: 'swept', files: await content.sweep(step.awaited) };
  }
};

/** Throws `storage-full` or `storage-broken` when the directory cannot be used. */
export const openFiles = ({ path, reserveBytes = LIMITS.cardReserveBytes }: FilesOptions): Files & { read: ReadPiece } => {
  const places = { files: join(path, 'files'), incoming: join(path, 'incoming'), roots: join(path, 'roots') };
  try {
    // Workloads of an unprivileged engine walk through these to their root; what is below says who may read it.
    for (const directory of [path, places.roots]) mkdirSync(directory, { recursive: true, mode: 0o711 });
    for (const directory of [places.files, places.incoming]) mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw diskError(thrown);
  }
  const content = openContent(places.files, places.incoming);
  const roots = openRoots(places.roots, content);
  const refused = (step: FilesStep, error: LichenError): FilesEvent => ({ kind: 'files-refused', step, error });
  /** What an earlier life left half done; steps wait for it. A failure is met again, and told, by the step that minds. */
  let queue: Promise<unknown> = Promise.allSettled([roots.clearDrafts()]);
  return {
    read: content.read,
    perform: (step, answer) => {
      const done = queue
        .then(() => run(step, { path, reserveBytes, content, roots }))
        .catch((thrown: unknown) => refused(step, asLichenError(diskError(thrown))));
      queue = done;
      void done.then(answer);
    },
  };
};
