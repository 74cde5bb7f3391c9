/**
 * What comes for the idle slot. Its root is written to where it belongs, which nothing starts; what goes to the boot partition is
 * collected beside the board's own data first, as that partition is written to for as short a time as can be. What the running
 * slot has as well is copied from it: it is cut as releases are, and its pieces are known by their hashes.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import type { ReadPiece } from '../../ports/neighbours.ts';
import { type Bytes, equal, hex } from '../../protocol/bytes.ts';
import { chunksOf, gearFrom } from '../../protocol/chunk.ts';
import { refuse } from '../../protocol/errors.ts';
import type { ImageFile } from '../../protocol/image.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Entry, FileRef, Jigsaw, Piece, Place } from '../../protocol/nouns/release.ts';
import { nodeCrypto } from '../crypto.ts';
import { openIfAny, readPiece } from '../files-gather.ts';
import { isUnreadable, readStretch, writeOver } from './bad-sectors.ts';

export interface Source {
  path: string;
  bytes: number;
}

export interface SlotPlaces {
  /** Its files, if it is what it should be. Error: `bad-release`. */
  filesOf(entries: Entry[]): ImageFile[];
  /** The file that is written to where it belongs, and whether that is a partition, which is longer. */
  main: string;
  mainPath: string;
  isPartition: boolean;
  /** What runs, to be looked through for what it has as well. */
  sources(): Promise<Source[]>;
  /** Files in which pieces of what runs may lie, and of what is started next. */
  held(): string[];
  /** For what goes elsewhere when all of it is there. */
  stagePath: string;
  /** What was written is read from where it lies, and not from memory. */
  forgetCached(): void;
}

export interface SlotContent {
  expect(entries: Entry[]): FileRef[];
  gather(files: Jigsaw[]): Promise<Place[]>;
  write(file: FileRef, offset: number, bytes: Bytes): Promise<void>;
  seal(file: FileRef, bytes: number): Promise<void>;
  read: ReadPiece;
  /** Whether all that was expected is sealed. */
  isWhole(): boolean;
  /** Name on the boot partition → where it is collected, and its hash. */
  staged(): { name: string; path: string; hash: Bytes }[];
  clear(): void;
}

const READ_BYTES = 256 * 1024;
/** What came is on the card after so many bytes at the latest. */
const SYNC_BYTES = 4 * 1024 * 1024;

const SUPER_AT = 1024;
/** So much of a partition says how long the file system in it is. */
export const HEAD_BYTES = 2 * SUPER_AT;
const EROFS = 0xe0f5e1e2;

/** How long the file system in a partition is (Linux, fs/erofs/erofs_fs.h); 0: it is no erofs. */
export const erofsBytes = (head: Bytes): number => {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < SUPER_AT + 40 || view.getUint32(SUPER_AT, true) !== EROFS) return 0;
  return view.getUint32(SUPER_AT + 36, true) * 2 ** view.getUint8(SUPER_AT + 12);
};

/**
 * The pieces of a file in their order, as a release of it would be cut. Behind what cannot be read, of which each try may take a card seconds,
 * it goes on at the next stretch: soon after that the pieces are those of the release again.
 */
async function* piecesOf(handle: FileHandle, bytes: number): AsyncGenerator<Bytes> {
  const gear = gearFrom(nodeCrypto);
  let rest: Bytes = new Uint8Array(0);
  for (let at = 0; at < bytes; ) {
    const wanted = Math.min(READ_BYTES, bytes - at);
    const { bytes: read, lost } = await readStretch(handle, at, wanted);
    if (read.length === 0 && !lost) break;
    at += lost ? wanted : read.length;
    const window = new Uint8Array(rest.length + read.length);
    window.set(rest);
    window.set(read, rest.length);
    const pieces = chunksOf(window, gear);
    // Where the last one ends is not known before more has been read.
    const last = at < bytes || lost ? pieces.pop() : undefined;
    rest = lost ? new Uint8Array(0) : (last ?? new Uint8Array(0));
    yield* pieces;
    await breathe();
  }
}

const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW } = constants;

const pieceIn = async (path: string, offset: number, chunk: Piece['chunk']): Promise<Bytes | null> => {
  const handle = await openIfAny(path, O_RDONLY);
  try {
    return handle === null ? null : await readPiece(handle, offset, chunk);
  } catch (thrown) {
    if (isUnreadable(thrown)) return null;
    throw thrown;
  } finally {
    await handle?.close();
  }
};

export const openSlotContent = (places: SlotPlaces): SlotContent => {
  const { filesOf, main, mainPath, isPartition, sources, held, stagePath, forgetCached } = places;
  /** Hex of a file's hash → where it is written to. */
  let targets = new Map<string, { path: string; hash: Bytes; bytes: number }>();
  let names = new Map<string, string>();
  const unsealed = new Set<string>();
  let unsynced = 0;
  /** Where a piece was found last: the next one mostly is of the same file. */
  let foundAt = mainPath;

  const openTarget = (path: string): Promise<FileHandle> =>
    open(path, path === mainPath && isPartition ? O_RDWR : O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);

  const withTargets = async <T>(work: (handleOf: (path: string) => Promise<FileHandle>) => Promise<T>): Promise<T> => {
    const handles = new Map<string, FileHandle>();
    try {
      return await work(async (path) => {
        const handle = handles.get(path) ?? (await openTarget(path));
        handles.set(path, handle);
        return handle;
      });
    } finally {
      for (const handle of handles.values()) await handle.close();
    }
  };

  const synced = async (handle: FileHandle, bytes: number): Promise<void> => {
    unsynced += bytes;
    if (unsynced < SYNC_BYTES) return;
    unsynced = 0;
    await handle.datasync();
  };

  type Wanted = Map<string, { file: FileRef; path: string; offset: number }[]>;

  /** Pieces that are not where they belong. */
  const wantedOf = (files: Jigsaw[]): Promise<Wanted> =>
    withTargets(async (handleOf) => {
      const wanted: Wanted = new Map();
      for (const { file, pieces } of files) {
        const target = targets.get(hex(file.hash)) ?? refuse('internal', 'a file that nobody expects');
        const handle = await handleOf(target.path);
        for (const { offset, chunk } of pieces) {
          if (equal(nodeCrypto.sha256((await readStretch(handle, offset, chunk[1])).bytes), chunk[0])) continue;
          const key = hex(chunk[0]);
          wanted.set(key, [...(wanted.get(key) ?? []), { file, path: target.path, offset }]);
        }
        await breathe();
      }
      return wanted;
    });

  const copyFrom = async ({ path, bytes }: Source, wanted: Wanted): Promise<void> => {
    const from = await open(path, O_RDONLY);
    try {
      await withTargets(async (handleOf) => {
        for await (const piece of piecesOf(from, bytes)) {
          const key = hex(nodeCrypto.sha256(piece));
          for (const { path: to, offset } of wanted.get(key) ?? []) {
            const handle = await handleOf(to);
            await writeOver(handle, piece, offset);
            await synced(handle, piece.length);
          }
          wanted.delete(key);
          if (wanted.size === 0) return;
        }
      });
    } finally {
      await from.close();
    }
  };

  const hashOf = async (handle: FileHandle, bytes: number): Promise<Bytes> => {
    const digest = createHash('sha256');
    for (let at = 0; at < bytes; ) {
      const { bytes: read } = await readStretch(handle, at, Math.min(READ_BYTES, bytes - at));
      if (read.length === 0) break;
      digest.update(read);
      at += read.length;
    }
    return new Uint8Array(digest.digest());
  };

  return {
    expect: (entries) => {
      const files = filesOf(entries);
      mkdirSync(stagePath, { recursive: true, mode: 0o700 });
      targets = new Map();
      names = new Map();
      unsealed.clear();
      for (const { path, hash, bytes } of files) {
        const key = hex(hash);
        if (path !== main) names.set(path.replace(/^boot\//, ''), key);
        targets.set(key, { path: path === main ? mainPath : join(stagePath, key), hash, bytes });
        unsealed.add(key);
      }
      for (const name of readdirSync(stagePath)) if (!targets.has(name)) rmSync(join(stagePath, name), { force: true });
      return files.map(({ hash, executable }) => ({ hash, executable }));
    },
    gather: async (files) => {
      const wanted = await wantedOf(files);
      for (const source of wanted.size > 0 ? await sources() : []) {
        await copyFrom(source, wanted);
        if (wanted.size === 0) break;
      }
      return [...wanted.values()].flat().map(({ file, offset }) => ({ file, offset }));
    },
    write: async (file, offset, bytes) => {
      const target = targets.get(hex(file.hash));
      // It was for another system, which is not wanted any more.
      if (target === undefined) return;
      if (offset + bytes.length > Math.min(target.bytes, LIMITS.releaseBytes))
        refuse('bad-schema', `byte ${offset + bytes.length} of ${target.bytes}`);
      const handle = await openTarget(target.path);
      try {
        await writeOver(handle, bytes, offset);
        await synced(handle, bytes.length);
      } finally {
        await handle.close();
      }
    },
    seal: async (file, bytes) => {
      const target = targets.get(hex(file.hash));
      if (target === undefined) return;
      const handle = await openTarget(target.path);
      try {
        if (target.path !== mainPath || !isPartition) await handle.truncate(bytes);
        await handle.sync();
        forgetCached();
        if (!equal(await hashOf(handle, bytes), target.hash))
          refuse('storage-broken', 'the card does not hold what was written to the idle slot');
      } finally {
        await handle.close();
      }
      unsealed.delete(hex(file.hash));
    },
    // Of what was armed nobody here knows which file has which hash. There are few, and a piece is told by its own.
    read: async ({ file, offset, chunk }) => {
      const target = targets.get(hex(file.hash));
      if (target !== undefined) return pieceIn(target.path, offset, chunk);
      const again = await pieceIn(foundAt, offset, chunk);
      if (again !== null) return again;
      for (const path of held()) {
        const found = path === foundAt ? null : await pieceIn(path, offset, chunk);
        if (found === null) continue;
        foundAt = path;
        return found;
      }
      return null;
    },
    isWhole: () => targets.size > 0 && unsealed.size === 0,
    staged: () =>
      [...names].map(([name, key]) => ({ name, path: join(stagePath, key), hash: targets.get(key)?.hash ?? new Uint8Array(0) })),
    clear: () => {
      targets = new Map();
      names = new Map();
      rmSync(stagePath, { recursive: true, force: true });
    },
  };
};
