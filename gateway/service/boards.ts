/** What boards say: hello, report, wants, usage, gone. */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { type BoardId, idFrom } from '../../runtime/protocol/ids.ts';
import { LIMITS, PROTOCOL } from '../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs, type Sealed, seal, unseal } from '../../runtime/protocol/noun.ts';
import { type Hello, offerSchema, reportNoun, type Usage } from '../../runtime/protocol/nouns/board.ts';
import { nowNoun } from '../../runtime/protocol/nouns/lease.ts';
import { presenceSchema } from '../../runtime/protocol/nouns/log.ts';
import { usageBatch, want } from '../../runtime/protocol/nouns/messages.ts';
import { sharedNoun } from '../../runtime/protocol/nouns/share.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { isNewsOf, openUsage, quarantine, takeInUsage } from '../core/apply-supply.ts';
import { isRevoked, trusted, trustVersions } from '../core/directory.ts';
import { appendOwn } from '../core/log.ts';
import { open } from '../core/opened.ts';
import { type Chained, placeInChain } from '../core/place-usage.ts';
import { usageHead, usageProof } from '../core/replicas.ts';
import {
  accusations,
  boardSessions,
  boards,
  cards,
  leases,
  operators,
  outcomes,
  reports,
  shareReports,
  systems,
  welcomes,
} from '../core/tables.ts';
import { accept } from './accept.ts';
import { acknowledge, forgetTold } from './acknowledge.ts';
import { bring, forgetBrought, takeBrought } from './brought.ts';
import { sendDesired } from './desired.ts';
import type { Handler, Message, Service, Work } from './events.ts';
import { renew } from './grants.ts';
import { proven } from './pieces.ts';
import { enter, forgetSession } from './sessions.ts';
import { forgetWatches, log } from './watching.ts';

/** Boards that were here when this gateway last ended, and until when they are waited for. */
const expected = volatileTable<true>('expected');
const expectedUntil = volatileTable<number>('expected-until');

const sameOffer = (a: Hello['offer'] | null, b: Hello['offer']): boolean =>
  a !== null && equal(encodeAs(offerSchema, a, 'offer'), encodeAs(offerSchema, b, 'offer'));

/** The protocol version that both speak, the highest common one. Error: `version-unsupported`. */
export const negotiate = (theirs: { min: number; max: number }): number => {
  const common = Math.min(theirs.max, PROTOCOL.max);
  if (common < Math.max(theirs.min, PROTOCOL.min))
    refuse('version-unsupported', `here ${PROTOCOL.min} to ${PROTOCOL.max}, there ${theirs.min} to ${theirs.max}`);
  return common;
};

const hello: Handler<Message> = (work, service, event, now) => {
  const { value, signer } = open.hello(service.crypto, event.payload);
  const board = boards.get(work, event.id) ?? refuse('not-paired', `board ${event.id}`);
  if (value.board !== event.id || !equal(signer, board.key)) refuse('wrong-signer', 'hello is not signed by the board of this session');
  const speaks = negotiate(value.speaks);
  const home = open.home(service.crypto, value.home).value;
  if (home.board !== event.id) refuse('wrong-signer', `the tenure is that of board ${home.board}`);
  if (home.gateway !== service.me) refuse('stale', `the board calls ${home.gateway} its home`);
  const held = board.home ?? { tenure: 0, gateway: service.me };
  if (held.tenure > home.tenure || (held.tenure === home.tenure && held.gateway !== service.me))
    refuse('stale', `tenure ${held.tenure} at ${held.gateway} is known, this is ${home.tenure}`);
  const isNew = held.tenure < home.tenure;
  if (isNew) accept(work, service, 'home', value.home, now);
  if (isNew || !sameOffer(board.offer, value.offer)) accept(work, service, 'offer', event.payload, now);
  present(work, service, value.board, true, now);
  expected.remove(work, event.id);
  enter(work, event.id, event.session);
  takeBrought(work, service, event, now);
  welcome(work, service, event.session, { board: value.board, nonce: value.nonce, speaks }, now);
  sendDesired(work, service, event.id, true);
  // What a former home stored may be safe by now, and nothing new need come for the board to hear of it.
  if (usageHead(work, event.id).seq > 0) acknowledge(work, service, event.id, event.session);
};

const welcome = (
  work: Work,
  service: Service,
  session: string,
  { board, nonce, speaks }: { board: string; nonce: Bytes; speaks: number },
  now: Instant,
): void => {
  const known = { known: usageHead(work, board), proof: usageProof(work, board) };
  const newest = trusted(work, service).flatMap((doc) => operators.get(work, doc.operator)?.documents.slice(-1) ?? []);
  const first = newest.splice(0, LIMITS.operatorsPerNow);
  const to = { board: idFrom<BoardId>(board), gateway: service.me };
  const answer = { v: 1 as const, ...to, nonce, speaks, wallMs: now.wallMs, ...known };
  welcomes.put(work, { board, nonce, speaks, told: trustVersions(work, service) }, session);
  // As many answers to the one hello as it takes; a board takes in the documents of each.
  for (let some = first; some.length > 0; some = newest.splice(0, LIMITS.operatorsPerNow))
    work.emit({ kind: 'send', session, topic: 'now', payload: seal(nowNoun, { ...answer, operators: some }, service.signer) });
};

/** When the operators' documents have changed: a gateway's new key has to be known before the gateway comes back with it. */
export const tellOperators = (work: Work, service: Service, now: Instant): void => {
  const told = trustVersions(work, service);
  for (const { value: session } of boardSessions.all(work)) {
    const before = welcomes.get(work, session);
    if (before !== null && before.told !== told) welcome(work, service, session, before, now);
  }
};

/** States, if it is news and this gateway is its home, whether a board is in reach. */
export const present = (work: Work, service: Service, id: string, here: boolean, now: Instant): void => {
  const board = boards.get(work, id);
  if (board === null || board.home?.gateway !== service.me || board.here === here) return;
  const presence = { v: 1 as const, board: idFrom<BoardId>(id), here, tenure: board.home.tenure, sinceMs: now.wallMs };
  accept(work, service, 'presence', encodeAs(presenceSchema, presence, 'presence'), now);
};

const report: Handler<Message> = (work, service, event, now) => {
  const { value, signer } = unseal(service.crypto, reportNoun, event.payload);
  const board = boards.get(work, event.id);
  if (value.board !== event.id || board === null || !equal(signer, board.key))
    refuse('wrong-signer', 'the report is not signed by the board of this session');
  if (value.system !== undefined) systems.put(work, value.system, `${event.id}/system`);
  if (value.runtime !== undefined) systems.put(work, value.runtime, `${event.id}/runtime`);
  for (const { outcome } of [value.system, value.runtime].flatMap((part) => part ?? []))
    if (outcome !== undefined) keepSystemOutcome(work, service, event.id, outcome, now);
  accusations.put(work, value.liars ?? [], event.id);
  if (value.card === undefined) cards.remove(work, event.id);
  else cards.put(work, value.card, event.id);
  for (const { lease, state, promise, address, restarts, detail, connection, instead, outcome } of value.instances) {
    const leased = leases.get(work, lease)?.doc.board;
    if (leased !== undefined && leased !== value.board) refuse('wrong-signer', `lease ${lease} is another board's`);
    // Its guardian's log may come later than the board.
    if (leased === undefined) continue;
    reports.put(
      work,
      {
        board: event.id,
        state,
        promise,
        address,
        restarts,
        detail,
        connection: connection ?? null,
        instead: instead === undefined ? null : hex(instead),
        atMs: now.wallMs,
      },
      lease,
    );
    if (outcome !== undefined) keepOutcome(work, service, { board: event.id, lease }, outcome, now);
  }
};

/** What an instance says to those whom it serves. */
const shared: Handler<Message> = (work, service, event) => {
  const { value, signer } = unseal(service.crypto, sharedNoun, event.payload);
  const key = boards.get(work, event.id)?.key;
  if (value.board !== event.id || key === undefined || !equal(signer, key))
    refuse('wrong-signer', 'it is not signed by the board of this session');
  const leased = leases.get(work, value.lease)?.doc.board;
  if (leased !== undefined && leased !== value.board) refuse('wrong-signer', `lease ${value.lease} is another board's`);
  if (leased !== undefined) shareReports.put(work, { board: event.id, shares: value.shares }, value.lease);
};

/** Told again and again, as the rest of a report; logged once. */
const keepOutcome = (work: Work, service: Service, of: { board: string; lease: string }, document: Bytes, now: Instant): void => {
  const { value } = open.outcome(service.crypto, document);
  if (value.board !== of.board || value.lease !== of.lease) refuse('wrong-signer', `what is said of lease ${of.lease} is of another one`);
  if ((outcomes.get(work, of.lease)?.sequence ?? 0) < value.sequence) accept(work, service, 'outcome', document, now);
};

const keepSystemOutcome = (work: Work, service: Service, board: string, document: Bytes, now: Instant): void => {
  const { value } = open.systemOutcome(service.crypto, document);
  if (value.board !== board) refuse('wrong-signer', `what is said of a system of board ${value.board} is of another one`);
  if (isNewsOf(work, value)) accept(work, service, 'system-outcome', document, now);
};

/** Content changes no state and, under its hash, never changes itself: it is read where it goes out. */
const give: Handler<Message> = (work, _service, event) =>
  work.emit({ kind: 'give', session: event.session, hashes: decodeAs(want, event.payload, 'want').hashes });

/** What a board was given and found to be something else is looked at here as well. */
const doubted: Handler<Message> = (work, service, event) => {
  for (const hash of decodeAs(want, event.payload, 'doubt').hashes) proven(work, service, hex(hash));
};

/**
 * Records are taken one by one; the first that does not follow ends the batch, and the acknowledgement says where the
 * chain stands, from where the board goes on.
 */
const usage: Handler<Message> = (work, service, event, now) => {
  for (const body of decodeAs(usageBatch, event.payload, 'usage').records) {
    if (!takeUsage(work, service, event.id, body, now)) break;
  }
  acknowledge(work, service, event.id, event.session);
};

const takeUsage = (work: Work, service: Service, board: string, body: Bytes, now: Instant): boolean => {
  const sealed = openUsage(work, service, body);
  if (sealed.value.board !== board) refuse('wrong-signer', 'a record of another board');
  const { lease } = sealed.value;
  if ((leases.get(work, lease)?.doc.board ?? board) !== board) refuse('wrong-signer', `lease ${lease} is another board's`);
  if (isRevoked(work, service, sealed.signer)) refuse('revoked-key', `the key that signed record ${sealed.value.seq}`);
  const place = placeOf(work, service, sealed, body, now);
  // Not told at once: it waits for the next look, as many boards' records do.
  if (place === 'next') takeInUsage(work, service, sealed, place, appendOwn(work, service, 'usage', body, now));
  return place !== null;
};

/** Null: it has none, and the batch ends there. */
const placeOf = (work: Work, service: Service, sealed: Sealed<Usage>, body: Bytes, now: Instant): Chained | null => {
  try {
    return placeInChain(work, service, sealed);
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    const { board } = sealed.value;
    work.emit({ kind: 'journal', line: `usage of ${board}: ${error.message}` });
    if (error.code === 'fork') keepEvidence(work, service, board, body, now);
    return null;
  }
};

/** Both records are in the log then, for peers and auditors; one contradiction proves as much as many. */
const keepEvidence = (work: Work, service: Service, board: string, body: Bytes, now: Instant): void => {
  if (boards.get(work, board)?.quarantined === true) return;
  appendOwn(work, service, 'usage', body, now);
  quarantine(work, board);
};

const gone: Handler<Message> = (work, service, event, now) => away(work, service, event.session, event.id, now);

/** A session ended. */
export const leave = (work: Work, service: Service, session: string, id: string, now: Instant): void => {
  forgetWatches(work, session, id);
  forgetSession(work, session);
  forgetTold(work, session);
  forgetBrought(work, session);
  away(work, service, session, id, now);
};

/** A board waits at most so long between two dials (the board's own homing). */
const RETURN_MS = 60_000;

/** Boards were here when this gateway last ended; whoever does not come back is away since. */
export const expectBoards = (work: Work, service: Service, now: Instant): void => {
  for (const { key, value } of boards.all(work)) if (value.here && value.home?.gateway === service.me) expected.put(work, true, key);
  expectedUntil.put(work, now.monoMs + RETURN_MS, 'all');
};

export const missBoards = (work: Work, service: Service, now: Instant): void => {
  const untilMs = expectedUntil.get(work, 'all');
  if (untilMs === null || now.monoMs < untilMs) return;
  expectedUntil.remove(work, 'all');
  for (const { key } of expected.all(work)) {
    expected.remove(work, key);
    present(work, service, key, false, now);
  }
};

/** What a board says of itself does not end its session. A newer session of the same board is not touched. */
const away = (work: Work, service: Service, session: string, id: string, now: Instant): void => {
  if (boardSessions.get(work, id) !== session) return;
  boardSessions.remove(work, id);
  welcomes.remove(work, session);
  present(work, service, id, false, now);
};

export const BOARD_MESSAGES: Record<string, Handler<Message>> = {
  bring,
  hello,
  report,
  shared,
  want: give,
  doubt: doubted,
  usage,
  gone,
  renew,
  log,
};
