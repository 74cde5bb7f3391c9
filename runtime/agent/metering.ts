/** Samples into registers, registers into signed records, records into the outbox. */

import { advance, meterFrom, registersOf, type Sample } from '../core/meter.ts';
import {
  anchors,
  cadences,
  chains,
  floors,
  type Instance,
  instances,
  type Meter,
  meters,
  ONE,
  outbox,
  readings,
  recordings,
  runs,
} from '../core/tables.ts';
import { type Bytes, equal } from '../protocol/bytes.ts';
import { refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { costMicro } from '../protocol/money.ts';
import { seal, sealed, unseal } from '../protocol/noun.ts';
import { type Registers, type Usage, usageNoun } from '../protocol/nouns/board.ts';
import type { Instant } from '../turn/clock.ts';
import { ordinal } from '../turn/table.ts';
import { noteOpening } from './bringing.ts';
import { chainOf, noteClosed } from './chain.ts';
import type { Board, Of, Work } from './events.ts';
import { deadlineOf } from './renewal.ts';
import { settle } from './session.ts';
import { isStuck } from './stuck.ts';

/** Wall time as well as this board can know it. Without an anchor of this boot it is a lower bound. */
const wallOf = (work: Work, now: Instant): { wallMs: number; quality: Usage['quality'] } => {
  const anchor = anchors.get(work, ONE);
  if (anchor !== null) return { wallMs: Math.round(anchor.wallMs + now.monoMs - anchor.monoMs), quality: 'exact' };
  return { wallMs: Math.max(now.wallMs, floors.get(work, ONE)?.wallMs ?? 0), quality: 'bounded' };
};

export const meterOf = (work: Work, id: string, instance: Instance, board: Board, now: Instant): Meter => {
  const since = instance.bootId === board.bootId ? instance.recordedMonoMs : now.monoMs;
  return meters.get(work, id) ?? meterFrom(instance, since);
};

export const take = (work: Work, board: Board, id: string, counters: Sample, now: Instant, running: boolean): void => {
  const known = meters.get(work, id);
  const instance = known === null ? instances.get(work, id) : null;
  const meter = known ?? (instance === null ? null : meterOf(work, id, instance, board, now));
  // Whoever hung hears late of what was sampled, or killed, before: past its deadline nothing ran.
  const monoMs = Math.min(now.monoMs, deadlineOf(work, id) ?? now.monoMs);
  if (meter !== null) meters.put(work, advance(meter, counters, monoMs, running), id);
};

/** Signs one record, links it into the chain, and makes the registers durable with it. */
export const record = (work: Work, board: Board, id: string, kind: Usage['kind'], now: Instant): void => {
  const instance = instances.get(work, id) ?? refuse('internal', `no instance ${id}`);
  const chain = chainOf(work);
  const registers = kind === 'open' ? instance.registers : registersOf(meterOf(work, id, instance, board, now));
  const usage: Usage = {
    v: 1,
    board: board.id,
    seq: chain.next,
    prev: chain.end.hash,
    lease: instance.lease.lease,
    kind,
    bootId: board.bootId,
    monoMs: Math.round(now.monoMs),
    ...wallOf(work, now),
    tier: board.offer.tier,
    amnesia: chain.amnesia,
    registers,
  };
  const { bytes, hash } = sealed(board.crypto, usageNoun, usage, board.signer);
  outbox.put(work, bytes, ordinal(usage.seq));
  if (kind === 'open') noteOpening(work, id, instance, usage.seq);
  const { seq } = usage;
  chains.put(work, { ...chain, end: { seq, hash }, next: seq + 1, held: chain.held + 1, amnesia: false }, ONE);
  if (kind === 'close') noteClosed(work, usage.lease, seq);
  const closed = instance.closed || kind === 'close';
  const unpaid = instance.unpaid || spent(instance, registers);
  const isReading = instance.opened && closed === instance.closed && unpaid === instance.unpaid;
  const { bootId } = board;
  const next = { ...instance, registers, opened: true, closed, bootId, recordedMonoMs: Math.round(now.monoMs), unpaid };
  (isReading ? readings : instances).put(work, next, id);
};

/** After a rotation: what the former key signed and nobody has yet is signed anew. The payload stays, and so does the chain. */
export const signAnew = (work: Work, board: Board): void => {
  const isFormer = (value: Bytes): boolean => !equal(unseal(board.crypto, usageNoun, value).signer, board.signer.publicKey);
  const [oldest] = outbox.page(work, '', 1);
  if (oldest === undefined || !isFormer(oldest.value)) return;
  for (const { key, value } of outbox.page(work, '', LIMITS.outboxRecords)) {
    if (!isFormer(value)) return;
    outbox.put(work, seal(usageNoun, unseal(board.crypto, usageNoun, value).value, board.signer), key);
  }
};

/** The voucher's cap, enforced here because nobody else may be in reach. */
const spent = (instance: Instance, registers: Registers): boolean => costMicro(registers, instance.lease.rates) >= instance.lease.capMicro;

const isDue = (work: Work, what: string, now: Instant): boolean => now.monoMs >= (cadences.get(work, what) ?? now.monoMs);

/** Kept on its grid, so that a late tick does not shift all that follow. */
const done = (work: Work, what: string, everyMs: number, now: Instant): void =>
  cadences.put(work, Math.max((cadences.get(work, what) ?? now.monoMs) + everyMs, now.monoMs), what);

const METER = 'meter';
const RECORD = 'record';

const metered = (work: Work): string[] => {
  const ids: string[] = [];
  for (const [id, { process }] of runs.rows(work)) if (process === 'running') ids.push(id);
  return ids;
};

const isAnyMetered = (work: Work): boolean => {
  for (const { process } of runs.rows(work).values()) if (process === 'running') return true;
  return false;
};

export const tickMeters = (work: Work, board: Board, now: Instant): void => {
  if (!isDue(work, METER, now)) return;
  const partitions = metered(work);
  if (partitions.length === 0) return;
  done(work, METER, board.pace.meterMs, now);
  work.emit({ kind: 'partition', step: { kind: 'sample', partitions } });
};

/** At which `tickMeters` may do what it would not do before. */
export const meterMoments = (work: Work): number[] => (isAnyMetered(work) ? [cadences.get(work, METER) ?? 0] : []);

export const sampled = (work: Work, board: Board, event: Of<'sampled'>, now: Instant): void => {
  const at = { ...now, monoMs: Math.min(event.atMonoMs ?? now.monoMs, now.monoMs) };
  for (const [id, counters] of event.counters) {
    // Its end may have met a full store and be told again later: where no process is, nothing is granted meanwhile.
    if (runs.get(work, id)?.process === 'running') take(work, board, id, counters, at, counters.pids > 0);
  }
  // When storage is short only boundaries are recorded: registers are cumulative, so no usage is lost by it.
  if (!isDue(work, RECORD, now) || isStuck(work, now) || chainOf(work).held >= LIMITS.outboxRecords) return;
  // In a turn of their own: what was sampled stays, whatever becomes of the records.
  recordings.put(work, now.monoMs, ONE);
  work.emit({ kind: 'wake', afterMs: 0 });
};

/** The records of all that runs, upon the samples taken just before. */
export const recordDue = (work: Work, board: Board, now: Instant): void => {
  if (recordings.get(work, ONE) === null || isStuck(work, now)) return;
  recordings.remove(work, ONE);
  done(work, RECORD, board.pace.recordMs, now);
  for (const id of metered(work)) if (instances.get(work, id)?.opened === true) record(work, board, id, 'point', now);
  settle(work, now);
};

/** Registers as they are now become the base of the next cgroup's counters. */
export const rebase = (work: Work, board: Board, id: string, now: Instant): void => {
  const instance = instances.get(work, id);
  if (instance === null) return;
  const registers = registersOf(meterOf(work, id, instance, board, now));
  instances.put(work, { ...instance, registers, base: registers, bootId: board.bootId, recordedMonoMs: Math.round(now.monoMs) }, id);
  meters.remove(work, id);
};
