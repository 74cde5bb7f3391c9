/** The board as one core around the shared turn. */

import { chains, flows, instances, lastReports, lastShared, links, looks, ONE, outbox, pairings, probes, runs } from '../core/tables.ts';
import type { CardEvent } from '../ports/card.ts';
import type { FilesEvent } from '../ports/files.ts';
import { type LichenError, refuse } from '../protocol/errors.ts';
import type { Instant } from '../turn/clock.ts';
import type { Core } from '../turn/turn.ts';
import { desired, freshRun } from './assignment.ts';
import { type Concerns, conclude, tick } from './attention.ts';
import { beginBoot } from './chain.ts';
import {
  askLateChunks,
  checked,
  filesRefused,
  gathered,
  goOn,
  gotChunk,
  isFetching,
  type ManifestOf,
  planted,
  sealed,
  written,
} from './content.ts';
import { askDocuments, documentMoments } from './documents.ts';
import type { Board, Effect, Event, Of, SlotsAnswer, Work } from './events.ts';
import {
  advanceAll,
  advanceMoments,
  exited,
  reloaded,
  removed,
  started,
  stepRefused,
  stopped,
  survey,
  surveyed,
  surveyMoments,
  tickSurvey,
} from './lifecycle.ts';
import { logged, tailed } from './logs.ts';
import { meterMoments, recordDue, sampled, signAnew, tickMeters } from './metering.ts';
import { gave, lost, neighbourMoments, seen, tickNeighbours } from './neighbours.ts';
import { lookedAt, lookMoments, tickLooks, unlooked } from './outputs.ts';
import { partingMoments, tickParting } from './parting.ts';
import { probed, promiseMoments, tickPromises, unprobed } from './promises.ts';
import { provingMoments, tickProving } from './proving.ts';
import { connected, reachMoments, tickReach } from './reach.ts';
import { noteObeyed, noteShare } from './remember.ts';
import { granted, renewalMoments, tickRenewals } from './renewal.ts';
import { cardSeen, reportMoments, tickReport } from './report.ts';
import {
  acknowledged,
  followOperators,
  keepLink,
  linked,
  linkMoments,
  paired,
  settle,
  settleMoments,
  unlinked,
  welcome,
} from './session.ts';
import { shareMoments, tellSharesAnew, tickShares } from './shares.ts';
import { stayInBoot } from './staying.ts';
import { stuck, unlessStuck } from './stuck.ts';
import { sweepForRoom, sweepIdle, sweepLater, sweepMoments } from './sweeping.ts';
import { armed, slotKept, slotLeft, slotsRefused, slotsSurveyed, systemMoments, tickSystem } from './system.ts';
import { tickUpkeep } from './upkeep.ts';
import { manifestOf } from './verified.ts';

const message = (work: Work, board: Board, event: Of<'message'>, now: Instant): void => {
  if (event.topic === 'now') {
    lastReports.remove(work, ONE);
    tellSharesAnew(work);
    return welcome(work, board, event.payload, now);
  }
  if (links.get(work, ONE)?.phase !== 'welcomed') refuse('stale', `${event.topic} before the welcome`);
  if (event.topic === 'desired') return desired(work, board, event.payload, now);
  if (event.topic === 'chunk') return gotChunk(work, board, event.payload, now);
  if (event.topic === 'grant') return granted(work, board, event.payload, now);
  if (event.topic === 'ack') return acknowledged(work, board, event.payload, now);
  if (event.topic === 'tail') return tailed(work, board, event.payload);
  refuse('foreign-topic', event.topic);
};

const manifestFor =
  (board: Board): ManifestOf =>
  (work, release) =>
    manifestOf(work, board, release);

/** What has not come in time is asked for again. */
const askLate = (work: Work, board: Board, now: Instant): void => {
  askDocuments(work, now.monoMs - board.pace.patienceMs, now);
  askLateChunks(work, board, manifestFor(board), now);
};

/** At which `askLate` may do what it would not do before. */
const lateMoments = (work: Work, board: Board, now: Instant): number[] => [
  ...documentMoments(work, board),
  ...(isFetching(work) ? [now.monoMs] : []),
];

/** In the order in which they act. */
const CONCERNS: Concerns = {
  tick: [
    { act: keepLink, moments: linkMoments },
    { act: (work, _board, now) => tickSurvey(work, now), moments: surveyMoments },
    { act: askLate, moments: lateMoments },
    { act: (work, _board, now) => settle(work, now), moments: settleMoments, reads: [flows.name, chains.name, outbox.name] },
    { act: (work, board, now) => sweepIdle(work, board, manifestFor(board), now), moments: sweepMoments },
    { act: tickMeters, moments: meterMoments },
  ],
  turn: [
    unlessStuck({ act: followOperators, moments: () => [] }),
    unlessStuck({ act: tickUpkeep, moments: () => [] }),
    unlessStuck({ act: tickSystem, moments: systemMoments }),
    unlessStuck({ act: tickProving, moments: provingMoments }),
    unlessStuck({ act: advanceAll, moments: advanceMoments }),
    { act: (work, board, now) => tickNeighbours(work, board, manifestFor(board), now), moments: neighbourMoments },
    { act: (work, _board, now) => tickParting(work, now), moments: partingMoments },
    { act: tickRenewals, moments: renewalMoments },
    { act: (work, board, now) => tickPromises(work, manifestFor(board), now), moments: promiseMoments, reads: [probes.name] },
    { act: tickReach, moments: reachMoments },
    { act: (work, _board, now) => tickLooks(work, now), moments: lookMoments, reads: [looks.name] },
    { act: tickReport, moments: reportMoments, reads: [lastReports.name] },
    { act: tickShares, moments: shareMoments, reads: [lastShared.name] },
  ],
};

/** What files and slots answer, and what is told of the card that they lie on. */
const stored = (work: Work, board: Board, event: FilesEvent | SlotsAnswer | CardEvent, now: Instant): void => {
  const manifest = manifestFor(board);
  switch (event.kind) {
    case 'checked':
      return checked(work, board, event, manifest, now);
    case 'gathered':
      return gathered(work, event, manifest, now);
    case 'written':
      return written(work, event, manifest, now);
    case 'file-sealed':
      return sealed(work, event, manifest, now);
    case 'planted':
      return planted(work, board, event, now);
    case 'swept':
      return;
    case 'slots-surveyed':
      return slotsSurveyed(work, board, event, now);
    case 'armed':
      return armed(work, board, event, now);
    case 'slot-kept':
      return slotKept(work, event.part);
    case 'slot-left':
      return slotLeft(work, event.part, now);
    case 'slots-refused':
      return slotsRefused(work, board, event, now);
    case 'card-seen':
      return cardSeen(work, board, event, now);
    case 'files-refused':
      sweepForRoom(work, event, now);
      return filesRefused(work, board, event, now);
  }
};

const surveySlots = (work: Work, { offer }: Board): void => {
  for (const part of offer.image?.parts ?? []) work.emit({ kind: 'slots', part, step: { kind: 'survey-slots' } });
};

const decide = (work: Work, board: Board, event: Event, now: Instant): void => {
  const manifest = manifestFor(board);
  switch (event.kind) {
    case 'boot':
      for (const { key, value } of instances.all(work)) {
        runs.put(work, freshRun('unknown'), key);
        // A store of before knows of it there alone.
        noteObeyed(work, value.lease.request, value.sequence);
        stayInBoot(work, board, key, value, now);
        for (const { share, sequence } of value.shares) noteShare(work, share, sequence);
      }
      beginBoot(work, board);
      signAnew(work, board);
      if (pairings.get(work, ONE) !== null) sweepLater(work, now);
      surveySlots(work, board);
      return survey(work);
    case 'paired':
      return paired(work, board, event, now);
    case 'tick':
      return tick(work, board, CONCERNS, now);
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
    case 'reloaded':
      return reloaded(work, board, event, now);
    case 'looked':
      return lookedAt(work, board, event, now);
    case 'sampled':
      return sampled(work, board, event, now);
    case 'probed':
      return probed(work, event, manifest, now);
    case 'exited':
      return exited(work, board, event, now);
    case 'refused':
      if (event.step === 'probe' && event.partition !== null) unprobed(work, event.partition);
      if (event.step === 'look' && event.partition !== null) unlooked(work, event.partition);
      return stepRefused(work, board, event, now);
    case 'logged':
      return logged(work, board, event, now);
    case 'wake':
      goOn(work, manifest, now);
      return recordDue(work, board, now);
    case 'neighbour-seen':
      return seen(work, board, event, manifest, now);
    case 'neighbour-gave':
      return gave(work, board, event, manifest, now);
    case 'neighbour-lost':
      return lost(work, board, event, manifest, now);
    case 'stuck':
      return stuck(work, event, now);
    case 'connected':
      return connected(work, event);
    case 'extended':
    case 'dropped':
      return;
    default:
      return stored(work, board, event, now);
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
  conclude: (work, now) => conclude(work, board, CONCERNS, now),
});
