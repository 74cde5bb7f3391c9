/** Which release each replica of a request is to run: all the newest, or, while one is rolled out, some the one before. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import type { Request } from '../../runtime/protocol/nouns/request.ts';
import type { Rows } from './context.ts';
import { currentLease, type HeldLease, leasesOf } from './leased.ts';
import { isReached, type Member, type Standing, standingOf } from './rollout.ts';
import { bindings, outcomes } from './tables.ts';
import { instanceOf } from './touched.ts';

/** What its board said of the lease's release; what was said of a former try is over with a newer request, unless it went well. */
const outcomeOf = (rows: Rows, { doc }: HeldLease, { sequence }: Request): { result: 'passed' | 'failed'; why: string } | null => {
  const held = outcomes.get(rows, doc.lease);
  if (held === null || held.board !== doc.board || !equal(held.release, doc.release)) return null;
  return held.result === 'passed' || held.sequence >= sequence ? held : null;
};

const memberOf = (rows: Rows, id: string, request: Request, index: number): Member => {
  const newest = currentLease(rows, id, index);
  const labels = newest === null ? [] : (bindings.get(rows, newest.doc.board)?.policy.labels ?? []);
  const tried = leasesOf(rows, ...instanceOf(id, index).split('/')).filter(({ doc }) => equal(doc.release, request.release));
  const said = tried.flatMap((held) => outcomeOf(rows, held, request) ?? []);
  const failed = said.find(({ result }) => result === 'failed');
  if (failed !== undefined) return { index, labels, trial: 'failed', why: failed.why };
  const isGiven = newest !== null && equal(newest.doc.release, request.release);
  return { index, labels, trial: said.length > 0 ? 'passed' : isGiven ? 'given' : 'old', why: '' };
};

export interface Progress {
  members: Member[];
  standing: Standing;
}

/** Null: it has no waves. */
export const progressOf = (rows: Rows, id: string, request: Request): Progress | null => {
  const { rollout, fallback, replicas, state } = request;
  if (rollout === undefined || fallback === undefined || state === 'destroyed') return null;
  const members = Array.from({ length: replicas }, (_, index) => memberOf(rows, id, request, index));
  return { members, standing: standingOf(rollout, members) };
};

const releaseIn = (progress: Progress | null, { release, fallback }: Request, index: number): Bytes => {
  const member = progress?.members[index];
  if (progress === null || fallback === undefined || member === undefined) return release;
  return isReached(progress.standing, member, index) ? release : fallback.release;
};

/** What the replica is to be leased. */
export const releaseFor = (rows: Rows, id: string, request: Request, index: number): Bytes =>
  releaseIn(progressOf(rows, id, request), request, index);

/** Whether the lease is for what its replica is to run; where that is the release before, also one under which its board went back to it. */
export const isFor = (rows: Rows, request: Request, held: HeldLease): boolean => {
  const { doc } = held;
  if (equal(releaseFor(rows, doc.request, request, doc.index), doc.release)) return true;
  const hasWaves = request.rollout !== undefined && equal(request.release, doc.release);
  return hasWaves && outcomeOf(rows, held, request)?.result === 'failed';
};
