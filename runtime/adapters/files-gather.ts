/** What of a file is here before anything of it is fetched: pieces that came in another life, and such as held files have too. */
import { constants, type FileHandle, open } from 'node:fs/promises';
import { type Bytes, equal } from '../protocol/bytes.ts';
import type { Jigsaw, Piece, Place } from '../protocol/nouns/release.ts';
import { nodeCrypto } from './crypto.ts';
import { codeOf } from './disk.ts';

export const openIfAny = async (path: string, flags: number): Promise<FileHandle | null> => {
  try {
    return await open(path, flags);
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return null;
    throw thrown;
  }
};

export const writeAt = async (handle: FileHandle, bytes: Bytes, offset: number): Promise<void> => {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
};

/** The piece, when it lies there. */
export const readPiece = async (handle: FileHandle, offset: number, [hash, length]: Piece['chunk']): Promise<Bytes | null> => {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  return bytesRead === length && equal(nodeCrypto.sha256(bytes), hash) ? bytes : null;
};

/** Pieces of one file mostly come from one other, so that one stays open. */
class HeldFiles {
  readonly #pathOf: (place: Place) => string;
  #path = '';
  #handle: FileHandle | null = null;

  constructor(pathOf: (place: Place) => string) {
    this.#pathOf = pathOf;
  }

  async read(place: Place, chunk: Piece['chunk']): Promise<Bytes | null> {
    const path = this.#pathOf(place);
    if (path !== this.#path) {
      await this.close();
      this.#handle = await openIfAny(path, constants.O_RDONLY | constants.O_NOFOLLOW);
      this.#path = path;
    }
    return this.#handle === null ? null : await readPiece(this.#handle, place.offset, chunk);
  }

  async close(): Promise<void> {
    await this.#handle?.close();
    this.#handle = null;
    this.#path = '';
  }
}

const isHere = async (handle: FileHandle, { offset, chunk }: Piece, size: number): Promise<boolean> =>
  offset + chunk[1] <= size && (await readPiece(handle, offset, chunk)) !== null;

/** Puts together what it can, in the file that is being received. Answers with the places of what has to be fetched. */
export const gatherFile = async (incoming: string, { file, bytes, pieces }: Jigsaw, pathOf: (place: Place) => string): Promise<Place[]> => {
  const flags = constants.O_RDWR | constants.O_NOFOLLOW;
  const held = new HeldFiles(pathOf);
  let handle = await openIfAny(incoming, flags);
  const lacks: Place[] = [];
  try {
    const size = handle === null ? 0 : (await handle.stat()).size;
    if (size > bytes) await handle?.truncate(bytes);
    // The chunk of a piece is made when it is asked for: of one that is nowhere here it is not.
    for (const piece of pieces) {
      const { offset, from } = piece;
      if (handle !== null && offset < size && (await isHere(handle, piece, size))) continue;
      const found = from === null ? null : await held.read(from, piece.chunk);
      if (found === null) {
        lacks.push({ file, offset });
        continue;
      }
      handle ??= await open(incoming, flags | constants.O_CREAT, 0o600);
      await writeAt(handle, found, offset);
    }
  } finally {
    await held.close();
    await handle?.close();
  }
  return lacks;
};
