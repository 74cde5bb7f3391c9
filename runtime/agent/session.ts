/** Finding a home, saying hello, being welcomed, settling usage. */

import { liarsLast } from '../core/doubt.ts';
import { backoffMs, homesFor, listedGateways, mayStay, patienceMs, servingGateways } from '../core/homing.ts';
import {
  anchors,
  chains,
  documents,
  type Flow,
  floors,
  flows,
  homes,
  type LinkState,
  links,
  ONE,
  openings,
  operatorGoals,
  operators,
  outbox,
  pairings,
} from '../core/tables.ts';
import { type Bytes, equal, hex } from '../protocol/bytes.ts';
import { asLichenError, refuse } from '../protocol/errors.ts';
import { fingerprint } from '../protocol/ids.ts';
import { LIMITS, PROTOCOL } from '../protocol/limits.ts';
import { encodeAs, seal, unseal, unsealMany } from '../protocol/noun.ts';
import { helloNoun, homeNoun, usageNoun } from '../protocol/nouns/board.ts';
import { ackNoun, type Now, nowNoun } from '../protocol/nouns/lease.ts';
import { usageBatch } from '../protocol/nouns/messages.ts';
import { type GatewayEntry, type OperatorDoc, operatorNoun, unsealOperator } from '../protocol/nouns/trust.ts';
import type { Instant } from '../turn/clock.ts';
import { ordinal } from '../turn/table.ts';
import { bringFirst, bringRest } from './bringing.ts';
import { chainOf, isOwn, ownUp } from './chain.ts';
import { askChunks } from './content.ts';
import { askDocuments, needDocuments } from './documents.ts';
import { isShunned, whyShunned } from './doubts.ts';
import type { Board, Handler, Of, Work } from './events.ts';
import { reportNow } from './report.ts';

const BATCH_RECORDS = 256;
/** A session that is over sooner is no reason to come back at once: somebody else may come back as this board, too. */
const BRIEF_MS = 60_000;
const NO_NONCE = new Uint8Array(16);
const IDLE: LinkState = { phase: 'idle', gateway: null, nonce: NO_NONCE, attempt: 0, patienceMs: 0, brief: 0, carried: false, atMonoMs: 0 };
const STILL: Flow = { sent: 0, stored: 0, sentAtMonoMs: 0 };

export const linkOf = (work: Work): LinkState => links.get(work, ONE) ?? IDLE;
const flowOf = (work: Work): Flow => flows.get(work, ONE) ?? STILL;

/** What the pinned operator and those it federates with say, or `otherwise` before the board is paired. */
const byOperators = <T>(work: Work, otherwise: T, ask: (pinned: OperatorDoc, peers: OperatorDoc[]) => T): T => {
  const pairing = pairings.get(work, ONE);
  const pinned = pairing === null ? null : operators.get(work, pairing.operator);
  if (pairing === null || pinned === null) return otherwise;
  return ask(
    pinned.doc,
    operators.all(work).map(({ value }) => value.doc),
  );
};

export const serving = (work: Work): GatewayEntry[] => byOperators(work, [], servingGateways);
export const listed = (work: Work): GatewayEntry[] => byOperators(work, [], listedGateways);

export const paired: Handler<Of<'paired'>> = (work, board, event, now) => {
  const { operator, first, owner } = event;
  pairings.put(work, { operator, first, ...(owner !== undefined && { owner }) }, ONE);
  for (const chain of event.chains) for (const document of chain) takeOperator(work, board, document);
  followOperators(work, board, now);
  if (operators.get(work, event.operator) === null) refuse('unknown-key', "the gateway did not show its operator's document");
};

const openOperator = (board: Board, document: Bytes) => unsealMany(board.crypto, operatorNoun, document, 2 * LIMITS.rootKeys);

const told = (work: Work, thrown: unknown): void => {
  const error = asLichenError(thrown);
  if (error.code === 'internal') throw thrown;
  work.emit({ kind: 'journal', line: `operator document: ${error.message}` });
};

/** The newest document shown is where `followOperators` wants to arrive. One that is wrong spoils nothing else. */
const takeOperator = (work: Work, board: Board, document: Bytes): void => {
  try {
    const { value, hash } = openOperator(board, document);
    if (value.version <= (operators.get(work, value.operator)?.doc.version ?? 0)) return;
    documents.put(work, document, hex(hash));
    operatorGoals.put(work, hash, value.operator);
  } catch (thrown) {
    told(work, thrown);
  }
};

/** Versions come in order, each signed by the roots of the one before it; a board that missed some asks for them. */
export const followOperators = (work: Work, board: Board, now: Instant): void => {
  for (const { key, value: goal } of operatorGoals.all(work)) {
    try {
      if (followOperator(work, board, key, goal, now)) operatorGoals.remove(work, key);
    } catch (thrown) {
      told(work, thrown);
      operatorGoals.remove(work, key);
    }
  }
};

/** False while a version between is on its way. */
const followOperator = (work: Work, board: Board, operator: string, goal: Bytes, now: Instant): boolean => {
  const held = operators.get(work, operator);
  const fresh: Bytes[] = [];
  for (let next: Bytes | null = goal; next !== null; ) {
    const document = documents.get(work, hex(next));
    if (document === null) return needDocuments(work, [next], now);
    const { value } = openOperator(board, document);
    if (value.version <= (held?.doc.version ?? 0)) break;
    fresh.unshift(document);
    next = value.previous;
  }
  let doc = held?.doc ?? null;
  for (const document of fresh) doc = unsealOperator(board.crypto, document, doc).value;
  if (doc !== null) operators.put(work, { doc, documents: [...(held?.documents ?? []), ...fresh] }, operator);
  return true;
};

const candidatesFor = (work: Work, board: Board, now: Instant): GatewayEntry[] =>
  liarsLast(homesFor(board.crypto, board.id, serving(work)), (gateway) => isShunned(work, gateway, now));

/** Dials when it is time to, and gives up on what takes too long. */
export const keepLink = (work: Work, board: Board, now: Instant): void => {
  const link = linkOf(work);
  if (link.phase === 'welcomed') return leaveIfBad(work, board, link, now);
  if (link.phase !== 'idle') {
    if (now.monoMs - link.atMonoMs > link.patienceMs) {
      work.emit({ kind: 'hang-up' });
      retryLater(work, board, link, now);
    }
    return;
  }
  if (now.monoMs < link.atMonoMs) return;
  const candidates = candidatesFor(work, board, now);
  const gateway = candidates[link.attempt % Math.max(1, candidates.length)];
  if (gateway === undefined) return;
  const waitsMs = patienceMs(board.pace.patienceMs, link.attempt);
  links.put(work, { ...link, phase: 'dialling', gateway, patienceMs: waitsMs, atMonoMs: now.monoMs }, ONE);
  work.emit({ kind: 'dial', gateway, patienceMs: waitsMs });
};

/** Revocation takes effect on the session that is open, too; and who gave something else again is left, if there is another. */
const leaveIfBad = (work: Work, board: Board, link: LinkState, now: Instant): void => {
  const { gateway } = link;
  if (gateway === null) return;
  const leave = (why: string): void => {
    work.emit({ kind: 'journal', line: `gateway ${gateway.name}: ${why}` });
    work.emit({ kind: 'hang-up' });
  };
  if (!byOperators(work, true, (pinned, peers) => mayStay(pinned, peers, gateway))) {
    leave('revoked-key: its operator has taken it off the list');
    return retryLater(work, board, link, now);
  }
  const why = link.carried ? null : whyShunned(work, gateway.gateway, now);
  if (why === null) return;
  const [first] = candidatesFor(work, board, now);
  if (first === undefined || isShunned(work, first.gateway, now)) return;
  leave(why);
  retryLater(work, board, { ...link, attempt: -1 }, now);
};

/** At which `keepLink` may do what it would not do before. */
export const linkMoments = (work: Work): number[] => {
  const { phase, atMonoMs, patienceMs: waitsMs } = linkOf(work);
  if (phase === 'welcomed') return [];
  return [phase === 'idle' ? atMonoMs : atMonoMs + waitsMs];
};

const retryLater = (work: Work, board: Board, link: LinkState, now: Instant): void => {
  const homesCount = homesFor(board.crypto, board.id, serving(work)).length;
  const wait = Math.max(backoffMs(board.entropy, link.attempt, homesCount), backoffMs(board.entropy, link.brief, 1));
  links.put(work, { ...IDLE, attempt: link.attempt + 1, brief: link.brief, atMonoMs: now.monoMs + wait }, ONE);
  flows.remove(work, ONE);
};

export const unlinked: Handler<Of<'unlinked'>> = (work, board, event, now) => {
  const link = linkOf(work);
  if (link.gateway?.gateway !== event.gateway.gateway) return;
  work.emit({ kind: 'journal', line: `gateway ${event.gateway.name}: ${event.error.message}` });
  if (link.phase !== 'welcomed') return retryLater(work, board, link, now);
  // A session that worked is tried again first; a dial that failed moves on to the next home.
  const brief = now.monoMs - link.atMonoMs < BRIEF_MS ? link.brief + 1 : 0;
  retryLater(work, board, { ...link, attempt: -1, brief }, now);
};

export const linked: Handler<Of<'linked'>> = (work, board, event, now) => {
  const link = linkOf(work);
  if (link.gateway?.gateway !== event.gateway.gateway) return;
  const held = homes.get(work, ONE);
  const tenure = held?.gateway === event.gateway.gateway ? held.tenure : (held?.tenure ?? 0) + 1;
  homes.put(work, { tenure, gateway: event.gateway.gateway }, ONE);
  const carried = event.carried !== undefined;
  const nonce = event.carried?.nonce ?? board.entropy.bytes(16);
  const home = seal(homeNoun, { v: 1, board: board.id, tenure, gateway: event.gateway.gateway }, board.signer);
  const hello = {
    v: 1 as const,
    board: board.id,
    speaks: { ...PROTOCOL },
    software: board.software,
    bootId: board.bootId,
    nonce,
    home,
    head: chainOf(work).end,
    offer: board.offer,
  };
  links.put(work, { ...link, phase: 'linked', nonce, carried, atMonoMs: now.monoMs }, ONE);
  bringFirst(work);
  work.emit({ kind: 'publish', topic: 'hello', payload: seal(helloNoun, hello, board.signer) });
  // Who will read it cannot say first what he knows.
  if (carried) {
    bringRest(work);
    sendAll(work);
    reportNow(work, board, now);
  }
};

/** Checks that a message is signed by the gateway of this session and meant for this board. */
export const fromHome = (work: Work, board: Board, signer: Bytes, value: { board: string; gateway: string }): void => {
  const gateway = linkOf(work).gateway;
  if (gateway === null || !equal(gateway.key, signer) || value.gateway !== gateway.gateway)
    refuse('wrong-signer', 'not signed by the gateway of this session');
  if (value.board !== board.id) refuse('wrong-signer', 'meant for another board');
};

/** Else any gateway could move the chain to a number from which no other would ever take it back. */
const checkProof = (board: Board, { known, proof }: Now): void => {
  const nobody = `record ${known.seq} of this board is not shown`;
  const { value, hash, signer } = unseal(board.crypto, usageNoun, proof ?? refuse('bad-signature', nobody));
  const isOurs = equal(signer, board.signer.publicKey) || fingerprint(board.crypto, signer) === board.id;
  if (!isOurs || value.seq !== known.seq || !equal(hash, known.hash)) refuse('bad-signature', nobody);
};

export const welcome = (work: Work, board: Board, payload: Bytes, now: Instant): void => {
  const { value, signer } = unseal(board.crypto, nowNoun, payload);
  fromHome(work, board, signer, value);
  const link = linkOf(work);
  if (!equal(value.nonce, link.nonce)) refuse('stale', 'the answer is not to this hello');
  if (value.speaks < PROTOCOL.min || value.speaks > PROTOCOL.max) refuse('version-unsupported', `the gateway chose ${value.speaks}`);
  for (const document of value.operators) takeOperator(work, board, document);
  // By hand it was some time on its way: the time that it tells is over.
  if (!link.carried) anchors.put(work, { wallMs: value.wallMs, monoMs: now.monoMs }, ONE);
  // The newest word, and not the highest: one that was wrong is over with the next.
  floors.put(work, { wallMs: value.wallMs }, ONE);
  const { pruned } = chainOf(work);
  const remembers = isOwn(work, value.known);
  if (!remembers) {
    checkProof(board, value);
    ownUp(work, value.known);
  }
  // Who holds a record holds all before it; of one that is forgotten it is not known which those are.
  const from = remembers ? Math.max(value.known.seq, pruned) : pruned;
  links.put(work, { ...link, phase: 'welcomed', attempt: 0, atMonoMs: now.monoMs }, ONE);
  flows.put(work, { sent: from, stored: from, sentAtMonoMs: now.monoMs }, ONE);
  work.emit({ kind: 'journal', line: 'at home' });
  askDocuments(work, Number.POSITIVE_INFINITY, now);
  askChunks(work, now);
  if (!link.carried) bringRest(work);
  settle(work, now);
};

/** Sends the next batch of the outbox unless one is under way. */
export const settle = (work: Work, now: Instant): void => {
  if (linkOf(work).phase !== 'welcomed' || linkOf(work).carried) return;
  const { sent, stored, sentAtMonoMs } = flowOf(work);
  const late = now.monoMs - sentAtMonoMs > linkOf(work).patienceMs;
  if (sent > stored && !late) return;
  const from = Math.max(stored, chainOf(work).pruned);
  const last = sendBatch(work, from).last;
  if (last > from) flows.put(work, { stored, sent: last, sentAtMonoMs: now.monoMs }, ONE);
};

/** The records beyond `from` that one message holds: up to which number, and how many bytes. */
const sendBatch = (work: Work, from: number): { last: number; bytes: number } => {
  const records: Bytes[] = [];
  let [bytes, last] = [0, from];
  for (const { key, value } of outbox.page(work, ordinal(from), BATCH_RECORDS)) {
    const more = value.length + 16;
    if (bytes + more > LIMITS.usageBatchBytes) break;
    bytes += more;
    records.push(value);
    last = Number(key);
  }
  if (records.length > 0) work.emit({ kind: 'publish', topic: 'usage', payload: encodeAs(usageBatch, { v: 1, records }, 'usage') });
  return { last, bytes };
};

/** Whatever is not known to be stored, one message after the other without waiting for a word. */
const sendAll = (work: Work): void => {
  let [from, left] = [chainOf(work).pruned, LIMITS.carriedUsageBytes];
  while (left > 0) {
    const { last, bytes } = sendBatch(work, from);
    if (last === from) return;
    from = last;
    left -= bytes;
  }
};

/** At which `settle` may do what it would not do before: what is under way is late then. */
export const settleMoments = (work: Work): number[] => {
  const { sent, stored, sentAtMonoMs } = flowOf(work);
  return sent > stored ? [sentAtMonoMs + linkOf(work).patienceMs] : [];
};

/** Prunes up to `replicated`, never beyond: until then the board's copy may be the only one that survives. */
export const acknowledged = (work: Work, board: Board, payload: Bytes, now: Instant): void => {
  const { value, signer } = unseal(board.crypto, ackNoun, payload);
  fromHome(work, board, signer, value);
  const chain = chainOf(work);
  const flow = flowOf(work);
  // Of a record that the board does not remember it learns nothing about those that it holds.
  const stored = isOwn(work, value.stored) ? value.stored.seq : flow.stored;
  const replicated = Math.min(value.replicated, stored, chain.end.seq);
  let removed = 0;
  // One more than is news, so that an acknowledgement does not read through weeks of records.
  for (const { key } of outbox.page(work, ordinal(0), Math.max(0, replicated - chain.pruned) + 1)) {
    if (Number(key) > replicated) break;
    outbox.remove(work, key);
    removed++;
  }
  if (replicated > chain.pruned) {
    chains.put(work, { ...chain, pruned: replicated, held: chain.held - removed }, ONE);
    for (const { key } of openings.page(work, '', removed)) if (Number(key) <= replicated) openings.remove(work, key);
  }
  // Less than was sent and no more than before: the batch is not taken (a gap, or still on its way); wait, then resend.
  const moved = stored > flow.stored;
  flows.put(work, { ...flow, stored, sent: moved ? stored : Math.max(flow.sent, stored) }, ONE);
  settle(work, now);
};
