/** What a board's turn takes in and lets out. */

import type { CardEvent } from '../ports/card.ts';
import type { FilesEvent, FilesStep } from '../ports/files.ts';
import type { LinkEvent } from '../ports/link.ts';
import type { NeighboursEvent, NeighboursStep } from '../ports/neighbours.ts';
import type { PartitionEvent, PartitionStep } from '../ports/partitions.ts';
import type { SlotsContentEvent, SlotsEvent, SlotsStep } from '../ports/slots.ts';
import type { Bytes } from '../protocol/bytes.ts';
import type { Crypto, Opener, Sealer, Signer } from '../protocol/crypto.ts';
import type { BoardId, OperatorId, OwnerId } from '../protocol/ids.ts';
import type { Part } from '../protocol/image.ts';
import type { Offer } from '../protocol/nouns/board.ts';
import type { GatewayEntry } from '../protocol/nouns/trust.ts';
import type { Unpack } from '../protocol/packing.ts';
import type { TopicName } from '../protocol/topics.ts';
import type { Instant } from '../turn/clock.ts';
import type { Draft } from '../turn/draft.ts';
import type { Entropy } from '../turn/entropy.ts';

export type Event =
  | { kind: 'boot' }
  | { kind: 'paired'; operator: OperatorId; first: GatewayEntry; chains: Bytes[][]; owner?: OwnerId | undefined }
  | { kind: 'tick' }
  /** Nothing by itself: something asked to be looked at again now. */
  | { kind: 'wake' }
  /** The store has just refused a commit: what needs it is put off for so long. */
  | { kind: 'stuck'; forMs: number }
  | LinkEvent
  | PartitionEvent
  | FilesEvent
  | CardEvent
  | NeighboursEvent
  | SlotsAnswer;

/** What the slots of one part say. */
export type SlotsAnswer = SlotsEvent & { part: Part };

/** An answer of the slots of one part. */
export const saidBy = (part: Part, event: SlotsEvent | SlotsContentEvent): Event => {
  const said = { ...event, part };
  return said;
};

export type Effect =
  | { kind: 'dial'; gateway: GatewayEntry; patienceMs: number }
  | { kind: 'hang-up' }
  | { kind: 'publish'; topic: TopicName; payload: Bytes }
  | { kind: 'partition'; step: PartitionStep }
  | { kind: 'files'; step: FilesStep }
  | { kind: 'slots'; part: Part; step: SlotsStep }
  | { kind: 'neighbours'; step: NeighboursStep }
  | { kind: 'wake'; afterMs: number }
  /** Before that moment ticks would do nothing, unless something else happens first: they may be left out. */
  | { kind: 'rest'; untilMonoMs: number }
  | { kind: 'journal'; line: string };

export type Work = Draft<Effect>;

/** Intervals, all in ms; one number each, given by `main`. */
export interface Pace {
  tickMs: number;
  /** Between two samples of the kernel's counters. */
  meterMs: number;
  /** Between two signed usage records of a lease. */
  recordMs: number;
  /** Between two reports when nothing changed. */
  reportMs: number;
  /** A dial, a welcome, an acknowledgement or a chunk that takes longer is tried again. */
  patienceMs: number;
}

export interface Board {
  crypto: Crypto;
  unpack: Unpack;
  signer: Signer;
  sealer: Sealer;
  opener: Opener;
  entropy: Entropy;
  id: BoardId;
  bootId: string;
  software: string;
  offer: Offer;
  pace: Pace;
  /** Its machine has a door to others on its network. */
  neighbours: boolean;
}

export type Handler<E> = (work: Work, board: Board, event: E, now: Instant) => void;
export type Of<K extends Event['kind']> = Extract<Event, { kind: K }>;
