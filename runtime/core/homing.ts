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

/** Gateways that may serve: listed by the pinned operator or one it federates with, neither retired nor revoked. */
export const servingGateways = (pinned: OperatorDoc, peers: OperatorDoc[]): GatewayEntry[] => {
  const docs = [pinned, ...peers.filter((doc) => pinned.peers.includes(doc.operator))];
  const revoked: Bytes[] = docs.flatMap((doc) => doc.revoked);
  const retired = new Set<string>(docs.flatMap((doc) => doc.retired));
  return docs
    .flatMap((doc) => doc.gateways)
    .filter((entry) => !retired.has(entry.gateway) && !revoked.some((key) => equal(key, entry.key)));
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

/** Full jitter (Brooker 2015). The first round over all homes is not delayed beyond the base. */
export const backoffMs = (entropy: Entropy, attempt: number, homes: number): number => {
  const round = Math.floor(attempt / Math.max(1, homes));
  return below(entropy, Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(round, 16)));
};
