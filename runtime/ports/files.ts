/**
 * The board's door to its content-addressed files: chunks are written into a file being received, a file is sealed
 * when its hash is right, and a release's root is planted from sealed files without a second copy.
 */
import type { Bytes } from '../protocol/bytes.ts';
import type { LichenError } from '../protocol/errors.ts';
import type { Entry, FileRef } from '../protocol/nouns/release.ts';

export type FilesStep =
  /** Which of these are not held yet. */
  | { kind: 'check'; files: FileRef[] }
  | { kind: 'write'; file: FileRef; offset: number; bytes: Bytes }
  /** Durable and of the right hash and size, or refused and thrown away. An empty file needs no write before. */
  | { kind: 'seal'; file: FileRef; bytes: number }
  /** Entries have passed `checkTree` and their files are held. Idempotent; a half-planted root is planted anew. */
  | { kind: 'plant'; release: Bytes; entries: Entry[] }
  /** Removes roots of other releases, and files that no kept root holds. */
  | { kind: 'sweep'; keep: Bytes[] };

export type FilesEvent =
  | { kind: 'checked'; missing: FileRef[] }
  | { kind: 'written'; file: FileRef; offset: number }
  | { kind: 'file-sealed'; file: FileRef }
  | { kind: 'planted'; release: Bytes; rootPath: string }
  | { kind: 'swept'; files: number }
  | { kind: 'files-refused'; step: FilesStep; error: LichenError };

export interface Files {
  /** Answers exactly once, never before it returned. */
  perform(step: FilesStep, answer: (event: FilesEvent) => void): void;
}
