/**
 * The board's door to its two system slots: one is running, the other can be given another system. What comes for it is
 * gathered, written and sealed as the files of any release are (files.ts); it is started once, and stays only if it is kept.
 */
import type { Bytes } from '../protocol/bytes.ts';
import type { LichenError } from '../protocol/errors.ts';
import type { Entry } from '../protocol/nouns/release.ts';
import type { FilesEvent, FilesStep } from './files.ts';
import type { ReadPiece } from './neighbours.ts';

export interface SlotsState {
  /** The slot that was started. */
  running: string;
  /** Hex of the release that was put there by an update; null: it was written to the card. */
  runningRelease: string | null;
  /** It is started anew only so often, unless it is kept. */
  trial: boolean;
  /**
   * The other one: nothing starts it; it is started at the next start; it was, and did not stay; it was kept, and is what there
   * is to go back to.
   */
  idle: 'empty' | 'armed' | 'spent' | 'kept';
  idleRelease: string | null;
}

/** What a slot's content is written by, as that of files is. Each is believed by its hash, after it was read back. */
export type ContentStep = Extract<FilesStep, { kind: 'gather' | 'write' | 'seal' }>;

export type SlotsStep =
  | { kind: 'survey-slots' }
  /** From now on nothing starts the idle slot, and this is what it is to hold. Answered by `checked`: all of it is missing. */
  | { kind: 'receive'; release: Bytes; entries: Entry[] }
  | ContentStep
  /** Durable: the next start is of the idle slot, which holds this release, whole. */
  | { kind: 'arm'; release: Bytes }
  /** Durable: the running slot stays. */
  | { kind: 'keep' }
  /** Durable: the next start is of the other slot, and this one is not tried any more. */
  | { kind: 'leave' }
  /** Starts the machine anew. Not answered, unless it is refused. */
  | { kind: 'restart' };

export type SlotsEvent =
  | { kind: 'slots-surveyed'; state: SlotsState }
  | { kind: 'armed'; release: Bytes }
  | { kind: 'slot-kept' }
  | { kind: 'slot-left' }
  | { kind: 'slots-refused'; step: SlotsStep['kind']; error: LichenError };

/** The answers to what is asked of content. */
export type SlotsContentEvent = Extract<FilesEvent, { kind: 'checked' | 'gathered' | 'written' | 'file-sealed' | 'files-refused' }>;

export interface Slots {
  /** From either slot, also while one is being written; beside all steps. */
  read: ReadPiece;
  /** Answers exactly once, never before it returned. Steps run one after the other. */
  perform(step: SlotsStep, answer: (event: SlotsEvent | SlotsContentEvent) => void): void;
}
