/** Renewals on their way: from a board through its home to the guardians, and what they grant back to the board. */
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { seal, unseal } from '../../runtime/protocol/noun.ts';
import { grantNoun, type Renewal, renewalNoun } from '../../runtime/protocol/nouns/grant.ts';
import type { PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { grantAll } from '../core/grants.ts';
import { boardSessions, boards, leases, peers } from '../core/tables.ts';
import { countVote, takePolls, voteFor } from '../core/votes.ts';
import type { Handler, Message, Service, Work } from './events.ts';

type Frame<K extends PeerFrame['kind']> = Extract<PeerFrame, { kind: K }>;

const openRenewal = (work: Work, service: Service, document: Bytes): Renewal => {
  const { value, signer } = unseal(service.crypto, renewalNoun, document);
  const board = boards.get(work, value.board) ?? refuse('not-paired', `board ${value.board}`);
  return equal(signer, board.key) ? value : refuse('wrong-signer', `board ${value.board} did not sign the renewal`);
};

/** Null: nothing of it is this guardian's to grant, or nothing yet. */
const granted = (work: Work, service: Service, { board, nonce, leases: asked }: Renewal, now: Instant): Bytes | null => {
  const given = grantAll(work, service, board, asked, now);
  if (given.length === 0) return null;
  return seal(grantNoun, { v: 1, board, guardian: service.me, nonce, leases: given }, service.signer);
};

/** A board at home here asks: its guardians among the peers are asked too, and each answer is passed on as it comes. */
export const renew: Handler<Message> = (work, service, event, now) => {
  const renewal = openRenewal(work, service, event.payload);
  if (renewal.board !== event.id) refuse('wrong-signer', `a renewal of board ${renewal.board}`);
  const guardians = new Set<string>(renewal.leases.flatMap((id) => leases.get(work, id)?.doc.guarded?.guardians ?? []));
  for (const guardian of guardians) {
    const peer = peers.get(work, guardian);
    if (peer?.up === true) work.emit({ kind: 'peer-send', session: peer.session, frame: { kind: 'renew', renewal: event.payload } });
  }
  const grant = granted(work, service, renewal, now);
  if (grant !== null) work.emit({ kind: 'send', session: event.session, topic: 'grant', payload: grant });
};

/** What is wrong with a renewal is the board's doing, and not that of the peer that passes it on. */
export const renewFrom = (work: Work, service: Service, session: string, { renewal: document }: Frame<'renew'>, now: Instant): void => {
  try {
    const renewal = openRenewal(work, service, document);
    const grant = granted(work, service, renewal, now);
    if (grant !== null) work.emit({ kind: 'peer-send', session, frame: { kind: 'grant', board: renewal.board, grant } });
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `renewal: ${error.message}` });
  }
};

/** Asks the guardians for what `placements` could not decide alone. */
export const askGuardians = (work: Work, service: Service): void => {
  for (const { request, index, term, guardians } of takePolls(work)) {
    for (const guardian of guardians) {
      const peer = guardian === service.me ? null : peers.get(work, guardian);
      if (peer?.up === true) work.emit({ kind: 'peer-send', session: peer.session, frame: { kind: 'poll', request, index, term } });
    }
  }
};

/** Silence is a no: whoever asked asks again. */
export const answerPoll = (work: Work, session: string, from: string, { request, index, term }: Frame<'poll'>, now: Instant): void => {
  if (!voteFor(work, { request, index, term }, from, now)) return;
  work.emit({ kind: 'peer-send', session, frame: { kind: 'vote', request, index, term } });
};

export const takeVote = (work: Work, from: string, { request, index, term }: Frame<'vote'>): void => {
  countVote(work, { request, index, term }, from);
};

/** The board itself asks who signed it. */
export const passGrant = (work: Work, { board, grant }: Frame<'grant'>): void => {
  const session = boardSessions.get(work, board);
  if (session !== null) work.emit({ kind: 'send', session, topic: 'grant', payload: grant });
};
