/** The gateway's own doors: boards and tenants over MQTT, pairing, peers. Adapters feed events in and carry effects out. */
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import type { Sealed } from '../../runtime/protocol/noun.ts';
import type { Pairing } from '../../runtime/protocol/nouns/board.ts';
import type { PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { Paired } from '../../runtime/protocol/nouns/messages.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import type { Party, TopicName } from '../../runtime/protocol/topics.ts';

export type FrontEvent =
  | { kind: 'connected'; session: string; party: Party; id: string; key: Bytes }
  | { kind: 'disconnected'; session: string; party: Party; id: string }
  /** `receipt` must be settled: the PUBACK waits for it, so that "published" means "durable". */
  | { kind: 'message'; session: string; party: Party; id: string; topic: TopicName; payload: Bytes; receipt: number }
  /** A board that shows a claim; `key` is that of its certificate, `exporter` this connection's. */
  | { kind: 'pairing'; receipt: number; key: Bytes; exporter: Bytes; pairing: Sealed<Pairing> };

/** What is held under a hash; null: nothing. Lent: the next answer may lie in its place. */
export type Shelf = (hash: Bytes) => Bytes | null;

export interface Front {
  send(session: string, topic: TopicName, payload: Bytes): void;
  /** A `chunk` for each. They are read when there is room for them, so that of what waits only the hash is held. */
  give(session: string, hashes: Bytes[], shelf: Shelf): void;
  /** With an error the session ends, as MQTT 3.1.1 has no other refusal of a publish. */
  settle(receipt: number, error: LichenError | null): void;
  answerPairing(receipt: number, answer: Paired | LichenError): void;
  drop(session: string, error: LichenError): void;
}

export type PeerEvent =
  | { kind: 'peer-up'; session: string; gateway: string }
  | { kind: 'peer-down'; session: string; gateway: string }
  | { kind: 'peer-frame'; session: string; gateway: string; frame: PeerFrame };

export interface Peers {
  /** Keeps a link to each of these (full-jitter back-off); of two gateways the one with the smaller id dials. */
  reach(gateways: GatewayEntry[]): void;
  send(session: string, frame: PeerFrame): void;
  drop(session: string, error: LichenError): void;
}

/** Who may open a session; asked by the adapters once TLS has shown the key. Null: may. */
export type Gatekeeper = (party: Party | 'gateway', id: string | null, key: Bytes) => { id: string } | LichenError;
