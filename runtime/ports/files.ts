/**
 * The board's door to its content-addressed files: what is here of a file is gathered, chunks are written into a file
 * being received, a file is sealed when its hash is right, and a release's root is planted from sealed files without a
 * second copy.
 */
import type { Bytes } from '../protocol/bytes.ts';
import type { LichenError } from '../protocol/errors.ts';
import type { Entry, FileRef, Jigsaw, Place } from '../protocol/nouns/release.ts';

export type FilesStep =
  /** Which of these are not held yet. */
  | { kind: 'check'; files: FileRef[] }
  /**
   * What of these can be had here: pieces that came before, in whichever life of the board, and copies from held files.
   * Each is believed by its hash alone, so neither what a power cut tore nor a wrong place does harm.
   */
  | { kind: 'gather'; files: Jigsaw[] }
  | { kind: 'write'; file: FileRef; offset: number; bytes: Bytes }
  /** Durable and of the right hash and size, or refused, and gathered again. An empty file needs no write before. */
  | { kind: 'seal'; file: FileRef; bytes: number }
  /** Entries have passed `checkTree`, need no chunks, and their files are held. Idempotent; a half-planted root is planted anew. */
  | { kind: 'plant'; release: Bytes; entries: Entry[] }
  /** Removes roots of other releases, and files, whole or not, that neither a kept root holds nor somebody waits for. */
  | { kind: 'sweep'; keep: Bytes[]; awaited: FileRef[] };

export type FilesEvent =
  | { kind: 'checked'; missing: FileRef[] }
  /** Places to be filled by `write`. */
  | { kind: 'gathered'; lacks: Place[] }
  | { kind: 'written'; file: FileRef; offset: number }
  | { kind: 'file-sealed'; file: FileRef }
  | { kind: 'planted'; release: Bytes; rootPath: string }
  | { kind: 'swept'; files: number }
  | { kind: 'files-refused'; step: FilesStep; error: LichenError };

export interface Files {
  /** Answers exactly once, never before it returned. */
  perform(step: FilesStep, answer: (event: FilesEvent) => void): void;
}
