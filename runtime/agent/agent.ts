/** The board as one core around the shared turn. */

import { instances, lastReports, links, ONE, probes, runs } from '../core/tables.ts';
import { type LichenError, refuse } from '../protocol/errors.ts';
import type { Instant } from '../turn/clock.ts';
import type { Core } from '../turn/turn.ts';
import { desired, freshRun } from './assignment.ts';
import { askLate, checked, filesRefused, gotChunk, planted, sealed, sweepIdle, written } from './content.ts';
import type { Board, Effect, Event, Of, Work } from './events.ts';
import { advanceAll, exited, manifestOf, removed, started, stepRefused, stopped, survey, surveyed, tickSurvey } from './lifecycle.ts';
import { sampled, signAnew, tickMeters } from './metering.ts';
import { probed, tickPromises } from './promises.ts';
import { tickReport } from './report.ts';
import { acknowledged, followOperators, keepLink, linked, paired, settle, unlinked, welcome } from './session.ts';

const message = (work: Work, board: Board, event: Of<'message'>, now: Instant): void => {
  if (event.topic === 'now') {
    lastReports.remove(work, ONE);
    return welcome(work, board, event.payload, now);
  }
  if (links.get(work, ONE)?.phase !== 'welcomed') refuse('stale', `${event.topic} before the welcome`);
  if (event.topic === 'desired') return desired(work, board, event.payload);
  if (event.topic === 'chunk') return gotChunk(work, board, event.payload);
  if (event.topic === 'ack') return acknowledged(work, board, event.payload, now);
  refuse('foreign-topic', event.topic);
};

const decide = (work: Work, board: Board, event: Event, now: Instant): void => {
  const manifest = (draft: Work, release: string) => manifestOf(draft, board, release);
  switch (event.kind) {
    case 'boot':
      for (const { key } of instances.all(work)) runs.put(work, freshRun('unknown'), key);
      signAnew(work, board);
      return survey(work);
    case 'paired':
      return paired(work, board, event, now);
    case 'tick':
      keepLink(work, board, now);
      tickSurvey(work, now);
      askLate(work, board, manifest, now);
      settle(work, board, now);
      sweepIdle(work, now);
      return tickMeters(work, board, now);
    case 'linked':
      return linked(work, board, event, now);
    case 'unlinked':
      return unlinked(work, board, event, now);
    case 'message':
      return message(work, board, event, now);
    case 'surveyed':
      return surveyed(work, board, event, now);
    case 'started':
      return started(work, board, event, now);
    case 'stopped':
      return stopped(work, board, event, now);
    case 'removed':
      return removed(work, board, event, now);
    case 'sampled':
      return sampled(work, board, event, now);
    case 'probed':
      return probed(work, event, manifest, now);
    case 'exited':
      return exited(work, board, event, now);
    case 'refused':
      if (event.step === 'probe' && event.partition !== null) probes.remove(work, event.partition);
      return stepRefused(work, board, event, now);
    case 'checked':
      return checked(work, event, manifest, now);
    case 'written':
      return written(work, event, manifest, now);
    case 'file-sealed':
      return sealed(work, event, manifest, now);
    case 'planted':
      return planted(work, board, event, now);
    case 'swept':
    case 'wake':
      return;
    case 'files-refused':
      return filesRefused(work, board, event, now);
  }
};

/** A gateway that says something wrong is told to nobody but the journal: what it said changes nothing. */
const refused = (work: Work, event: Event, error: LichenError): void => {
  const what = event.kind === 'message' ? event.topic : event.kind;
  work.emit({ kind: 'journal', line: `${what} refused: ${error.message}` });
};

export const boardCore = (board: Board): Core<Event, Effect> => ({
  decide: (work, event, now) => decide(work, board, event, now),
  refused: (work, event, error) => refused(work, event, error),
  conclude: (work, now) => {
    followOperators(work, board, now);
    advanceAll(work, board, now);
    tickPromises(work, (draft, release) => manifestOf(draft, board, release), now);
    tickReport(work, board, now);
  },
});
