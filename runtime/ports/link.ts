/** The board's door to its gateways: one session at a time, dialled by the agent, which alone decides when and whom. */
import type { Bytes } from '../protocol/bytes.ts';
import type { LichenError } from '../protocol/errors.ts';
import type { GatewayEntry } from '../protocol/nouns/trust.ts';
import type { TopicName } from '../protocol/topics.ts';

export type LinkEvent =
  /** `carried`: by hand, so that an answer comes days later if at all. `nonce`: of the hello to which one may have come now. */
  | { kind: 'linked'; gateway: GatewayEntry; carried?: { nonce: Bytes | null } }
  /** The answer to a dial that failed, or the end of a session. */
  | { kind: 'unlinked'; gateway: GatewayEntry; error: LichenError }
  | { kind: 'message'; topic: TopicName; payload: Bytes };

export interface Link {
  /** Ends whatever session there is. Answers with `linked` or `unlinked`, within its patience: the link's own or another one. */
  dial(gateway: GatewayEntry, patienceMs?: number): void;
  /** Only while linked; else dropped. The outbox is the store, never this. */
  publish(topic: TopicName, payload: Bytes): void;
  hangUp(): void;
  watch(listener: (event: LinkEvent) => void): void;
}
