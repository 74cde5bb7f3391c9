/**
 * Renewing guarded leases. Nothing of it outlives a power cut: after one nothing runs that was not granted anew. What still
 * runs when the runtime begins again goes on until the deadline that stands outside of it.
 */
import { holdsUntil, partsFrom, renewsAfterMs } from '../core/hold.ts';
import { type Hold, holds, type Instance, instances, links, ONE, type Renewing, renewings, runs } from '../core/tables.ts';
import { type Bytes, equal } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { seal, unseal } from '../protocol/noun.ts';
import { type Grant, grantNoun, renewalNoun } from '../protocol/nouns/grant.ts';
import type { Guarded } from '../protocol/nouns/lease.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Work } from './events.ts';
import { listed } from './session.ts';

/** More than can be granted still. */
const SENT_KEPT = 16;
const NEVER: Renewing = { sent: [], session: new Uint8Array(0) };

/** A wall clock is set, forth and back. */
const steadyMs = (now: Instant): number => now.monoMs;

/** Until when what this lease is for may run; without guardians for ever. */
const heldUntil = (work: Work, id: string, { lease }: Instance): number =>
  lease.guarded === undefined ? Number.POSITIVE_INFINITY : (holds.get(work, id)?.untilMonoMs ?? Number.NEGATIVE_INFINITY);

/** When what runs under it is killed, whatever becomes of the runtime; null: never. */
export const deadlineOf = (work: Work, id: string): number | null => {
  const untilMonoMs = holds.get(work, id)?.untilMonoMs ?? Number.NEGATIVE_INFINITY;
  return Number.isFinite(untilMonoMs) ? untilMonoMs : null;
};

export const isHeld = (work: Work, id: string, instance: Instance, now: Instant): boolean =>
  steadyMs(now) < partsFrom(heldUntil(work, id, instance));

interface Wanted {
  id: Instance['lease']['lease'];
  instance: Instance;
  guarded: Guarded;
}

/** Whatever is to run is to be renewed. */
const wanted = (work: Work): Wanted[] =>
  instances.all(work).flatMap(({ key, value: instance }) => {
    const { guarded, lease } = instance.lease;
    const isWanted = instance.wanted === 'started' && !instance.closed && !instance.unpaid && runs.get(work, key)?.error === '';
    return guarded === undefined || !isWanted ? [] : [{ id: lease, instance, guarded }];
  });

/** When each is to be asked for next. */
const dueMonoMs = (work: Work, { id, instance, guarded }: Wanted, now: Instant): number => {
  const { sent } = renewings.get(work, ONE) ?? NEVER;
  const last = sent.findLast(({ leases }) => leases.includes(id));
  return last === undefined ? Number.NEGATIVE_INFINITY : last.atMonoMs + renewsAfterMs(guarded.leaseMs, isHeld(work, id, instance, now));
};

/** Of all at once when one of them is due. */
export const tickRenewals = (work: Work, board: Board, now: Instant): void => {
  const link = links.get(work, ONE);
  if (link?.phase !== 'welcomed') return;
  const all = wanted(work).slice(0, LIMITS.partitionsPerBoard);
  const { sent, session } = renewings.get(work, ONE) ?? NEVER;
  // What was sent in a session before this one may never have arrived.
  const isDue = !equal(session, link.nonce) || all.some((one) => steadyMs(now) >= dueMonoMs(work, one, now));
  if (all.length === 0 || !isDue) return;
  const nonce = board.entropy.bytes(16);
  const leases = all.map(({ id }) => id);
  const kept = sent.filter(({ atMonoMs }) => steadyMs(now) - atMonoMs < LIMITS.leaseMs).slice(1 - SENT_KEPT);
  renewings.put(work, { sent: [...kept, { nonce, atMonoMs: steadyMs(now), leases }], session: link.nonce }, ONE);
  work.emit({ kind: 'publish', topic: 'renew', payload: seal(renewalNoun, { v: 1, board: board.id, nonce, leases }, board.signer) });
  const nextMs = Math.min(...all.map(({ id, instance, guarded }) => renewsAfterMs(guarded.leaseMs, isHeld(work, id, instance, now))));
  work.emit({ kind: 'wake', afterMs: nextMs });
};

export const renewalMoments = (work: Work, _board: Board, now: Instant): number[] =>
  wanted(work).map((one) => Math.max(0, dueMonoMs(work, one, now)));

/** At which what runs is told to end. */
export const partingMoments = (work: Work): number[] => holds.all(work).map(({ value }) => partsFrom(value.untilMonoMs));

/** Errors: `wrong-signer`, `stale`. */
const openGrant = (work: Work, board: Board, document: Bytes): { grant: Grant; atMonoMs: number; leases: readonly string[] } => {
  const { value: grant, signer } = unseal(board.crypto, grantNoun, document);
  const guardian = listed(work).find(({ gateway }) => gateway === grant.guardian);
  if (guardian === undefined || !equal(guardian.key, signer)) refuse('wrong-signer', `gateway ${grant.guardian} did not sign the grant`);
  if (grant.board !== board.id) refuse('wrong-signer', 'a grant for another board');
  const { sent } = renewings.get(work, ONE) ?? NEVER;
  const asked = sent.find(({ nonce }) => equal(nonce, grant.nonce)) ?? refuse('stale', 'the grant is for no renewal of late');
  return { grant, atMonoMs: asked.atMonoMs, leases: asked.leases };
};

/** A grant counts from the moment at which it was asked for: what it took to come is not added to it. */
export const granted = (work: Work, board: Board, payload: Bytes, now: Instant): void => {
  const { grant, atMonoMs, leases } = openGrant(work, board, payload);
  for (const id of grant.leases) {
    const guarded = leases.includes(id) ? instances.get(work, id)?.lease.guarded : undefined;
    if (guarded?.guardians.includes(grant.guardian) !== true) continue;
    const held = holds.get(work, id);
    const asked = new Map(held?.asked).set(grant.guardian, Math.max(atMonoMs, held?.asked.get(grant.guardian) ?? 0));
    hold(work, id, { asked, untilMonoMs: Math.max(held?.untilMonoMs ?? Number.NEGATIVE_INFINITY, holdsUntil(guarded, asked)) }, now);
  }
};

const hold = (work: Work, id: string, next: Hold, now: Instant): void => {
  const before = holds.get(work, id)?.untilMonoMs ?? Number.NEGATIVE_INFINITY;
  holds.put(work, next, id);
  if (next.untilMonoMs <= before) return;
  const run = runs.get(work, id)?.process;
  if (run === 'running' || run === 'starting')
    work.emit({ kind: 'partition', step: { kind: 'extend', partition: id, deadlineMonoMs: next.untilMonoMs } });
  work.emit({ kind: 'wake', afterMs: Math.max(0, partsFrom(next.untilMonoMs) - steadyMs(now)) });
};

/** Found running: whoever keeps its deadline outside of the runtime knows how long it was granted. */
export const adopt = (work: Work, id: string, deadlineMonoMs: number | null): void => {
  if (deadlineMonoMs !== null) holds.put(work, { asked: new Map(), untilMonoMs: deadlineMonoMs }, id);
};
