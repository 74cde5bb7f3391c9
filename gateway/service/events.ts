/** What a gateway's turn takes in and lets out. */

import type { DecidedCall } from '../../runtime/protocol/api.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import type { PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { Paired } from '../../runtime/protocol/nouns/messages.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import type { Unpack } from '../../runtime/protocol/packing.ts';
import type { TopicName } from '../../runtime/protocol/topics.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Draft } from '../../runtime/turn/draft.ts';
import type { Context } from '../core/context.ts';
import type { FrontEvent, PeerEvent } from './doors.ts';

export interface ApiInput {
  params: Record<string, string>;
  body: Bytes | null;
}

export type ApiAnswer = { json: unknown } | { bytes: Bytes };

export type Event =
  | FrontEvent
  | PeerEvent
  | { kind: 'tick' }
  /** Documents given to the process at its start: operators' documents. */
  | { kind: 'configured'; documents: Bytes[] }
  /** More of what takes more than a turn. */
  | { kind: 'go-on' }
  | { kind: 'call'; id: number; name: DecidedCall; input: ApiInput };

export type Effect =
  | { kind: 'send'; session: string; topic: TopicName; payload: Bytes }
  | { kind: 'give'; session: string; hashes: Bytes[] }
  | { kind: 'settle'; receipt: number; error: LichenError | null }
  | { kind: 'answer-pairing'; receipt: number; answer: Paired | LichenError }
  | { kind: 'drop'; session: string; error: LichenError }
  | { kind: 'reach'; gateways: GatewayEntry[] }
  | { kind: 'peer-send'; session: string; frame: PeerFrame }
  | { kind: 'peer-drop'; session: string; error: LichenError }
  | { kind: 'reply'; id: number; answer: ApiAnswer | LichenError }
  /** The event of this name, once others have had their turn. */
  | { kind: 'go-on' }
  | { kind: 'journal'; line: string };

export type Work = Draft<Effect>;

/** Configuration of one gateway beside its keys. */
export interface Service extends Context {
  name: string;
  region: string;
  /** Where boards reach it, `host:port`; goes into claims. */
  address: string;
  entropy: (length: number) => Bytes;
  unpack: Unpack;
  software: string;
  /** How much content is held at most. */
  contentBytes: number;
  /** Of how many log entries its memory bears the fold. */
  ledgerEntries: number;
}

/** What a board or a tenant says in its session. */
export type Message = Extract<Event, { kind: 'message' }>;

export type Handler<E extends Event> = (work: Work, service: Service, event: E, now: Instant) => void;
