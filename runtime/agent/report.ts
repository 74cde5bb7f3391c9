/** What the board says of its instances: at once when something changed, else now and then. */

import { isSameCard } from '../core/card.ts';
import { hookOf } from '../core/hooks.ts';
import { STEADY_MS } from '../core/plan.ts';
import { cards, contents, type Instance, instances, lastReports, liars, links, ONE, type Run, reaches, runs } from '../core/tables.ts';
import { releaseOf } from '../core/trial.ts';
import { type Bytes, equal, hex } from '../protocol/bytes.ts';
import { type GatewayId, idFrom } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import { seal } from '../protocol/noun.ts';
import { type InstanceState, type Report, reportNoun, type SystemReport } from '../protocol/nouns/board.ts';
import { beginning } from '../protocol/printable.ts';
import type { Instant } from '../turn/clock.ts';
import type { Board, Handler, Of, Work } from './events.ts';
import { GRACE_MS, promiseOf } from './promises.ts';
import { systemReport } from './system.ts';

const STATE: Record<Run['process'], InstanceState> = {
  unknown: 'starting',
  none: 'fetching',
  starting: 'starting',
  running: 'running',
  // Not before its processes are gone and its counters final: whoever reads `stopped` may hold the bill against the kernel.
  stopping: 'running',
  stopped: 'stopped',
  removing: 'starting',
};

const stateOf = (work: Work, instance: Instance, run: Run): InstanceState => {
  if (run.error !== '') return 'refused';
  if (instance.wanted === 'gone') return 'closing';
  if (instance.unpaid) return 'unpaid';
  if (run.process === 'running' && hookOf(instance) !== null) return 'starting';
  // What was stopped to begin anew did not crash.
  if (run.process === 'stopped' && instance.wanted === 'started') return run.streak > 0 ? 'crashed' : 'starting';
  if (run.process === 'none' && instance.wanted === 'stopped') return 'stopped';
  if (run.process === 'none' && contents.get(work, hex(releaseOf(instance)))?.phase === 'held') return 'starting';
  return STATE[run.process];
};

/** For people; what is longer says the rest when the first is mended. */
const DETAIL_MAX = 200;
/** So often without having run for long, it is in a loop. */
const LOOP = 5;

/** How it ended, while it is down or goes on ending; empty when it is well. */
const endOf = ({ process, streak, lastEnd, startedMonoMs }: Run, now: Instant): string => {
  if (streak === 0 || lastEnd === '') return '';
  const isUp = process === 'running';
  if (streak >= LOOP && !(isUp && now.monoMs - startedMonoMs >= STEADY_MS)) return `crash loop: ${lastEnd}, ${streak} times in a row`;
  return isUp ? '' : lastEnd;
};

/**
 * The first that is so: why it is refused, how it ended, which promise is broken, what it does not reach, what it
 * publishes amiss, what its content lacks, why another release runs in the place of its own.
 */
const detailOf = (work: Work, id: string, instance: Instance, run: Run, now: Instant): string => {
  const failing = Object.entries(run.promises).find(([, state]) => state.held === false);
  const broken = failing === undefined ? '' : `${failing[0]}: ${failing[1].detail}`;
  const lacks = run.process === 'running' ? (reaches.get(work, id)?.lacks.join('; ') ?? '') : '';
  const content = contents.get(work, hex(releaseOf(instance)))?.error ?? '';
  const first = [run.error, endOf(run, now), broken, lacks, run.unfit, content, instance.failure].find((text) => text !== '');
  return beginning(first ?? '', DETAIL_MAX);
};

/** As many as a report holds; while one lot makes way for the next, those that stay are told first. */
const reportOf = (work: Work, now: Instant): Report['instances'] => {
  const leaving = ({ value }: { value: Instance }): number => (value.wanted === 'gone' ? 1 : 0);
  const told = instances.all(work).sort((a, b) => leaving(a) - leaving(b));
  return told.slice(0, LIMITS.partitionsPerBoard).flatMap(({ key, value: instance }) => {
    const run = runs.get(work, key);
    if (run === null) return [];
    const promise = promiseOf(instance, run, now);
    const state = stateOf(work, instance, run);
    const { restarts, address, connection } = run;
    const told = { lease: instance.lease.lease, state, promise, restarts, address, detail: detailOf(work, key, instance, run, now) };
    const instead = instance.trial === 'failed' ? { instead: releaseOf(instance) } : {};
    const outcome = instance.outcome === null ? {} : { outcome: instance.outcome };
    return [{ ...told, ...(connection !== null && { connection }), ...instead, ...outcome }];
  });
};

/** Those of last, if there are more. */
const liarsOf = (work: Work): NonNullable<Report['liars']> =>
  liars
    .all(work)
    .sort((a, b) => b.value.wallMs - a.value.wallMs)
    .slice(0, LIMITS.liars)
    .map(({ key, value: { about, times } }) => ({ gateway: idFrom<GatewayId>(key), about, times }));

const lies = (of: readonly { times: number }[]): number => of.reduce((total, { times }) => total + times, 0);

type Told = Report['instances'][number];

const isSameWord = (a: Bytes | undefined, b: Bytes | undefined): boolean => (a === undefined || b === undefined ? a === b : equal(a, b));

const isSame = (a: Told, b: Told | undefined): boolean =>
  a.lease === b?.lease &&
  a.state === b.state &&
  a.promise === b.promise &&
  a.restarts === b.restarts &&
  a.address === b.address &&
  a.connection === b.connection &&
  (a.instead === undefined) === (b.instead === undefined) &&
  isSameWord(a.outcome, b.outcome) &&
  a.detail === b.detail;

const same = (a: Bytes | null | undefined, b: Bytes | null | undefined): boolean => (a && b ? equal(a, b) : (a ?? null) === (b ?? null));

const isSameSystem = (a: SystemReport | null, b: SystemReport | null): boolean =>
  a?.slot === b?.slot &&
  same(a?.release, b?.release) &&
  same(a?.update?.release, b?.update?.release) &&
  a?.update?.phase === b?.update?.phase &&
  a?.update?.detail === b?.update?.detail &&
  same(a?.outcome, b?.outcome);

export const tickReport = (work: Work, board: Board, now: Instant): void => {
  if (links.get(work, ONE)?.phase !== 'welcomed') return;
  const told = reportOf(work, now);
  const last = lastReports.get(work, ONE);
  const isNews =
    last === null ||
    !isSameSystem(systemReport(work, 'system'), last.system) ||
    !isSameSystem(systemReport(work, 'runtime'), last.runtime) ||
    lies(liarsOf(work)) !== last.lies ||
    !isSameCard(cards.get(work, ONE), last.card) ||
    last.instances.length !== told.length ||
    !told.every((one, i) => isSame(one, last.instances[i]));
  if (!isNews && now.monoMs - last.atMonoMs < board.pace.reportMs) return;
  say(work, board, told, now);
};

/** Whether it is news or not. */
export const reportNow = (work: Work, board: Board, now: Instant): void => say(work, board, reportOf(work, now), now);

const say = (work: Work, board: Board, told: Report['instances'], now: Instant): void => {
  const [system, runtime] = [systemReport(work, 'system'), systemReport(work, 'runtime')];
  const [accused, card] = [liarsOf(work), cards.get(work, ONE)];
  lastReports.put(work, { instances: told, system, runtime, lies: lies(accused), card, atMonoMs: now.monoMs }, ONE);
  const report: Report = { v: 1, board: board.id, bootId: board.bootId, monoMs: Math.round(now.monoMs), instances: told };
  const whole = {
    ...report,
    ...(system !== null && { system }),
    ...(runtime !== null && { runtime }),
    ...(accused.length > 0 && { liars: accused }),
    ...(card !== null && { card }),
  };
  work.emit({ kind: 'publish', topic: 'report', payload: seal(reportNoun, whole, board.signer) });
};

/** What is no news goes with the next report that there is. */
export const cardSeen: Handler<Of<'card-seen'>> = (work, _board, { card }) =>
  card === null ? cards.remove(work, ONE) : cards.put(work, card, ONE);

/** At which `tickReport` may do what it would not do before. */
export const reportMoments = (work: Work, board: Board): number[] => {
  const last = lastReports.get(work, ONE);
  return [
    ...(last === null ? [] : [last.atMonoMs + board.pace.reportMs]),
    ...runs.all(work).flatMap(({ value }) => [
      ...(isFailing(value) ? [value.startedMonoMs + GRACE_MS] : []),
      // From then on it is not called a loop any more.
      ...(value.streak >= LOOP && value.process === 'running' ? [value.startedMonoMs + STEADY_MS] : []),
    ]),
  ];
};

const isFailing = ({ process, promises }: Run): boolean =>
  process === 'running' && Object.values(promises).some(({ held }) => held === false);
