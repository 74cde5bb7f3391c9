/** Which gateways a board tries, and how long it waits between tries. */
import type { Bytes } from '../protocol/bytes.ts';
import { equal } from '../protocol/bytes.ts';
import type { Crypto } from '../protocol/crypto.ts';
import type { GatewayEntry, OperatorDoc } from '../protocol/nouns/trust.ts';
import { rendezvous } from '../protocol/rendezvous.ts';
import { below, type Entropy } from '../turn/entropy.ts';

const HOMES = 3;
const BACKOFF_BASE_MS = 250;
const BACKOFF_MAX_MS = 60_000;

const trusted = (pinned: OperatorDoc, peers: OperatorDoc[]): OperatorDoc[] => [
  pinned,
  ...peers.filter((doc) => pinned.peers.includes(doc.operator)),
];

/** Gateways whose word counts: listed by the pinned operator or one it federates with, and not revoked. */
export const listedGateways = (pinned: OperatorDoc, peers: OperatorDoc[]): GatewayEntry[] => {
  const docs = trusted(pinned, peers);
  const revoked: Bytes[] = docs.flatMap((doc) => doc.revoked);
  return docs.flatMap((doc) => doc.gateways).filter((entry) => !revoked.some((key) => equal(key, entry.key)));
};

/** Whether a session with this gateway may go on: a key that was only rotated serves until its gateway changes it. */
export const mayStay = (pinned: OperatorDoc, peers: OperatorDoc[], { gateway, key }: GatewayEntry): boolean =>
  servingGateways(pinned, peers).some((entry) => entry.gateway === gateway) &&
  !trusted(pinned, peers).some(({ revoked }) => revoked.some((one) => equal(one, key)));

/** Those that may serve: what a retired one signed stands, but nobody dials it. */
export const servingGateways = (pinned: OperatorDoc, peers: OperatorDoc[]): GatewayEntry[] => {
  const retired = new Set<string>(trusted(pinned, peers).flatMap((doc) => doc.retired));
  return listedGateways(pinned, peers).filter((entry) => !retired.has(entry.gateway));
};

/** The first three by rendezvous on the board's id, in the order in which to dial them. */
export const homesFor = (crypto: Crypto, board: string, serving: GatewayEntry[]): GatewayEntry[] =>
  rendezvous(
    crypto,
    board,
    serving.map((entry) => entry.gateway),
  )
    .slice(0, HOMES)
    .flatMap((id) => serving.find((entry) => entry.gateway === id) ?? []);

/** Four times there and back on a link that is 8 s late each way, and some time for whoever answers. */
const SLOW_DIAL_MS = 90_000;

/**
 * A link may be slow and not dead, and then no dial within the usual patience would ever get through. But what was sent
 * into a dead one is lost, and while its answer is waited for nobody notices that the link is back.
 */
export const patienceMs = (usualMs: number, attempt: number): number =>
  Math.min(usualMs * 2 ** Math.min(Math.max(0, attempt), 16), Math.max(usualMs, SLOW_DIAL_MS));

/** Full jitter (Brooker 2015). The first round over all homes is not delayed beyond the base. */
export const backoffMs = (entropy: Entropy, attempt: number, homes: number): number => {
  const round = Math.floor(attempt / Math.max(1, homes));
  return below(entropy, Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(round, 16)));
};
