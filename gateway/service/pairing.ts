/** Claims: made for an owner, shown once by a board that brings its own key. */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { formatClaim } from '../../runtime/protocol/claim.ts';
import { refuse } from '../../runtime/protocol/errors.ts';
import { fingerprint, type OwnerId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { pairSchema } from '../../runtime/protocol/nouns/log.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { isRevoked } from '../core/directory.ts';
import { objectionOfStore } from '../core/old-store.ts';
import { boards, claims, operators } from '../core/tables.ts';
import { accept } from './accept.ts';
import type { Event, Handler, Service, Work } from './events.ts';

/** The line that a person puts on the image; only its hash is kept. Those that nobody used in time go. */
export const makeClaim = (work: Work, service: Service, owner: OwnerId, now: Instant): string => {
  for (const { key, value } of claims.all(work)) if (value.usedBy === null && value.expiresMs < now.wallMs) claims.remove(work, key);
  const token = service.entropy(32);
  claims.put(work, { owner, expiresMs: now.wallMs + LIMITS.claimMs, usedBy: null }, hex(service.crypto.sha256(token)));
  return formatClaim({
    v: 1,
    token,
    gateway: service.me,
    key: service.signer.publicKey,
    address: service.address,
    operator: service.operator,
  });
};

/**
 * Of the operator that the claim names, as each version is believed by the one before it; those it federates with a board is told in its
 * sessions. Error: `too-large`.
 */
const versionsOf = (work: Work, { operator }: Service): Bytes[] => {
  const documents = operators.get(work, operator)?.documents ?? [];
  const bytes = documents.reduce((sum, { length }) => sum + length, 0);
  if (documents.length > LIMITS.operatorVersions || bytes > LIMITS.pairAnswerBytes / 2)
    refuse(
      'too-large',
      `${documents.length} versions of the operator's document, ${bytes} bytes, are more than a board takes in`,
      'Let new boards pair with an operator that has fewer.',
    );
  return documents;
};

/** A board that lost the answer may show its claim again; another board may not. */
export const pairing: Handler<Extract<Event, { kind: 'pairing' }>> = (work, service, event, now) => {
  const { value, signer } = event.pairing;
  if (fingerprint(service.crypto, signer) !== value.board || !equal(signer, event.key))
    refuse('wrong-signer', 'the pairing is not signed by the key of the connection');
  if (isRevoked(work, service, signer)) refuse('revoked-key', `board ${value.board}`);
  const objection = objectionOfStore(work);
  if (objection !== null) throw objection;
  const digest = service.crypto.sha256(value.token);
  const claim = claims.get(work, hex(digest)) ?? refuse('claim-unknown', 'this gateway has made no such claim');
  if (claim.usedBy !== null && !equal(claim.usedBy, signer)) refuse('claim-used', 'another board has shown it before');
  // It gives the one that used it nothing new, so that one may show it for ever.
  if (claim.usedBy === null && claim.expiresMs < now.wallMs) refuse('claim-unknown', 'the claim has expired');
  const known = boards.get(work, value.board);
  // It would take another's word about itself, and who lent it would go on being paid.
  if (known !== null && known.owner !== claim.owner)
    refuse(
      'conflict',
      `board ${value.board} is paired for owner ${known.owner}`,
      'Start the board with an empty data folder: it makes a key of its own for its new owner.',
    );
  const documents = versionsOf(work, service);
  claims.put(work, { ...claim, usedBy: signer }, hex(digest));
  if (known === null) {
    accept(
      work,
      service,
      'pair',
      encodeAs(pairSchema, { v: 1, board: value.board, key: signer, owner: claim.owner, claim: digest }, 'pair'),
      now,
    );
  }
  work.emit({
    kind: 'answer-pairing',
    receipt: event.receipt,
    answer: { v: 1, gateway: service.me, wallMs: now.wallMs, operators: [documents], owner: claim.owner },
  });
};
