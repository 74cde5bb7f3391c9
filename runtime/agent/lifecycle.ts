/** Carrying instances from what is to what is wanted, one step at a time. */

import { checkDemands } from '../core/capacity.ts';
import { plan, restartDelayMs, type Step } from '../core/plan.ts';
import { contents, documents, holds, type Instance, instances, manifests, meters, type Run, runs, schedules } from '../core/tables.ts';
import { openManifest, openRequest } from '../core/trust.ts';
import type { PartitionSpec } from '../ports/partitions.ts';
import { type Bytes, hex } from '../protocol/bytes.ts';
import { asLichenError, refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import { unsealMany } from '../protocol/noun.ts';
import type { Lease } from '../protocol/nouns/lease.ts';
import type { Manifest } from '../protocol/nouns/release.ts';
import { publisherNoun } from '../protocol/nouns/trust.ts';
import type { Instant } from '../turn/clock.ts';
import { freshRun, obey } from './assignment.ts';
import { fetchRelease, needDocuments, sweepLater } from './content.ts';
import type { Board, Handler, Of, Work } from './events.ts';
import { rebase, record, take } from './metering.ts';
import { forgetProbes, freshPromises, probeAnew } from './promises.ts';
import { forgetReach, policyOf, unconnected } from './reach.ts';
import { adopt, deadlineOf, isHeld, partingMoments } from './renewal.ts';

const STOP_GRACE_MS = 3_000;

/** The verified manifest of a lease's release, once its documents are held. Throws why it may not run. */
const manifestFor = (work: Work, board: Board, lease: Lease): Manifest | null => {
  const known = manifests.get(work, lease.lease);
  if (known !== null) return known;
  const manifest = documents.get(work, hex(lease.release));
  const publisher = publisherChain(work, board, lease.publisher);
  if (manifest === null || publisher.missing !== null) return null;
  const opened = openManifest(board.crypto, lease, publisher.held, manifest);
  checkDemands(board.offer, opened, lease);
  manifests.put(work, opened, lease.lease);
  return opened;
};

/** That of any lease of a release: one that may not run does not hide the others. */
export const manifestOf = (work: Work, board: Board, release: string): Manifest | null => {
  for (const { value } of instances.all(work)) {
    if (hex(value.lease.release) !== release) continue;
    try {
      const found = manifestFor(work, board, value.lease);
      if (found !== null) return found;
    } catch (thrown) {
      if (asLichenError(thrown).code === 'internal') throw thrown;
    }
  }
  return null;
};

/** A publisher's versions as far as they are held, first one first, and the next that has to be asked for. */
const publisherChain = (work: Work, board: Board, newest: Bytes): { held: Bytes[]; missing: Bytes | null } => {
  const held: Bytes[] = [];
  let next: Bytes | null = newest;
  while (next !== null) {
    const document = documents.get(work, hex(next));
    if (document === null) return { held, missing: next };
    held.unshift(document);
    next = unsealMany(board.crypto, publisherNoun, document, 2 * LIMITS.rootKeys).value.previous;
  }
  return { held, missing: null };
};

const patch = (work: Work, id: string, change: Partial<Run>): void => {
  const run = runs.get(work, id);
  if (run !== null) runs.put(work, { ...run, ...change }, id);
};

/** Asks for the next step of every instance; a reason not to run one is kept with it and told in the report. */
export const advanceAll = (work: Work, board: Board, now: Instant): void => {
  for (const { key: id, value } of instances.all(work)) {
    try {
      advanceOne(work, board, id, obey(work, board, id, value, now), now);
    } catch (thrown) {
      const error = asLichenError(thrown);
      if (error.code === 'internal') throw thrown;
      if (runs.get(work, id)?.error !== error.code) work.emit({ kind: 'journal', line: `instance ${id}: ${error.message}` });
      patch(work, id, { error: error.code });
      forgetUnverified(work, board, value.lease);
    }
  }
};

/** At which `advanceAll` may do what it would not do before. */
export const advanceMoments = (work: Work): number[] => [
  ...runs.all(work).map(({ value }) => value.retryMonoMs),
  ...contents.all(work).map(({ value }) => value.movedMonoMs),
  ...partingMoments(work),
];

/**
 * A document's hash is that of its payload, so what carries another's signature may stand in its place. It is asked for
 * anew when the lease is next assigned, unless another lease was verified with it.
 */
const forgetUnverified = (work: Work, board: Board, lease: Lease): void => {
  if (manifestOf(work, board, hex(lease.release)) !== null) return;
  documents.remove(work, hex(lease.release));
  for (let next: Bytes | null = lease.publisher; next !== null; ) {
    const document: Bytes | null = documents.get(work, hex(next));
    documents.remove(work, hex(next));
    next = document === null ? null : previousOf(board, document);
  }
};

const previousOf = (board: Board, document: Bytes): Bytes | null => {
  try {
    return unsealMany(board.crypto, publisherNoun, document, 2 * LIMITS.rootKeys).value.previous;
  } catch (thrown) {
    if (asLichenError(thrown).code === 'internal') throw thrown;
    return null;
  }
};

/** Steps that only write rows are followed by the next at once: all of them are committed before any effect leaves. */
const advanceOne = (work: Work, board: Board, id: string, first: Instance, now: Instant): void => {
  let instance: Instance | null = first;
  for (let step: Step | null = 'open'; instance !== null && (step === 'open' || step === 'close'); instance = instances.get(work, id)) {
    const run = runs.get(work, id);
    if (run === null) return;
    const verified = isVerified(work, board, instance, run);
    const content = contents.get(work, hex(instance.lease.release));
    step = plan(instance, run, { verified, held: isHeld(work, id, instance, now), content }, now.monoMs);
    if (step !== null) STEPS[step](work, board, id, instance, now);
  }
};

/** Throws why it may not run: once, and not when it is on its way out anyway. */
const isVerified = (work: Work, board: Board, { lease, request, wanted }: Instance, { error }: Run): boolean =>
  wanted === 'gone' || (error === '' && documents.get(work, hex(request)) !== null && manifestFor(work, board, lease) !== null);

type Act = (work: Work, board: Board, id: string, instance: Instance, now: Instant) => void;

const STEPS: Record<Step, Act> = {
  verify: (work, board, _id, { lease, request }, now) => {
    const { missing } = publisherChain(work, board, lease.publisher);
    needDocuments(work, [lease.release, request, ...(missing === null ? [] : [missing])], now);
  },
  fetch: (work, board, _id, { lease }, now) => {
    const manifest = manifestFor(work, board, lease);
    if (manifest !== null) fetchRelease(work, manifest, lease.release, now);
  },
  // The zero record is durable before anything can be used: it accepts the lease and starts its registers.
  open: (work, board, id, _instance, now) => record(work, board, id, 'open', now),
  start: (work, board, id, instance, now) => {
    patch(work, id, { process: 'starting', busy: true, startedMonoMs: now.monoMs, over: '', endedMonoMs: null });
    // What passed between the zero record and now was not granted.
    instances.put(work, { ...instance, bootId: board.bootId, recordedMonoMs: Math.round(now.monoMs) }, id);
    work.emit({
      kind: 'partition',
      step: { kind: 'start', spec: specOf(work, board, instance), deadlineMonoMs: deadlineOf(work, id) },
    });
  },
  stop: (work, _board, id) => {
    patch(work, id, { process: 'stopping', busy: true });
    work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: STOP_GRACE_MS } });
  },
  close: (work, board, id, _instance, now) => record(work, board, id, 'close', now),
  remove: (work, _board, id, instance) => {
    patch(work, id, { process: 'removing', busy: true });
    work.emit({ kind: 'partition', step: { kind: 'remove', partition: id, data: instance.wanted === 'gone' } });
  },
  forget: (work, _board, id, _instance, now) => {
    instances.remove(work, id);
    runs.remove(work, id);
    meters.remove(work, id);
    manifests.remove(work, id);
    holds.remove(work, id);
    forgetProbes(work, id);
    forgetReach(work, id);
    sweepLater(work, now);
  },
};

const specOf = (work: Work, board: Board, instance: Instance): PartitionSpec => {
  const { lease } = instance;
  const manifest = manifestFor(work, board, lease) ?? refuse('missing-content', 'manifest');
  const request = openRequest(
    board.crypto,
    lease,
    instance.request,
    documents.get(work, hex(instance.request)) ?? refuse('missing-content', 'request'),
  );
  const rootPath = contents.get(work, hex(lease.release))?.rootPath ?? refuse('missing-content', 'root');
  const parameters = { ...manifest.parameters, ...request.parameters };
  const args = manifest.args.map((arg) => arg.replace(/\{\{([a-z][a-z0-9-]*)\}\}/g, (whole, name: string) => parameters[name] ?? whole));
  const env = Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [`LICHEN_${name.toUpperCase().replaceAll('-', '_')}`, value]),
  );
  const { engine, devices = [] } = manifest;
  const network = policyOf(work, board, lease.lease, instance);
  return { partition: lease.lease, rootPath, args, env: { ...manifest.env, ...env }, engine, limits: lease.limits, network, devices };
};

export const started: Handler<Of<'started'>> = (work, board, event, now) => {
  const instance = instances.get(work, event.partition);
  if (instance === null) return;
  const manifest = manifestOf(work, board, hex(instance.lease.release));
  patch(work, event.partition, { process: 'running', busy: false, address: event.address, promises: freshPromises(manifest) });
  probeAnew(work, event.partition);
  const over = runs.get(work, event.partition)?.over ?? '';
  if (over !== '') end(work, event.partition, over, now);
};

/** The counters are final: the record that follows is exact. */
export const stopped: Handler<Of<'stopped'>> = (work, board, event, now) => {
  const before = runs.get(work, event.partition);
  // What ended by itself, or was stopped while nobody could write it down, used nothing since.
  const monoMs = Math.min(event.atMonoMs ?? now.monoMs, before?.endedMonoMs ?? now.monoMs);
  take(work, board, event.partition, event.counters, { ...now, monoMs }, before?.process === 'stopping');
  patch(work, event.partition, { process: 'stopped', busy: false });
  const instance = instances.get(work, event.partition);
  if (instance?.opened === true && instance.wanted !== 'gone') record(work, board, event.partition, 'point', now);
};

/** What ends at once may be told before its start is, or before the survey that found it. */
export const exited: Handler<Of<'exited'>> = (work, _board, event, now) => {
  const { process } = runs.get(work, event.partition) ?? freshRun('none');
  const how = event.exit.oomKilled ? 'out of memory' : `exit ${event.exit.code ?? event.exit.signal}`;
  patch(work, event.partition, { endedMonoMs: event.atMonoMs ?? now.monoMs });
  if (process === 'starting' || process === 'unknown') patch(work, event.partition, { over: how });
  else if (process === 'running') end(work, event.partition, how, now);
};

/** Ended by itself: its counters are read as of a stop, then it is started again with a growing delay. */
const end = (work: Work, id: string, how: string, now: Instant): void => {
  const { restarts } = runs.get(work, id) ?? freshRun('none');
  work.emit({ kind: 'journal', line: `instance ${id}: ${how}` });
  const retryMonoMs = now.monoMs + restartDelayMs(restarts);
  patch(work, id, { process: 'stopping', busy: true, restarts: restarts + 1, retryMonoMs, over: '' });
  work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
};

export const removed: Handler<Of<'removed'>> = (work, board, event, now) => {
  rebase(work, board, event.partition, now);
  patch(work, event.partition, { process: 'none', busy: false });
};

/** Steps that change nothing of what runs. */
const ASIDE: ReadonlySet<string> = new Set(['probe', 'sample', 'extend', 'connect', 'log']);

/** A step that could not be done is tried again after a while, from what is then the case. */
export const stepRefused: Handler<Of<'refused'>> = (work, _board, event, now) => {
  work.emit({ kind: 'journal', line: `partition ${event.partition ?? ''} ${event.step}: ${event.error.message}` });
  if (event.step === 'survey') schedules.put(work, now.monoMs + restartDelayMs(0), SURVEY);
  if (event.step === 'connect' && event.partition !== null) unconnected(work, event.partition, now);
  const run = event.partition === null ? null : runs.get(work, event.partition);
  if (run === null || event.partition === null || ASIDE.has(event.step)) return;
  const back: Run['process'] = event.step === 'start' ? 'stopped' : event.step === 'stop' ? 'running' : 'stopped';
  patch(work, event.partition, {
    process: back,
    busy: false,
    restarts: run.restarts + 1,
    retryMonoMs: now.monoMs + restartDelayMs(run.restarts),
  });
};

const SURVEY = 'survey';

export const survey = (work: Work): void => work.emit({ kind: 'partition', step: { kind: 'survey' } });

/** Until one is answered nothing that was there before is touched, so one that was refused is asked for again. */
export const tickSurvey = (work: Work, now: Instant): void => {
  if (now.monoMs < (schedules.get(work, SURVEY) ?? Number.POSITIVE_INFINITY)) return;
  schedules.remove(work, SURVEY);
  survey(work);
};

export const surveyMoments = (work: Work): number[] => [schedules.get(work, SURVEY) ?? Number.POSITIVE_INFINITY];

/** After a start of the runtime: instances that still run are adopted, what belongs to no lease is taken away. */
export const surveyed: Handler<Of<'surveyed'>> = (work, board, event, now) => {
  const found = new Map(event.found.map((partition) => [partition.partition, partition]));
  for (const { key: id, value: instance } of instances.all(work)) {
    const alive = found.get(id);
    found.delete(id);
    const run = runs.get(work, id);
    // What was leased since the survey was asked for is in good hands already.
    if (run?.process !== 'unknown') continue;
    if (alive === undefined) {
      // No cgroup is left (a reboot): what it had counted since the last record is lost, in the tenant's favour.
      instances.put(work, { ...instance, base: instance.registers, bootId: board.bootId, recordedMonoMs: Math.round(now.monoMs) }, id);
      runs.put(work, freshRun('none'), id);
    } else {
      const manifest = manifestOf(work, board, hex(instance.lease.release));
      const running = alive.running && run.over === '';
      adopt(work, id, alive.deadlineMonoMs);
      // When it ended is not known: the time since its last record is not charged.
      runs.put(work, { ...freshRun(running ? 'running' : 'stopped'), promises: freshPromises(manifest), busy: !running }, id);
      probeAnew(work, id);
      if (!running) work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
    }
  }
  for (const id of found.keys()) {
    work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
    work.emit({ kind: 'partition', step: { kind: 'remove', partition: id, data: true } });
  }
};
