/** Sealed files and those on their way: one file for each hash and mode, written in pieces, believed when its hash is right. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, type Stats, unlinkSync } from 'node:fs';
import { constants, type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadPiece } from '../ports/neighbours.ts';
import { type Bytes, hex } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { FileRef, Jigsaw, Place } from '../protocol/nouns/release.ts';
import { pacer, syncPath } from './disk.ts';
import { gatherFile, openIfAny, readPiece, writeAt } from './files-gather.ts';

export interface ContentStore {
  missing(files: FileRef[]): Promise<FileRef[]>;
  /** Bytes that are still to be written of these, at most. */
  lacking(files: Jigsaw[]): number;
  gather(files: Jigsaw[]): Promise<Place[]>;
  write(file: FileRef, offset: number, bytes: Bytes): Promise<void>;
  seal(file: FileRef, bytes: number): Promise<void>;
  /** Path and size of a sealed file; `null` when it is not held. */
  held(file: FileRef): { path: string; bytes: number } | null;
  /** A piece of one, whole or on its way, if it lies there; for who is asked for it by others. */
  read: ReadPiece;
  /** Removes files that no root links to and nobody waits for, whole or on their way. Answers with their number. */
  sweep(awaited: FileRef[]): Promise<number>;
}

/** One buffer serves a whole file; hashed in one go, so it also bounds how long the loop stands still. */
const READ_BYTES = 128 * 1024;

/** In which stat(2) counts. */
const BLOCK_BYTES = 512;

/** What came is on the card after so many bytes at the latest: it is not fetched again after a power cut. */
const SYNC_BYTES = 1024 * 1024;

/** The file's name, from bytes of a fixed number: no name from outside ever reaches the disk. */
const nameOf = ({ hash, executable }: FileRef): string => {
  if (hash.length !== 32) refuse('bad-schema', `a hash has 32 bytes, not ${hash.length}`);
  return `${hex(hash)}${executable ? 'x' : ''}`;
};

const hashOf = async (handle: FileHandle): Promise<string> => {
  const digest = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (let at = 0; ; ) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) return digest.digest('hex');
    digest.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
};

export const openContent = (filesPath: string, incomingPath: string): ContentStore => {
  const shelfOf = (name: string): string => join(filesPath, name.slice(0, 2));
  const sealedPath = (name: string): string => join(shelfOf(name), name);
  const statOf = (name: string): Stats | undefined => lstatSync(sealedPath(name), { throwIfNoEntry: false });

  const unsynced = new Map<string, number>();

  /** Refuses unless the received bytes are those that were meant. Which of them are not is found out piece by piece. */
  const checkReceived = async (handle: FileHandle | null, name: string, bytes: number): Promise<void> => {
    const wanted = name.slice(0, 64);
    // What lies beyond was nobody's.
    if (handle !== null && (await handle.stat()).size > bytes) await handle.truncate(bytes);
    const size = handle === null ? 0 : (await handle.stat()).size;
    if (size !== bytes) refuse('missing-content', `the file ${wanted} has ${bytes} bytes, of which ${size} arrived`);
    const found = handle === null ? createHash('sha256').digest('hex') : await hashOf(handle);
    if (found !== wanted) refuse('missing-content', `what arrived as file ${wanted} has the hash ${found}`);
  };

  const seal = async (file: FileRef, bytes: number): Promise<void> => {
    const name = nameOf(file);
    const incoming = join(incomingPath, name);
    if (statOf(name) !== undefined) return rm(incoming, { force: true });
    const { O_RDWR, O_NOFOLLOW, O_CREAT } = constants;
    const handle = await openIfAny(incoming, O_RDWR | O_NOFOLLOW | (bytes === 0 ? O_CREAT : 0));
    try {
      await checkReceived(handle, name, bytes);
      await handle?.chmod(file.executable ? 0o555 : 0o444);
      await handle?.sync();
    } finally {
      unsynced.delete(name);
      await handle?.close();
    }
    if ((await mkdir(shelfOf(name), { recursive: true, mode: 0o700 })) !== undefined) await syncPath(filesPath);
    await rename(incoming, sealedPath(name));
    await syncPath(shelfOf(name));
  };

  const write = async (file: FileRef, offset: number, bytes: Bytes): Promise<void> => {
    const name = nameOf(file);
    if (!Number.isSafeInteger(offset) || offset < 0) refuse('bad-schema', `${offset} is no place in a file`);
    if (offset + bytes.length > LIMITS.releaseBytes)
      refuse('too-large', `byte ${offset + bytes.length} of a file, at most ${LIMITS.releaseBytes}`);
    // A chunk that comes twice must not begin the file anew after it was sealed.
    if (statOf(name) !== undefined) return;
    const { O_WRONLY, O_CREAT, O_NOFOLLOW } = constants;
    const handle = await open(join(incomingPath, name), O_WRONLY | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      await writeAt(handle, bytes, offset);
      const since = (unsynced.get(name) ?? 0) + bytes.length;
      unsynced.set(name, since % SYNC_BYTES);
      if (since >= SYNC_BYTES) await handle.datasync();
    } finally {
      await handle.close();
    }
  };

  const read: ReadPiece = async ({ file, offset, chunk }) => {
    const name = nameOf(file);
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const handle = (await openIfAny(sealedPath(name), flags)) ?? (await openIfAny(join(incomingPath, name), flags));
    try {
      return handle === null ? null : await readPiece(handle, offset, chunk);
    } finally {
      await handle?.close();
    }
  };

  const sweep = async (awaited: FileRef[]): Promise<number> => {
    const pace = pacer();
    const stays = new Set(awaited.map(nameOf));
    let removed = 0;
    for (const shelf of readdirSync(filesPath)) {
      for (const name of readdirSync(join(filesPath, shelf))) {
        const path = join(filesPath, shelf, name);
        if (lstatSync(path).nlink === 1 && !stays.has(name)) {
          unlinkSync(path);
          removed++;
        }
        await pace();
      }
    }
    for (const name of readdirSync(incomingPath)) {
      if (stays.has(name)) continue;
      unlinkSync(join(incomingPath, name));
      unsynced.delete(name);
      removed++;
    }
    return removed;
  };

  return {
    missing: async (files) => {
      const pace = pacer();
      const missing: FileRef[] = [];
      for (const file of files) {
        if (statOf(nameOf(file)) === undefined) missing.push(file);
        await pace();
      }
      return missing;
    },
    lacking: (files) =>
      files.reduce((total, { file, bytes }) => {
        // Blocks, as what has holes is not there yet.
        const begun = lstatSync(join(incomingPath, nameOf(file)), { throwIfNoEntry: false })?.blocks ?? 0;
        return total + Math.max(0, bytes - begun * BLOCK_BYTES);
      }, 0),
    gather: async (files) => {
      const lacks: Place[] = [];
      for (const jigsaw of files) {
        const name = nameOf(jigsaw.file);
        for (const place of await gatherFile(join(incomingPath, name), jigsaw, ({ file }) => sealedPath(nameOf(file)))) lacks.push(place);
      }
      return lacks;
    },
    write,
    seal,
    read,
    held: (file) => {
      const name = nameOf(file);
      const stat = statOf(name);
      return stat === undefined ? null : { path: sealedPath(name), bytes: stat.size };
    },
    sweep,
  };
};
