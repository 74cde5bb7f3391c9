/** Taking an assignment: what is on it is wanted, what is not on it any more ends. */

import { assignments, documents, homes, type Instance, instances, ONE, type Run, runs } from '../core/tables.ts';
import { openLease, openRequest } from '../core/trust.ts';
import type { Bytes } from '../protocol/bytes.ts';
import { equal, hex } from '../protocol/bytes.ts';
import { asLichenError, refuse } from '../protocol/errors.ts';
import { ZERO } from '../protocol/money.ts';
import { payloadOf, unseal } from '../protocol/noun.ts';
import { desiredNoun, type Lease, leaseNoun } from '../protocol/nouns/lease.ts';
import type { Instant } from '../turn/clock.ts';
import { needDocuments } from './content.ts';
import type { Board, Work } from './events.ts';
import { fromHome, listed } from './session.ts';

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
});

export const desired = (work: Work, board: Board, payload: Bytes): void => {
  const { value, signer } = unseal(board.crypto, desiredNoun, payload);
  fromHome(work, board, signer, value);
  const home = homes.get(work, ONE);
  if (home === null || value.tenure !== home.tenure)
    refuse('stale', `an assignment of tenure ${value.tenure}, the present one is ${home?.tenure}`);
  const held = assignments.get(work, ONE);
  if (held !== null && held.tenure === value.tenure && value.seq < held.seq)
    refuse('stale', `assignment ${held.seq} is known, this is ${value.seq}`);
  const assigned = new Set<string>();
  for (const { lease, request } of value.leases) assigned.add(takeLease(work, board, lease, request));
  for (const { key, value: instance } of instances.all(work)) {
    if (!assigned.has(key) && instance.wanted !== 'gone') instances.put(work, { ...instance, wanted: 'gone' }, key);
  }
  assignments.put(work, { tenure: value.tenure, seq: value.seq }, ONE);
};

/** One bad lease is told and left out; it does not keep the others from running. */
const takeLease = (work: Work, board: Board, document: Bytes, request: Bytes): string => {
  try {
    const lease = openKnown(work, board, document);
    const known = instances.get(work, lease.lease);
    if (known === null) {
      instances.put(work, { ...newInstance(board), lease, request }, lease.lease);
      runs.put(work, freshRun('none'), lease.lease);
    } else if (!equal(known.request, request) || known.wanted === 'gone') {
      instances.put(work, { ...known, request, wanted: 'unknown' }, lease.lease);
      // What was wrong with the request before need not be wrong with this one.
      const run = runs.get(work, lease.lease);
      if (run !== null) runs.put(work, { ...run, error: '' }, lease.lease);
    }
    return lease.lease;
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `lease refused: ${error.message}` });
    return '';
  }
};

/** A lease that was taken once stands, whatever has become since of the gateway that signed it. */
const openKnown = (work: Work, board: Board, document: Bytes): Lease => {
  const { value, hash } = unseal(board.crypto, leaseNoun, document);
  const known = instances.get(work, value.lease);
  const isSame = known !== null && equal(board.crypto.sha256(payloadOf(leaseNoun, known.lease)), hash);
  return isSame ? value : openLease(board.crypto, board.id, listed(work), document);
};

const newInstance = (board: Board): Omit<Instance, 'lease' | 'request'> => ({
  sequence: 0,
  wanted: 'unknown',
  opened: false,
  closed: false,
  unpaid: false,
  registers: ZERO,
  base: ZERO,
  bootId: board.bootId,
  recordedMonoMs: 0,
});

/** Learns from the tenant's own document what it wants; an older one than was obeyed before is not obeyed. */
export const obey = (work: Work, board: Board, id: string, instance: Instance, now: Instant): Instance => {
  if (instance.wanted !== 'unknown' || !needDocuments(work, [instance.request], now)) return instance;
  const document = documents.get(work, hex(instance.request)) ?? refuse('internal', 'document');
  const request = openRequest(board.crypto, instance.lease, instance.request, document);
  if (request.sequence < instance.sequence)
    refuse('stale', `sequence ${instance.sequence} of ${request.name} was obeyed, this is ${request.sequence}`);
  const wanted = request.state === 'destroyed' ? 'gone' : request.state;
  const next: Instance = { ...instance, sequence: request.sequence, wanted };
  instances.put(work, next, id);
  return next;
};
