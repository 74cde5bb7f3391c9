/** Carrying instances from what is to what is wanted, one step at a time. */

import { atProgram, hookOf, unended } from '../core/hooks.ts';
import { type Facts, plan, restartDelayMs, STEADY_MS, type Step } from '../core/plan.ts';
import { follows } from '../core/succession.ts';
import {
  contents,
  documents,
  holds,
  type Instance,
  instances,
  leaseDocuments,
  looks,
  manifests,
  meters,
  type Run,
  runs,
  schedules,
  servings,
} from '../core/tables.ts';
import { isOther, leaseToRun, releaseOf } from '../core/trial.ts';
import { hex } from '../protocol/bytes.ts';
import { asLichenError, type LichenError, refuse } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { HookName } from '../protocol/nouns/release.ts';
import { beginning } from '../protocol/printable.ts';
import type { Instant } from '../turn/clock.ts';
import { freshRun, obey } from './assignment.ts';
import { fetchRelease } from './content.ts';
import { needDocuments } from './documents.ts';
import type { Board, Handler, Of, Work } from './events.ts';
import { digestFor, givenNow, servingNow, wantedBy } from './given.ts';
import { bequeath, failHook, hookEnded, hookFirst, hookMoments, leavesFirst, tendHook } from './hooks.ts';
import { rebase, record, take } from './metering.ts';
import { isParting } from './parting.ts';
import { forgetProbes, freshPromises, probeAnew } from './promises.ts';
import { forgetReach, unconnected } from './reach.ts';
import { adopt, deadlineOf, isHeld, partingMoments } from './renewal.ts';
import { forgetShares, heed, heedMoments, serve } from './shares.ts';
import { stayMoments, staysFor, successorOf } from './staying.ts';
import { sweepLater } from './sweeping.ts';
import { judge, judgeMoments } from './trials.ts';
import { forgetUnverified, manifestFor, manifestOf, publisherChain } from './verified.ts';

/** Unless its manifest says otherwise. */
const STOP = { signal: 'SIGTERM', graceMs: 3_000 } as const;

const patch = (work: Work, id: string, change: Partial<Run>): void => {
  const run = runs.get(work, id);
  if (run !== null) runs.put(work, { ...run, ...change }, id);
};

/** Asks for the next step of every instance; a reason not to run one is kept with it and told in the report. */
export const advanceAll = (work: Work, board: Board, now: Instant): void => {
  // One content at a time is on its way: what is here already, and runs again with it, is not to wait for what may take long.
  const [opened, others] = [true, false].map((is) => instances.all(work).filter(({ value }) => value.opened === is));
  for (const { key: id, value } of [...(opened ?? []), ...(others ?? [])]) {
    try {
      const obedient = obey(work, board, id, value, digestFor(work, board), now);
      advanceOne(work, board, id, heed(work, board, id, obedient, now), now);
    } catch (thrown) {
      const error = asLichenError(thrown);
      if (error.code === 'internal') throw thrown;
      noteError(work, id, error);
      forgetUnverified(work, board, value.lease);
    }
  }
};

/** Its lease is used no more, or never was. */
const isOver = ({ opened, closed }: Instance): boolean => closed || !opened;

const noteError = (work: Work, id: string, error: LichenError): void => {
  const told = beginning(error.message, LIMITS.textBytes / 4);
  if (runs.get(work, id)?.error !== told) work.emit({ kind: 'journal', line: `instance ${id}: ${error.message}` });
  patch(work, id, { error: told });
};

/** At which `advanceAll` may do what it would not do before. */
export const advanceMoments = (work: Work, board: Board, now: Instant): number[] => [
  ...runs.all(work).map(({ value }) => value.retryMonoMs),
  ...contents.all(work).map(({ value }) => value.movedMonoMs),
  ...partingMoments(work),
  ...judgeMoments(work),
  ...hookMoments(work),
  ...heedMoments(work, board),
  ...stayMoments(work, now),
];

const factsOf = (work: Work, board: Board, id: string, instance: Instance, run: Run, now: Instant): Facts => {
  const holdsOff = staysFor(work, id, instance, run, now);
  return {
    verified: isVerified(work, board, instance, run, holdsOff),
    held: isHeld(work, id, instance, now),
    content: contents.get(work, hex(releaseOf(instance))),
    reloads: manifests.get(work, id)?.reload !== undefined,
    isOther: isOther(instance),
    holdsOff,
    hook: hookOf(instance),
    leaves: leavesFirst(work, board, instance),
    waits: instances.all(work).some(({ value }) => value.wanted === 'gone' && follows(instance.lease, value.lease)),
    parts: isParting(work),
  };
};

/** Steps that only write rows are followed by the next at once: all of them are committed before any effect leaves. */
const advanceOne = (work: Work, board: Board, id: string, first: Instance, now: Instant): void => {
  let instance: Instance | null = first;
  for (let step: Step | null = 'open'; instance !== null && (step === 'open' || step === 'close'); instance = instances.get(work, id)) {
    const before = runs.get(work, id);
    if (before === null) return;
    tendHook(work, board, id, instance, before, now);
    instance = judge(work, board, id, instances.get(work, id) ?? instance, runs.get(work, id) ?? before, now);
    const run = runs.get(work, id) ?? before;
    const facts = factsOf(work, board, id, instance, run, now);
    if (facts.verified) instance = learn(work, board, id, instance);
    if (facts.verified && run.process === 'running') remember(work, board, id, instance, now);
    step = plan(instance, run, facts, now.monoMs);
    if (step !== null) STEPS[step](work, board, id, instance, now);
  }
};

/** Throws why it may not run: once, and not when it is on its way out anyway, or runs until it is. */
const isVerified = (work: Work, board: Board, instance: Instance, { error, process }: Run, holdsOff: boolean): boolean =>
  (instance.wanted === 'gone' && (!holdsOff || process === 'running')) ||
  (error === '' && documents.get(work, hex(instance.request)) !== null && manifestFor(work, board, leaseToRun(instance)) !== null);

/** Its request may have been obeyed before its release was known: what that says of its parameters comes to light now. */
const learn = (work: Work, board: Board, id: string, instance: Instance): Instance => {
  if (instance.wants !== '' || instance.wanted === 'gone' || instance.wanted === 'unknown') return instance;
  const next = { ...instance, wants: wantedBy(work, board, instance) };
  instances.put(work, next, id);
  return next;
};

/** What was begun before the runtime was serves whom it was given then. */
const remember = (work: Work, board: Board, id: string, instance: Instance, now: Instant): void => {
  if (instance.shares.length > 0 && servings.get(work, id) === null) serve(work, id, servingNow(work, board, instance), now);
};

type Act = (work: Work, board: Board, id: string, instance: Instance, now: Instant) => void;

/** With its program, or with a hook of its release. */
const begin = (work: Work, board: Board, id: string, instance: Instance, hook: HookName | null, now: Instant): void => {
  const { spec, digest, serving } = givenNow(work, board, instance, hook);
  serve(work, id, serving, now);
  patch(work, id, { process: 'starting', busy: true, startedMonoMs: now.monoMs, over: '', endedMonoMs: null });
  // What passed between the zero record and now was not granted.
  const since = { bootId: board.bootId, recordedMonoMs: Math.round(now.monoMs) };
  const begins = { begun: instance.begun + 1, began: releaseOf(instance), hook: hook ?? atProgram(instance) };
  instances.put(work, { ...instance, ...since, ...begins, wants: digest, given: digest, banged: instance.bang }, id);
  work.emit({ kind: 'partition', step: { kind: 'start', spec, deadlineMonoMs: deadlineOf(work, id) } });
};

const STEPS: Record<Step, Act> = {
  verify: (work, board, _id, instance, now) => {
    const { missing } = publisherChain(work, board, instance.lease.publisher);
    needDocuments(work, [releaseOf(instance), instance.request, ...(missing === null ? [] : [missing])], now);
  },
  fetch: (work, board, _id, instance, now) => {
    const manifest = manifestFor(work, board, leaseToRun(instance));
    if (manifest !== null) fetchRelease(work, manifest, releaseOf(instance), now);
  },
  // The zero record is durable before anything can be used: it accepts the lease and starts its registers.
  open: (work, board, id, _instance, now) => record(work, board, id, 'open', now),
  start: (work, board, id, instance, now) => begin(work, board, id, instance, hookFirst(work, id, instance), now),
  leave: (work, board, id, instance, now) => {
    const content = contents.get(work, hex(releaseOf(instance)));
    // What it would be begun from is not to be had any more: what runs goes on, and the update waits for a word of its tenant.
    if (content?.phase === 'refused') failHook(work, id, instance, 'before', content.error);
    else begin(work, board, id, instance, 'before', now);
  },
  reload: (work, board, id, instance, now) => {
    const { spec, digest, serving } = givenNow(work, board, instance);
    serve(work, id, serving, now);
    const signal = manifests.get(work, id)?.reload ?? refuse('internal', 'nothing to reload by');
    patch(work, id, { busy: true, giving: digest });
    work.emit({ kind: 'partition', step: { kind: 'reload', partition: id, parameters: spec.parameters, shares: spec.shares, signal } });
  },
  stop: (work, _board, id, instance) => {
    const { lease } = instance;
    patch(work, id, { process: 'stopping', busy: true });
    // It did not end by itself; a hook that was told to end has not ended well, whatever it says.
    const hook = hookOf(instance);
    const undone = hook === null ? {} : { hook: unended(hook) };
    instances.put(work, { ...instance, ...undone, begun: Math.max(0, instance.begun - 1) }, id);
    const { signal, graceMs } = manifests.get(work, id)?.stop ?? STOP;
    // Whatever it asks for, what is guarded is over when its lease is.
    const kindly = lease.guarded === undefined ? graceMs : Math.min(graceMs, STOP.graceMs);
    work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: kindly, signal } });
  },
  close: (work, board, id, _instance, now) => record(work, board, id, 'close', now),
  remove: (work, _board, id, instance) => {
    patch(work, id, { process: 'removing', busy: true });
    // What begins again under its lease finds its data.
    const isGone = instance.wanted === 'gone' && isOver(instance);
    const heir = isGone ? successorOf(work, instance) : null;
    if (heir !== null) bequeath(work, instance, heir);
    const step = { kind: 'remove' as const, partition: id, data: isGone };
    work.emit({ kind: 'partition', step: heir === null ? step : { ...step, heir: heir.key } });
  },
  forget: (work, _board, id, instance, now) => {
    instances.remove(work, id);
    runs.remove(work, id);
    meters.remove(work, id);
    manifests.remove(work, id);
    if (!instance.opened) leaseDocuments.remove(work, id);
    holds.remove(work, id);
    looks.remove(work, id);
    forgetProbes(work, id);
    forgetReach(work, id);
    forgetShares(work, instance);
    sweepLater(work, now);
  },
};

/** Its program has begun: what is in `/data` now is its own. */
const own = (work: Work, id: string, instance: Instance): void => {
  if (instance.hook !== 'none') instances.put(work, { ...instance, hook: 'none' }, id);
};

/** What the program before said is not its own. */
const UNSAID = { connection: null, unfit: '', holds: null, said: new Map() };

/** A request may have come meanwhile that asks for others again. */
export const reloaded: Handler<Of<'reloaded'>> = (work, _board, event) => {
  const { partition: id } = event;
  const instance = instances.get(work, id);
  const given = runs.get(work, id)?.giving ?? '';
  patch(work, id, { busy: false, giving: '' });
  if (instance !== null && given !== '') instances.put(work, { ...instance, given }, id);
};

export const started: Handler<Of<'started'>> = (work, board, event, now) => {
  const instance = instances.get(work, event.partition);
  if (instance === null) return;
  const isHook = hookOf(instance) !== null;
  const manifest = manifestOf(work, board, hex(releaseOf(instance)));
  const promises = isHook ? {} : freshPromises(manifest, now);
  patch(work, event.partition, { process: 'running', busy: false, address: event.address, promises, ...UNSAID });
  if (!isHook) own(work, event.partition, instance);
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
  hookEnded(work, event, now);
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

/** Ended by itself: its counters are read as of a stop, then it is started again, ever later while it does not run for long. */
const end = (work: Work, id: string, how: string, now: Instant): void => {
  const { restarts, streak, startedMonoMs } = runs.get(work, id) ?? freshRun('none');
  work.emit({ kind: 'journal', line: `instance ${id}: ${how}` });
  const instance = instances.get(work, id);
  if (instance !== null && hookOf(instance) !== null) {
    // That is what it is for; how it ended is judged when its counters are read.
    patch(work, id, { process: 'stopping', busy: true, over: '' });
    work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
    return;
  }
  const before = now.monoMs - startedMonoMs >= STEADY_MS ? 0 : streak;
  const retryMonoMs = now.monoMs + restartDelayMs(before);
  patch(work, id, { process: 'stopping', busy: true, restarts: restarts + 1, streak: before + 1, retryMonoMs, over: '', lastEnd: how });
  work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
};

export const removed: Handler<Of<'removed'>> = (work, board, event, now) => {
  rebase(work, board, event.partition, now);
  const instance = instances.get(work, event.partition);
  // With its data: nothing is left of what it began.
  if (instance?.wanted === 'gone' && isOver(instance)) instances.put(work, { ...instance, began: null }, event.partition);
  patch(work, event.partition, { process: 'none', busy: false });
};

/** Steps that change nothing of what runs. */
const ASIDE: ReadonlySet<string> = new Set(['probe', 'sample', 'extend', 'connect', 'log', 'look', 'drop']);

/** There is no room to keep `/data` for the way back: a release on trial does not begin without. */
const isUnkept = (work: Work, { step, partition, error }: Of<'refused'>): boolean => {
  const instance = instances.get(work, partition ?? '');
  return step === 'start' && error.code === 'storage-full' && instance?.trial === 'open' && instance.fallback !== null;
};

/** A step that could not be done is tried again after a while, from what is then the case. */
export const stepRefused: Handler<Of<'refused'>> = (work, _board, event, now) => {
  work.emit({ kind: 'journal', line: `partition ${event.partition ?? ''} ${event.step}: ${event.error.message}` });
  if (event.step === 'survey') schedules.put(work, now.monoMs + restartDelayMs(0), SURVEY);
  if (event.step === 'connect' && event.partition !== null) unconnected(work, event.partition, now);
  const run = event.partition === null ? null : runs.get(work, event.partition);
  if (run === null || event.partition === null || ASIDE.has(event.step)) return;
  // Such as a program for another processor: trying again would change nothing.
  const instance = instances.get(work, event.partition);
  if (event.step === 'start' && event.error.code === 'bad-release' && instance?.hook === 'before')
    failHook(work, event.partition, instance, 'before', event.error.detail);
  else if (event.error.code === 'bad-release' || isUnkept(work, event)) noteError(work, event.partition, event.error);
  const back: Run['process'] = event.step === 'stop' || event.step === 'reload' ? 'running' : 'stopped';
  patch(work, event.partition, {
    process: back,
    busy: false,
    restarts: run.restarts + 1,
    streak: run.streak + 1,
    retryMonoMs: now.monoMs + restartDelayMs(run.streak),
    ...(event.step === 'start' && { lastEnd: `could not begin: ${event.error.detail}` }),
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
      const manifest = manifestOf(work, board, hex(releaseOf(instance)));
      const running = alive.running && run.over === '';
      adopt(work, id, alive.deadlineMonoMs);
      // When it ended is not known: the time since its last record is not charged.
      const isHook = hookOf(instance) !== null;
      if (running && !isHook) own(work, id, instance);
      // Of a hook the time begins anew: when it was begun nobody knows any more.
      const known = isHook ? { promises: {}, startedMonoMs: now.monoMs } : { promises: freshPromises(manifest, now) };
      const adopted = { ...freshRun(running ? 'running' : 'stopped'), ...known, busy: !running };
      runs.put(work, { ...adopted, address: running ? alive.address : null }, id);
      probeAnew(work, id);
      if (!running) work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
    }
  }
  for (const id of found.keys()) {
    work.emit({ kind: 'partition', step: { kind: 'stop', partition: id, graceMs: 0 } });
    work.emit({ kind: 'partition', step: { kind: 'remove', partition: id, data: true } });
  }
};
