/** The gateway as one core around the shared turn: events to their capability, and once a turn what follows from them. */
import { type LichenError, refuse } from '../../runtime/protocol/errors.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import type { Core } from '../../runtime/turn/turn.ts';
import { isLookDue } from '../core/agenda.ts';
import { gateways } from '../core/directory.ts';
import { beginGrants } from '../core/grants.ts';
import { boardsTouched } from '../core/holding.ts';
import { sizeOf, takeUp } from '../core/log.ts';
import { copyAlone } from '../core/replicas.ts';
import { boardSessions } from '../core/tables.ts';
import { takeTouched, takeWhole, touched } from '../core/touched.ts';
import { acceptOnce, flag, takeFlag } from './accept.ts';
import { acknowledgeReplicated } from './acknowledge.ts';
import { BOARD_MESSAGES, expectBoards, leave, missBoards, tellOperators } from './boards.ts';
import { CALLS } from './calls.ts';
import { showContradiction } from './contradiction.ts';
import { place, sendDesired } from './desired.ts';
import type { Effect, Event, Message, Service, Work } from './events.ts';
import { askAllContent, askRefused, noticePeers, peerDown, peerFrame, peerUp, retryPending } from './federation.ts';
import { countContent, tickNeeds } from './leaving.ts';
import { pairing } from './pairing.ts';
import { answerOf, encodeAnswer, push } from './push.ts';
import { ration } from './rationing.ts';
import { dropSessions, openSession } from './sessions.ts';
import { askStatement, stateOn, stopStating, tickStating } from './stating.ts';
import { sync } from './sync.ts';
import { encodeRefusal, tickWatches, watch } from './watching.ts';

const decideMessage = (work: Work, service: Service, event: Message, now: Instant): void => {
  if (event.topic === 'push') {
    const size = sizeOf(work, service.me);
    const answer = answerOf(service, event.payload, push(work, service, event.payload, now));
    if (sizeOf(work, service.me) > size) ration(work, event.id, now);
    work.emit({ kind: 'send', session: event.session, topic: 'answer', payload: encodeAnswer(answer) });
  } else if (event.topic === 'watch') {
    watch(work, service, event, now);
  } else {
    const handle = BOARD_MESSAGES[event.topic] ?? refuse('foreign-topic', event.topic);
    handle(work, service, event, now);
  }
  work.emit({ kind: 'settle', receipt: event.receipt, error: null });
};

const decide = (work: Work, service: Service, event: Event, now: Instant): void => {
  switch (event.kind) {
    case 'connected':
      return openSession(work, event.session, { party: event.party, id: event.id, key: event.key });
    case 'disconnected':
      return leave(work, service, event.session, event.id, now);
    case 'message':
      return decideMessage(work, service, event, now);
    case 'pairing':
      return pairing(work, service, event, now);
    case 'peer-up':
      return peerUp(work, service, event, now);
    case 'peer-down':
      return peerDown(work, service, event, now);
    case 'peer-frame':
      return peerFrame(work, service, event, now);
    case 'configured':
      takeUp(work, service);
      beginGrants(work, now);
      countContent(work, service);
      for (const document of event.documents) acceptOnce(work, service, 'operator', document, now);
      return expectBoards(work, service, now);
    case 'call':
      if (event.name === 'statement') return askStatement(work, service, event.id, event.input, now);
      return work.emit({ kind: 'reply', id: event.id, answer: CALLS[event.name](work, service, event.input, now) });
    case 'tick':
      askAllContent(work, service, now);
      tickWatches(work, now);
      missBoards(work, service, now);
      tickStating(work, now);
      tickNeeds(work, service, now);
      flag(work, 'tell');
      return flag(work, 'look');
    case 'go-on':
      return stateOn(work, service, now);
  }
};

const refused = (work: Work, service: Service, event: Event, error: LichenError): void => {
  switch (event.kind) {
    case 'message':
      // A tenant hears why and stays; a board that breaks the protocol loses its session.
      if (event.topic === 'push') {
        work.emit({
          kind: 'send',
          session: event.session,
          topic: 'answer',
          payload: encodeAnswer(answerOf(service, event.payload, error)),
        });
        return work.emit({ kind: 'settle', receipt: event.receipt, error: null });
      }
      if (event.topic === 'watch') {
        const payload = encodeRefusal(service.crypto.sha256(event.payload), error);
        work.emit({ kind: 'send', session: event.session, topic: 'lines', payload });
        return work.emit({ kind: 'settle', receipt: event.receipt, error: null });
      }
      work.emit({ kind: 'journal', line: `${event.party} ${event.id} ${event.topic}: ${error.message}` });
      return work.emit({ kind: 'settle', receipt: event.receipt, error });
    case 'pairing':
      return work.emit({ kind: 'answer-pairing', receipt: event.receipt, answer: error });
    case 'peer-frame':
      work.emit({ kind: 'journal', line: `peer ${event.gateway}: ${error.message}` });
      if (error.code === 'fork' && event.frame.kind === 'entries' && event.frame.author !== service.me)
        showContradiction(work, event.frame);
      return work.emit({ kind: 'peer-drop', session: event.session, error });
    case 'call':
      return work.emit({ kind: 'reply', id: event.id, answer: error });
    case 'go-on':
      return stopStating(work, error);
    default:
      return work.emit({ kind: 'journal', line: `${event.kind}: ${error.message}` });
  }
};

/** What follows from new documents of operators, and after a restart: whom to reach, and who has to hear of it. */
const meet = (work: Work, service: Service, now: Instant): void => {
  copyAlone(work, service);
  tellOperators(work, service, now);
  askRefused(work, service);
  work.emit({ kind: 'reach', gateways: gateways(work, service).filter((entry) => entry.gateway !== service.me) });
};

/** Places what can be placed, and tells whomever what was touched concerns. */
const plan = (work: Work, service: Service, now: Instant): void => {
  const isWhole = takeWhole(work, 'telling');
  if (isWhole) noticePeers(work, service, now);
  const before = takeTouched(work);
  place(work, service, before, now);
  // Boards hear at once of what was placed just now; whether that leaves room for more is the next look's question.
  const boards = isWhole ? null : new Set([...boardsTouched(work, before), ...boardsTouched(work, touched(work))]);
  for (const board of boards ?? boardSessions.all(work).map(({ key }) => key)) sendDesired(work, service, board);
  dropSessions(work, service, boards);
  if (isWhole) meet(work, service, now);
};

const conclude = (work: Work, service: Service, now: Instant): void => {
  if (takeFlag(work, 'retry')) retryPending(work, service, now);
  acknowledgeReplicated(work, service);
  if (isLookDue(work, now)) plan(work, service, now);
  sync(work, service);
};

export const gatewayCore = (service: Service): Core<Event, Effect> => ({
  decide: (work, event, now) => decide(work, service, event, now),
  refused: (work, event, error) => refused(work, service, event, error),
  conclude: (work, now) => conclude(work, service, now),
});
