/** Guardians of a request, and which of them acts now; boards and gateways that are in reach, or since when they are not. */
import type { GatewayId, RequestId } from '../../runtime/protocol/ids.ts';
import { rendezvous } from '../../runtime/protocol/rendezvous.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Moment } from './alarms.ts';
import type { Context, Rows } from './context.ts';
import { gateways, holdsKey, type Listed } from './directory.ts';
import { boards, peers } from './tables.ts';

const GUARDIANS = 3;

/** Per list of serving gateways: what follows from it for each request that was asked about. */
const known = new WeakMap<Listed[], Map<RequestId, GatewayId[]>>();

/** The first min(3, n) serving gateways by rendezvous on the request. */
export const guardiansOf = (rows: Rows, context: Context, request: RequestId): GatewayId[] => {
  const serving = gateways(rows, context);
  const guardians = known.get(serving) ?? new Map<RequestId, GatewayId[]>();
  known.set(serving, guardians);
  const ids = serving.map((entry) => entry.gateway);
  const found = guardians.get(request) ?? rendezvous(context.crypto, request, ids).slice(0, GUARDIANS);
  guardians.set(request, found);
  return found;
};

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

/** Since when, by this gateway's clocks, a board is out of every gateway's reach; null while it is in reach. */
export const awaySince = (rows: Rows, context: Context, board: string): Moment | null => {
  const row = boards.get(rows, board);
  if (row === null || row.home === null) return null;
  if (!row.here) return { clock: 'wallMs', at: row.sinceMs };
  if (row.home.gateway === context.me) return null;
  const peer = peers.get(rows, row.home.gateway);
  // Its home is silent: the board had all this time to find another, and a new tenure would say so.
  return peer === null || peer.up ? null : { clock: 'monoMs', at: peer.sinceMs };
};

/** How long a board has been out of every gateway's reach, ms; 0 while it is in reach. */
export const awayMs = (rows: Rows, context: Context, board: string, now: Instant): number => {
  const since = awaySince(rows, context, board);
  return since === null ? 0 : Math.max(0, now[since.clock] - since.at);
};
