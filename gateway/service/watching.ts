/**
 * Passing questions for logs on to boards, and what they answer back to who asked. A question waits for one answer, so a viewer
 * that lags makes nobody keep anything; what lies in an answer only the tenant can read.
 */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError, refuse, tell } from '../../runtime/protocol/errors.ts';
import { fingerprint } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, encodeAs, unseal } from '../../runtime/protocol/noun.ts';
import { requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import { logFrame, type Watch, watchNoun } from '../../runtime/protocol/nouns/watch.ts';
import { beginning } from '../../runtime/protocol/printable.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { gateways } from '../core/directory.ts';
import { currentLease } from '../core/leased.ts';
import { boardSessions, boards } from '../core/tables.ts';
import type { Handler, Message, Service, Work } from './events.ts';

interface Waiting {
  session: string;
  of: Bytes;
  untilMonoMs: number;
}

/** board/hash of the question → who waits for its answer. */
const waiting = volatileTable<Waiting>('watching');

/** Beyond what a board waits: for the way there and back. */
const WAY_MS = 15_000;

export const encodeRefusal = (of: Bytes, error: LichenError): Bytes => {
  const { code, says, why, next } = tell(error);
  return encodeAs(logFrame, { v: 1, of, refusal: { v: 1, code, why: beginning(`${says} ${why}`, 300), next }, box: null }, 'log');
};

/** Who asks is known by the session and by the signature that the board will look at. */
const openWatch = (service: Service, event: Message): Watch => {
  const { value, signer } = unseal(service.crypto, watchNoun, event.payload);
  if (value.tenant !== event.id || fingerprint(service.crypto, signer) !== event.id)
    refuse('wrong-signer', 'the question is not signed by the tenant of this session');
  return value;
};

const boardOf = (work: Work, service: Service, { tenant, name, index }: Watch): string => {
  const held = currentLease(work, requestIdOf(service.crypto, tenant, name), index);
  if (held === null || held.closed) return refuse('not-found', `${name}/${index} runs nowhere`);
  const { board } = held.doc;
  const home = boards.get(work, board)?.home?.gateway ?? service.me;
  if (home !== service.me) {
    const at = gateways(work, service).find(({ gateway }) => gateway === home);
    const where = at === undefined ? home : `${at.name} (${at.address}, key ${hex(at.key)})`;
    return refuse('unavailable', `its board is at home at gateway ${where}: ask there`);
  }
  return board;
};

export const watch: Handler<Message> = (work, service, event, now) => {
  const board = boardOf(work, service, openWatch(service, event));
  const session = boardSessions.get(work, board) ?? refuse('unavailable', `board ${board} is away`);
  if (waiting.all(work).filter(({ value }) => value.session === event.session).length >= LIMITS.watchesPerSession)
    refuse('too-many', `${LIMITS.watchesPerSession} questions of this session wait for their answers`);
  const of = service.crypto.sha256(event.payload);
  waiting.put(work, { session: event.session, of, untilMonoMs: now.monoMs + LIMITS.watchWaitMs + WAY_MS }, `${board}/${hex(of)}`);
  work.emit({ kind: 'send', session, topic: 'tail', payload: event.payload });
};

/** An answer that nobody waits for any more is nothing: its viewer has asked again, or gone. */
export const log: Handler<Message> = (work, _service, event) => {
  const { of } = decodeAs(logFrame, event.payload, 'log');
  const key = `${event.id}/${hex(of)}`;
  const found = waiting.get(work, key);
  if (found === null) return;
  waiting.remove(work, key);
  work.emit({ kind: 'send', session: found.session, topic: 'lines', payload: event.payload });
};

const giveUp = (work: Work, which: (key: string, value: Waiting) => boolean, why: string | null): void => {
  for (const { key, value } of waiting.all(work)) {
    if (!which(key, value)) continue;
    waiting.remove(work, key);
    if (why === null) continue;
    const payload = encodeRefusal(value.of, new LichenError('unavailable', why));
    work.emit({ kind: 'send', session: value.session, topic: 'lines', payload });
  }
};

/** A session ended: a board's answers will not come, a tenant waits no more. */
export const forgetWatches = (work: Work, session: string, id: string): void => {
  giveUp(work, (_key, value) => value.session === session, null);
  const isHere = boardSessions.get(work, id) === session;
  if (isHere) giveUp(work, (key) => key.startsWith(`${id}/`), `board ${id} went away`);
};

export const tickWatches = (work: Work, now: Instant): void =>
  giveUp(work, (_key, { untilMonoMs }) => untilMonoMs <= now.monoMs, 'the board did not answer in time');
