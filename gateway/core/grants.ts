/**
 * What a guardian grants. For each instance it grants to one lease at a time: to another one only once it is sure that the
 * one before has run out, by its own clock, or was closed by its board. Of two majorities one guardian is in both, so two
 * boards never run one instance, whatever terms and clocks say.
 */
import type { GatewayId, RequestId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { majorityOf, outlivesMs } from '../../runtime/protocol/nouns/grant.ts';
import type { Guarded, Lease } from '../../runtime/protocol/nouns/lease.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import type { Context, Rows } from './context.ts';
import { gateways, holdsKey } from './directory.ts';
import { isCurrent, stillWanted } from './holding.ts';
import { alive, guardiansOf } from './homing.ts';
import type { HeldLease } from './leased.ts';
import { boards, grants, leases } from './tables.ts';
import { instanceOf } from './touched.ts';

/** A wall clock is set, forth and back. */
const steadyMs = (now: Instant): number => now.monoMs;

/** Instance → until when, by this life's clock, what was granted last may run. */
const outlived = volatileTable<number>('outlived');
/** When this life began. */
const began = volatileTable<number>('began');

/** When this life began, by its own clock. */
export const beganMs = (rows: Rows, now: Instant): number => began.get(rows, 'grants') ?? steadyMs(now);

/** Of what was granted before, only to whom is known from now on; each grant of it may have been the last thing done. */
export const beginGrants = (rows: Rows, now: Instant): void => {
  if (began.get(rows, 'grants') === null) began.put(rows, steadyMs(now), 'grants');
};

/** From when on this guardian may grant to another lease of the instance than to the one of its store. */
const freeFromMs = (rows: Rows, instance: string, term: number, now: Instant): number => {
  const beganMs = began.get(rows, 'grants') ?? steadyMs(now);
  const last = grants.get(rows, instance);
  if (last !== null && leases.get(rows, last.lease)?.closed === true) return beganMs;
  const untilMs = outlived.get(rows, instance);
  if (last !== null) return untilMs ?? beganMs + outlivesMs(last.leaseMs);
  // It may have granted and lost its store since; and of a later term others may have granted the one before.
  const unknownMs = beganMs + outlivesMs(LIMITS.leaseMs);
  if (term === 1) return unknownMs;
  if (untilMs === null) outlived.put(rows, steadyMs(now) + outlivesMs(LIMITS.leaseMs), instance);
  return Math.max(unknownMs, untilMs ?? Number.POSITIVE_INFINITY);
};

/** Whether nothing that this guardian granted for the instance runs any more. */
export const isFree = (rows: Rows, instance: string, term: number, now: Instant): boolean =>
  steadyMs(now) >= freeFromMs(rows, instance, term, now);

const isOurs = (rows: Rows, context: Context, held: HeldLease, board: string): boolean => {
  const { doc, closed } = held;
  if (doc.board !== board || doc.guarded?.guardians.includes(context.me) !== true) return false;
  // Two machines that go by one name are two places.
  return !closed && boards.get(rows, board)?.quarantined === false && stillWanted(rows, held) && isCurrent(rows, held);
};

const grantOne = (rows: Rows, { lease, request, index, term, guarded }: Lease, now: Instant): boolean => {
  if (guarded === undefined) return false;
  const instance = instanceOf(request, index);
  if (grants.get(rows, instance)?.lease !== lease) {
    if (!isFree(rows, instance, term, now)) return false;
    grants.put(rows, { lease, leaseMs: guarded.leaseMs }, instance);
  }
  outlived.put(rows, steadyMs(now) + outlivesMs(guarded.leaseMs), instance);
  return true;
};

/** Those of a board's leases that this guardian renews now. */
export const grantAll = (rows: Rows, context: Context, board: string, asked: Lease['lease'][], now: Instant): Lease['lease'][] => {
  if (!holdsKey(rows, context, context.me, context.signer.publicKey)) return [];
  return asked.filter((id) => {
    const held = leases.get(rows, id);
    return held !== null && isOurs(rows, context, held, board) && grantOne(rows, held.doc, now);
  });
};

/**
 * Who renews a new lease: those of the one before, as two sets may have majorities that do not meet; but those that their
 * operators have retired, which renew nothing any more, make way for others. After a close there is nobody to meet.
 */
export const guardiansFor = (rows: Rows, context: Context, request: RequestId, before: HeldLease | null): GatewayId[] => {
  const fresh = guardiansOf(rows, context, request);
  const former = before === null || before.closed ? undefined : before.doc.guarded?.guardians;
  if (former === undefined) return fresh;
  const serving = new Set<string>(gateways(rows, context).map(({ gateway }) => gateway));
  const staying = former.filter((guardian) => serving.has(guardian));
  const coming = fresh.filter((guardian) => !former.includes(guardian));
  return [...staying, ...coming].slice(0, former.length);
};

/** Whether so many of the guardians answer that a lease which they renew can run. */
export const canRenew = (rows: Rows, context: Context, guardians: GatewayId[], now: Instant): boolean =>
  guardians.filter((guardian) => alive(rows, context, guardian, now)).length >= majorityOf(guardians.length);

/** Whether enough of the guardians that a lease names still serve. */
export const isGuarded = (rows: Rows, context: Context, { guarded }: Lease): boolean => {
  if (guarded === undefined) return true;
  const serving = new Set<string>(gateways(rows, context).map(({ gateway }) => gateway));
  return guarded.guardians.filter((guardian) => serving.has(guardian)).length >= majorityOf(guarded.guardians.length);
};

/** The terms that make a lease a guarded one. */
export const guardedFor = (
  rows: Rows,
  context: Context,
  id: RequestId,
  { onIsolation }: Request,
  before: HeldLease | null,
): { guarded?: Guarded } =>
  onIsolation === 'stop' ? { guarded: { leaseMs: LIMITS.leaseMs, guardians: guardiansFor(rows, context, id, before) } } : {};
