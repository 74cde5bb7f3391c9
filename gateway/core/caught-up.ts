/**
 * Whether a gateway that has just begun knows what was decided while it was away. Until then it signs no leases: what it would give
 * again was given by another meanwhile, and of two with one term every other instance would move, or begin anew where it is.
 */
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Context, Rows } from './context.ts';
import { gateways } from './directory.ts';
import { beganMs } from './grants.ts';
import { sizeOf } from './log.ts';
import { type PeerState, peers } from './tables.ts';

/** A peer's word on what it has holds nobody up for longer, in silences. */
const PATIENCE = 5;

const holdsAllOf = (rows: Rows, { vector }: PeerState): boolean =>
  Object.entries(vector).every(([author, size]) => sizeOf(rows, author) >= size);

export const isCaughtUp = (rows: Rows, context: Context, now: Instant): boolean => {
  const forMs = now.monoMs - beganMs(rows, now);
  if (forMs > PATIENCE * context.silenceMs) return true;
  return gateways(rows, context).every(({ gateway }) => {
    if (gateway === context.me) return true;
    const peer = peers.get(rows, gateway);
    // Whoever is not heard of by then is taken for dead.
    if (peer === null || !peer.up || !peer.heard) return forMs > context.silenceMs;
    return holdsAllOf(rows, peer);
  });
};
