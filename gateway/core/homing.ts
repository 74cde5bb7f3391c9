/** Guardians of a request, and which of them acts now. */
import type { GatewayId, RequestId } from '../../runtime/protocol/ids.ts';
import { rendezvous } from '../../runtime/protocol/rendezvous.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Context, Rows } from './context.ts';
import { gateways, holdsKey } from './directory.ts';
import { boards, peers } from './tables.ts';

const GUARDIANS = 3;

/** The first min(3, n) serving gateways by rendezvous on the request. */
export const guardiansOf = (rows: Rows, context: Context, request: RequestId): GatewayId[] =>
  rendezvous(
    context.crypto,
    request,
    gateways(rows, context).map((entry) => entry.gateway),
  ).slice(0, GUARDIANS);

/** In reach now, or lost so recently that a hiccup is likelier than a death. */
export const alive = (rows: Rows, context: Context, gateway: string, now: Instant): boolean => {
  if (gateway === context.me) return true;
  const peer = peers.get(rows, gateway);
  return peer !== null && (peer.up || now.monoMs - peer.sinceMs < context.silenceMs);
};

/** The first guardian in reach acts; for `continue` instances one guardian suffices, and terms settle a split. */
export const actsFor = (rows: Rows, context: Context, request: RequestId, now: Instant): boolean =>
  // With a key that is no longer listed nothing may be signed: the operator gave this gateway another one.
  holdsKey(rows, context, context.me, context.signer.publicKey) &&
  guardiansOf(rows, context, request).find((guardian) => alive(rows, context, guardian, now)) === context.me;

/** How long a board has been out of every gateway's reach, ms by this gateway's clock; 0 while it is in reach. */
export const awayMs = (rows: Rows, context: Context, board: string, now: Instant): number => {
  const row = boards.get(rows, board);
  if (row === null || row.home === null) return 0;
  if (!row.here) return Math.max(0, now.wallMs - row.sinceMs);
  if (row.home.gateway === context.me) return 0;
  const peer = peers.get(rows, row.home.gateway);
  if (peer?.up === true) return 0;
  // Its home is silent: the board had all this time to find another, and a new tenure would say so.
  return peer === null ? 0 : Math.max(0, now.monoMs - peer.sinceMs);
};
