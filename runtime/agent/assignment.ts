/** Taking an assignment: what is on it is wanted, what is not on it any more ends. */

import { dataOf } from '../core/hooks.ts';
import { isUpdateOf } from '../core/succession.ts';
import { systemWishes, upkeepWishes } from '../core/system-tables.ts';
import { assignments, homes, type Instance, instances, leaseDocuments, ONE, type Run, runs } from '../core/tables.ts';
import { checkVoucher, openLease, openRequest } from '../core/trust.ts';
import type { Bytes } from '../protocol/bytes.ts';
import { equal } from '../protocol/bytes.ts';
import { asLichenError, refuse } from '../protocol/errors.ts';
import { ZERO } from '../protocol/money.ts';
import { payloadOf, unseal } from '../protocol/noun.ts';
import { dataMibOf } from '../protocol/nouns/data.ts';
import { desiredNoun, type Lease, leaseNoun } from '../protocol/nouns/lease.ts';
import type { Fallback, Request } from '../protocol/nouns/request.ts';
import type { Instant } from '../turn/clock.ts';
import { closedBy } from './chain.ts';
import { documentOf, needDocuments } from './documents.ts';
import type { Board, Work } from './events.ts';
import { noteObeyed, sequenceKnown } from './remember.ts';
import { fromHome, listed as listedGateways } from './session.ts';
import { forgetRelease } from './trials.ts';

export const freshRun = (process: Run['process']): Run => ({
  process,
  busy: false,
  rootPath: null,
  startedMonoMs: 0,
  restarts: 0,
  retryMonoMs: 0,
  address: null,
  promises: {},
  error: '',
  over: '',
  endedMonoMs: null,
  lastEnd: '',
  streak: 0,
  connection: null,
  unfit: '',
  holds: null,
  giving: '',
  said: new Map(),
});

export const desired = (work: Work, board: Board, payload: Bytes, now: Instant): void => {
  const { value, signer } = unseal(board.crypto, desiredNoun, payload);
  fromHome(work, board, signer, value);
  const home = homes.get(work, ONE);
  if (home === null || value.tenure !== home.tenure)
    refuse('stale', `an assignment of tenure ${value.tenure}, the present one is ${home?.tenure}`);
  const held = assignments.get(work, ONE);
  if (held !== null && held.tenure === value.tenure && value.seq < held.seq)
    refuse('stale', `assignment ${held.seq} is known, this is ${value.seq}`);
  const assigned = value.leases.flatMap(({ lease, request, shares = [] }) => {
    const opened = orTold(work, () => openKnown(work, board, lease));
    return opened === null ? [] : [{ lease: opened, document: lease, request, shares }];
  });
  endUnlisted(
    work,
    assigned.map(({ lease }) => lease),
    now,
  );
  for (const one of assigned) orTold(work, () => takeLease(work, board, one, now));
  assignments.put(work, { tenure: value.tenure, seq: value.seq }, ONE);
  for (const [part, wish] of [['system', value.image] as const, ['runtime', value.runtime] as const]) {
    if (wish === undefined) systemWishes.remove(work, part);
    else systemWishes.put(work, { ...wish, looked: false, word: null, refused: '', unfit: false }, part);
  }
  if (value.upkeep === undefined) upkeepWishes.remove(work, ONE);
  else upkeepWishes.put(work, { upkeep: value.upkeep, looked: false }, ONE);
};

/** What is not listed ends: at once, or when it lets another release on this board take its place. */
const endUnlisted = (work: Work, listed: Lease[], now: Instant): void => {
  const ids = new Set<string>(listed.map(({ lease }) => lease));
  for (const { key, value: instance } of instances.all(work)) {
    if (ids.has(key)) continue;
    const { wanted, supersededMonoMs } = instance;
    // What its tenant had stopped, or what was to end already, does not begin again for that.
    const stands = wanted === 'started' || wanted === 'unknown' || supersededMonoMs !== null;
    const isUpdated = stands && listed.some((lease) => isUpdateOf(lease, instance.lease));
    const since = isUpdated ? (supersededMonoMs ?? Math.round(now.monoMs)) : null;
    // On no trial, so often it was begun since: of its hook before the update that is to be told.
    const isJudged = instance.fallback !== null && instance.trial === 'open';
    const begun = supersededMonoMs === null && !isJudged ? 0 : instance.begun;
    // A request that was on its way asks nothing of it any more.
    if (wanted !== 'gone' || since !== supersededMonoMs)
      instances.put(work, { ...instance, asked: null, wanted: 'gone', supersededMonoMs: since, begun }, key);
  }
};

/** One bad lease is told and left out; it does not keep the others from running. */
const orTold = <T>(work: Work, take: () => T): T | null => {
  try {
    return take();
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `lease refused: ${error.message}` });
    return null;
  }
};

interface Assigned {
  lease: Lease;
  /** The lease as it was signed. */
  document: Bytes;
  request: Bytes;
  shares: Bytes[];
}

const takeLease = (work: Work, board: Board, { lease, document, request, shares }: Assigned, now: Instant): void => {
  const known = instances.get(work, lease.lease);
  if (known === null) {
    const closed = closedBy(work, lease.lease);
    // Whoever lists it has not heard of its end; used again, it would be used for nothing (metering-2).
    if (closed !== null) refuse('stale', `lease ${lease.lease} was closed by record ${closed}`);
    checkRoom(work, board, lease);
    instances.put(work, { ...newInstance(board), lease, request, listed: shares }, lease.lease);
    leaseDocuments.put(work, document, lease.lease);
    needDocuments(work, [request, lease.voucher], now);
    runs.put(work, freshRun('none'), lease.lease);
    return;
  }
  const asked = equal(known.request, request) ? null : request;
  const wanted = known.wanted === 'gone' ? 'unknown' : known.wanted;
  instances.put(work, { ...known, asked, wanted, listed: shares, supersededMonoMs: null }, lease.lease);
  // What was wrong before need not be wrong with what is given this time.
  const run = runs.get(work, lease.lease);
  if (run !== null) runs.put(work, { ...run, error: '' }, lease.lease);
};

/** Gateways count what a board offers; the board counts too, as one of them may not. Error: `no-room`. */
const checkRoom = (work: Work, board: Board, lease: Lease): void => {
  const staying = instances.all(work).flatMap(({ value }) => (value.wanted === 'gone' ? [] : [value.lease]));
  const sum = (of: (one: Lease) => number): number => [...staying, lease].reduce((total, one) => total + of(one), 0);
  const { partitions, memoryMib, cpuMillis, dataMib = 0 } = board.offer;
  const fits =
    sum(() => 1) <= partitions &&
    sum(({ limits }) => limits.memoryMib + limits.tmpMib) <= memoryMib &&
    sum(({ limits }) => limits.cpuMillis) <= cpuMillis &&
    sum(({ limits }) => dataMibOf(limits)) <= dataMib;
  if (!fits)
    refuse(
      'no-room',
      `lease ${lease.lease} is over what this board offers: ${partitions} partitions, ${memoryMib} MiB, ${cpuMillis} m, ${dataMib} MiB of data`,
    );
};

/** A lease that was taken once stands, whatever has become since of the gateway that signed it. */
const openKnown = (work: Work, board: Board, document: Bytes): Lease => {
  const { value, hash } = unseal(board.crypto, leaseNoun, document);
  const known = instances.get(work, value.lease);
  const isSame = known !== null && equal(board.crypto.sha256(payloadOf(leaseNoun, known.lease)), hash);
  return isSame ? value : openLease(board.crypto, board.id, listedGateways(work), document);
};

const newInstance = (board: Board): Omit<Instance, 'lease' | 'listed' | 'request'> => ({
  sequence: 0,
  asked: null,
  shares: [],
  wanted: 'unknown',
  opened: false,
  closed: false,
  unpaid: false,
  registers: ZERO,
  base: ZERO,
  bootId: board.bootId,
  recordedMonoMs: 0,
  wants: '',
  given: '',
  bang: 0,
  banged: 0,
  supersededMonoMs: null,
  holdMs: null,
  windows: null,
  fallback: null,
  trial: 'open',
  failure: '',
  begun: 0,
  outcome: null,
  began: null,
  left: null,
  hook: 'none',
});

/** Digest of the parameters that an instance is given upon a request; empty while its release is not known. Throws what is wrong with them. */
export type DigestOf = (instance: Instance, request: Request) => string;

/** Learns from the tenant's own documents what it wants, and that it pays. Until a newer one is verified, the one before is obeyed. */
export const obey = (work: Work, board: Board, id: string, instance: Instance, digestOf: DigestOf, now: Instant): Instance => {
  const named = instance.asked ?? (instance.wanted === 'unknown' ? instance.request : null);
  const [isNew, { voucher }] = [instance.sequence === 0, instance.lease];
  if (named === null || runs.get(work, id)?.error !== '' || !needDocuments(work, isNew ? [named, voucher] : [named], now)) return instance;
  try {
    const next = obeyed(work, board, instance, named, digestOf);
    noteObeyed(work, next.lease.request, next.sequence);
    instances.put(work, next, id);
    return next;
  } catch (thrown) {
    const error = asLichenError(thrown);
    const kept: Instance = { ...instance, asked: null };
    instances.put(work, kept, id);
    if (error.code === 'internal' || instance.wanted === 'unknown') throw thrown;
    work.emit({ kind: 'journal', line: `request for ${id} refused: ${error.message}` });
    return kept;
  }
};

/** Whoever asks again, whatever for, has the release that failed tried again. */
const retriedBy = (work: Work, instance: Instance, { sequence }: Request): Instance => {
  if (sequence <= instance.sequence || instance.trial !== 'failed') return instance;
  forgetRelease(work, instance.lease.lease);
  // It finds what the one in its place has left.
  return { ...instance, trial: 'open', failure: '', begun: 0, outcome: null, hook: 'due', left: dataOf(instance) };
};

/** What has nothing before it to go back to is not on trial, such as the release before while another is rolled out. */
const fallbackOf = ({ fallback }: Request, lease: Lease): Fallback | null =>
  fallback === undefined || equal(fallback.release, lease.release) ? null : fallback;

/** An older request than was obeyed before, under whichever lease, is not obeyed. */
const obeyed = (work: Work, board: Board, instance: Instance, named: Bytes, digestOf: DigestOf): Instance => {
  const request = openRequest(board.crypto, instance.lease, named, documentOf(work, named));
  if (instance.sequence === 0) checkVoucher(board.crypto, instance.lease, documentOf(work, instance.lease.voucher));
  const known = sequenceKnown(work, instance.lease.request);
  if (request.sequence < known) refuse('stale', `sequence ${known} of ${request.name} was obeyed, this is ${request.sequence}`);
  const wanted = request.state === 'destroyed' ? 'gone' : request.state;
  const retried = retriedBy(work, instance, request);
  const wants = wanted === 'gone' ? instance.wants : digestOf(retried, request);
  const bang = Math.max(instance.bang, request.bang ?? 0);
  return {
    ...{ ...retried, request: named, asked: null, sequence: request.sequence, wanted, wants, bang },
    ...{ holdMs: request.holdMs ?? null, windows: request.windows ?? null, fallback: fallbackOf(request, instance.lease) },
  };
};
