/**
 * The board's files on a virtual card: checked as strictly as the real ones, kept by reference. What was written but
 * not sealed is gone after a power cut; what rotted is found the next time somebody looks.
 */
import type { Files, FilesEvent, FilesStep } from '../../runtime/ports/files.ts';
import { type Bytes, concat, equal, hex } from '../../runtime/protocol/bytes.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { Entry, FileRef } from '../../runtime/protocol/nouns/release.ts';
import type { Card } from '../hardware/card.ts';

const nameOf = (file: FileRef): string => `${hex(file.hash)}${file.executable ? 'x' : ''}`;

/** What lies on the card. */
export class FileShelf {
  readonly sealed = new Map<string, { bytes: number; isRotten: boolean }>();
  /** Release → names of its files. */
  readonly roots = new Map<string, string[]>();

  copy(): FileShelf {
    const shelf = new FileShelf();
    for (const [name, file] of this.sealed) shelf.sealed.set(name, { ...file });
    for (const [release, names] of this.roots) shelf.roots.set(release, names);
    return shelf;
  }
}

export interface FilesDoor {
  crypto: Crypto;
  shelf: FileShelf;
  card: Card;
  later(ms: number, call: () => void): void;
  /** Called before anything is written; false: the power goes now. */
  writes(): boolean;
}

const namesIn = (entries: Entry[]): string[] => entries.flatMap((entry) => (entry.kind === 'file' ? [nameOf(entry)] : []));

export const openVirtualFiles = (door: FilesDoor): Files => {
  const { crypto, shelf, card } = door;
  /** Files that are being received: offset → bytes. */
  const open = new Map<string, Map<number, Bytes>>();

  const write = (step: Extract<FilesStep, { kind: 'write' }>): FilesEvent => {
    const name = nameOf(step.file);
    const parts = open.get(name) ?? new Map<number, Bytes>();
    parts.set(step.offset, step.bytes);
    open.set(name, parts);
    return { kind: 'written', file: step.file, offset: step.offset };
  };

  const seal = (step: Extract<FilesStep, { kind: 'seal' }>): FilesEvent => {
    const name = nameOf(step.file);
    const parts = [...(open.get(name) ?? [])].sort(([a], [b]) => a - b).map(([, bytes]) => bytes);
    open.delete(name);
    const whole = concat(...parts);
    if (whole.length !== step.bytes || !equal(crypto.sha256(whole), step.file.hash))
      return { kind: 'files-refused', step, error: new LichenError('bad-signature', 'the file is not what its name says') };
    shelf.sealed.set(name, { bytes: whole.length, isRotten: false });
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
    let files = 0;
    for (const [name, { bytes }] of shelf.sealed) {
      if (used.has(name) || open.has(name)) continue;
      shelf.sealed.delete(name);
      card.file(-bytes);
      files++;
    }
    return { kind: 'swept', files };
  };

  const perform = (step: FilesStep): FilesEvent => {
    switch (step.kind) {
      case 'check':
        // What rotted is not what its name says any more: it is fetched anew.
        for (const file of step.files) if (shelf.sealed.get(nameOf(file))?.isRotten === true) shelf.sealed.delete(nameOf(file));
        return { kind: 'checked', missing: step.files.filter((file) => !shelf.sealed.has(nameOf(file))) };
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
      if (step.kind !== 'check' && step.kind !== 'sweep' && !door.writes()) return;
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
