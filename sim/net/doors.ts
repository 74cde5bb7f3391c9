/**
 * How boards and gateways of the virtual world reach each other. Tier A carries messages, tier B the bytes of real
 * MQTT and peer streams; both over the same paths, so that a fault is one thing in both.
 */

import type { Front, FrontEvent, Gatekeeper, PeerEvent, Peers } from '../../gateway/service/doors.ts';
import type { Link } from '../../runtime/ports/link.ts';
import type { Bytes } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import type { Clock } from '../../runtime/turn/clock.ts';
import type { Entropy } from '../../runtime/turn/entropy.ts';

/** The way between two machines as it is now. Asked at each message, so that it may change between two. */
export interface Paths {
  /** How long `bytes` take from one to the other, ms; null: they are lost, silently. */
  delayMs(from: string, to: string, bytes: number): number | null;
  /** Whether bytes that are sent now would arrive. */
  passes(from: string, to: string): boolean;
  /** Whether a message that just passed is heard once more. */
  repeats(from: string, to: string): boolean;
  /** A connection can be opened: the other end listens, or something on the way that is captive answers in its place. */
  opens(from: string, to: string): boolean;
  /** What is opened now is never heard: it is something on the way that has answered. */
  swallows(from: string, to: string): boolean;
  /** The machine is there and answers; one that is not refuses a connection at once, if the bytes pass. */
  listens(id: string): boolean;
  /** Called at every change of what passes to or from a machine, so that silence is noticed without asking all the time. */
  watch(changed: (id: string) => void): void;
}

/** A machine in one of its lives; when the life is over, nothing it began is heard any more. */
export interface Machine {
  /** The board's or gateway's id. */
  id: string;
  /** Where it stands, by which paths know it: its id, but for a clone, which stands elsewhere under the same id. */
  at: string;
  signer: Signer;
  clock: Clock;
  entropy: Entropy;
  alive(): boolean;
}

export interface BoardEnd extends Machine {
  keepaliveMs: number;
  timeoutMs: number;
}

export interface GatewayEnd extends Machine {
  /** As in its operator's document. */
  address: string;
  silenceMs: number;
  gatekeeper: Gatekeeper;
  listener(event: FrontEvent | PeerEvent): void;
  note(error: LichenError): void;
}

/** What a wire heard, for the judge and the trace. */
export type Heard = (from: string, to: string, topic: string, payload: Bytes) => void;

export interface Carrier {
  /** A door for one life of a board. */
  board(end: BoardEnd): Link;
  /** Doors for one life of a gateway. */
  gateway(end: GatewayEnd): { front: Front; peers: Peers };
  /** The life is over: what is open at it ends as it would when a machine vanishes (`gone`) or a process is killed (`killed`: the kernel closes its sockets). */
  end(at: string, how: 'gone' | 'killed'): void;
  /** The share of work that is not driven by the virtual clock (promises of streams) has come to rest. Tier A: at once. */
  settled(): Promise<void> | null;
}
