/**
 * The board's files on a virtual card: checked as strictly as the real ones, kept by reference. Of what was written but
 * not sealed, a power cut takes what had not been synced; what rotted is found the next time somebody looks.
 */
import type { Files, FilesEvent, FilesStep } from '../../runtime/ports/files.ts';
import { type Bytes, concat, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { NeighbourPiece } from '../../runtime/protocol/nouns/neighbours.ts';
import type { ChunkRef, Entry, FileRef, Place } from '../../runtime/protocol/nouns/release.ts';
import type { Card } from '../hardware/card.ts';

const nameOf = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

/** As the real store does it. */
const SYNC_BYTES = 1024 * 1024;

/** A file that is being received: offset → a piece, or one copied from a file that was held and right. */
interface Incoming {
  pieces: Map<number, Bytes | ChunkRef>;
  /** Offsets of those that a power cut takes. */
  unsynced: Map<number, number>;
}

/** What lies on the card. */
export class FileShelf {
  readonly sealed = new Map<string, { bytes: number; isRotten: boolean }>();
  readonly incoming = new Map<string, Incoming>();
  /** Release → names of its files. */
  readonly roots = new Map<string, string[]>();
  readonly sha256: Crypto['sha256'];

  constructor(sha256: Crypto['sha256']) {
    this.sha256 = sha256;
  }

  copy(): FileShelf {
    const shelf = new FileShelf(this.sha256);
    for (const [name, file] of this.sealed) shelf.sealed.set(name, { ...file });
    for (const [release, names] of this.roots) shelf.roots.set(release, names);
    for (const [name, { pieces }] of this.incoming) shelf.incoming.set(name, { pieces: new Map(pieces), unsynced: new Map() });
    return shelf;
  }

  /** Whether a piece lies in a file that is whole, or on its way. */
  holds({ file, offset, chunk: [hash] }: NeighbourPiece): boolean {
    const name = nameOf(file);
    const whole = this.sealed.get(name);
    if (whole !== undefined) return !whole.isRotten;
    const came = this.incoming.get(name)?.pieces.get(offset);
    return came !== undefined && equal(came instanceof Uint8Array ? this.sha256(came) : came[0], hash);
  }

  /** The power goes. */
  cut(): void {
    for (const { pieces, unsynced } of this.incoming.values()) {
      for (const offset of unsynced.keys()) pieces.delete(offset);
      unsynced.clear();
    }
  }
}

export interface FilesDoor {
  crypto: Crypto;
  shelf: FileShelf;
  card: Card;
  later(ms: number, call: () => void): void;
  /** Called before anything is written; false: the power goes now. */
  writes(): boolean;
  /** A piece was written, by the hex of its hash. */
  placed(piece: string): void;
}

const namesIn = (entries: Entry[]): string[] => entries.flatMap((entry) => (entry.kind === 'file' ? [nameOf(entry)] : []));

export const openVirtualFiles = (door: FilesDoor): Files => {
  const { crypto, shelf, card } = door;
  const incomingOf = (name: string): Incoming => {
    const found = shelf.incoming.get(name) ?? { pieces: new Map(), unsynced: new Map() };
    shelf.incoming.set(name, found);
    return found;
  };

  const write = (step: Extract<FilesStep, { kind: 'write' }>): FilesEvent => {
    const { pieces, unsynced } = incomingOf(nameOf(step.file));
    pieces.set(step.offset, step.bytes);
    door.placed(hex(crypto.sha256(step.bytes)));
    unsynced.set(step.offset, step.bytes.length);
    if ([...unsynced.values()].reduce((sum, bytes) => sum + bytes, 0) >= SYNC_BYTES) unsynced.clear();
    return { kind: 'written', file: step.file, offset: step.offset };
  };

  const isHere = (came: Bytes | ChunkRef | undefined, [hash]: ChunkRef): boolean =>
    came !== undefined && equal(came instanceof Uint8Array ? crypto.sha256(came) : came[0], hash);

  const gather = (step: Extract<FilesStep, { kind: 'gather' }>): FilesEvent => {
    const lacks = step.files.flatMap(({ file, pieces }) => {
      const incoming = shelf.incoming.get(nameOf(file));
      return [...pieces].flatMap(({ offset, chunk, from }): Place[] => {
        if (isHere(incoming?.pieces.get(offset), chunk)) return [];
        // What a place holds is not known here: that the index was right about it is the file's own hash to say.
        const isHeld = from !== null && shelf.sealed.get(nameOf(from.file))?.isRotten === false;
        if (!isHeld) return [{ file, offset }];
        incomingOf(nameOf(file)).pieces.set(offset, chunk);
        return [];
      });
    });
    return { kind: 'gathered', lacks };
  };

  const isRight = (pieces: (Bytes | ChunkRef)[], { file, bytes }: Extract<FilesStep, { kind: 'seal' }>): boolean => {
    const plain = pieces.flatMap((piece) => (piece instanceof Uint8Array ? [piece] : []));
    const length = pieces.reduce((sum, piece) => sum + (piece instanceof Uint8Array ? piece.length : piece[1]), 0);
    return length === bytes && (plain.length < pieces.length || equal(crypto.sha256(concat(...plain)), file.hash));
  };

  const seal = (step: Extract<FilesStep, { kind: 'seal' }>): FilesEvent => {
    const name = nameOf(step.file);
    const pieces = [...(shelf.incoming.get(name)?.pieces ?? [])].sort(([a], [b]) => a - b).map(([, piece]) => piece);
    if (!isRight(pieces, step))
      return { kind: 'files-refused', step, error: new LichenError('missing-content', 'the file is not what its name says') };
    shelf.incoming.delete(name);
    shelf.sealed.set(name, { bytes: step.bytes, isRotten: false });
    return { kind: 'file-sealed', file: step.file };
  };

  const plant = (step: Extract<FilesStep, { kind: 'plant' }>): FilesEvent => {
    const names = namesIn(step.entries);
    const missing = names.find((name) => !shelf.sealed.has(name));
    if (missing !== undefined) return { kind: 'files-refused', step, error: new LichenError('missing-content', `file ${missing}`) };
    shelf.roots.set(hex(step.release), names);
    return { kind: 'planted', release: step.release, rootPath: `/roots/${hex(step.release)}` };
  };

  const sweep = (step: Extract<FilesStep, { kind: 'sweep' }>): FilesEvent => {
    const keep = new Set(step.keep.map(hex));
    for (const release of shelf.roots.keys()) if (!keep.has(release)) shelf.roots.delete(release);
    const used = new Set([...shelf.roots.values()].flat());
    for (const file of step.awaited) used.add(nameOf(file));
    let files = 0;
    const take = (of: Map<string, unknown>, name: string, bytes: number): void => {
      if (used.has(name)) return;
      of.delete(name);
      card.file(-bytes);
      files++;
    };
    for (const [name, { bytes }] of shelf.sealed) take(shelf.sealed, name, bytes);
    for (const [name, { pieces }] of shelf.incoming) {
      const bytes = [...pieces.values()].reduce((sum, piece) => sum + (piece instanceof Uint8Array ? piece.length : 0), 0);
      take(shelf.incoming, name, bytes);
    }
    return { kind: 'swept', files };
  };

  const perform = (step: FilesStep): FilesEvent => {
    switch (step.kind) {
      case 'check':
        // What rotted is not what its name says any more: it is fetched anew.
        for (const file of step.files) if (shelf.sealed.get(nameOf(file))?.isRotten === true) shelf.sealed.delete(nameOf(file));
        return { kind: 'checked', missing: step.files.filter((file) => !shelf.sealed.has(nameOf(file))) };
      case 'gather':
        return gather(step);
      case 'write':
        return write(step);
      case 'seal':
        return seal(step);
      case 'plant':
        return plant(step);
      case 'sweep':
        return sweep(step);
    }
  };

  return {
    perform: (step, answer) => {
      const writes = step.kind !== 'check' && step.kind !== 'gather' && step.kind !== 'sweep';
      if (writes && !door.writes()) return;
      const { refused, ms } = step.kind === 'write' ? card.file(step.bytes.length) : { refused: null, ms: 1 };
      const answerOf = (): FilesEvent => {
        if (refused === null) return perform(step);
        const why = refused === 'worn' ? 'the card refuses to be written' : 'no space left on the card';
        return { kind: 'files-refused', step, error: new LichenError('storage-full', why) };
      };
      door.later(ms, () => answer(answerOf()));
    },
  };
};
