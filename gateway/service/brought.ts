/**
 * Leases that boards bring, and what those were given upon. It may be known to nobody but the board: the gateway that gave the lease was
 * cut off from its peers, and died or lost its disk before they heard of it.
 */
import { type Bytes, equal, hex } from '../../runtime/protocol/bytes.ts';
import { asLichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import type { Lease } from '../../runtime/protocol/nouns/lease.ts';
import { type Bring, bring as bringSchema } from '../../runtime/protocol/nouns/messages.ts';
import { requestIdOf } from '../../runtime/protocol/nouns/request.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { openRequest, openVoucher } from '../core/apply-demand.ts';
import { openLease } from '../core/apply-supply.ts';
import { boardSessions, documents, leases, vouchers } from '../core/tables.ts';
import { accept } from './accept.ts';
import type { Handler, Message, Service, Work } from './events.ts';

/** Session → what came before its hello: until that, its board is not there, and what it brings would be leased to another one. */
const early = volatileTable<Bring[]>('brought');

export const forgetBrought = (work: Work, session: string): void => early.remove(work, session);

/** As many as a board can hold may come before the hello. */
export const bring: Handler<Message> = (work, service, event, now) => {
  const brought = decodeAs(bringSchema, event.payload, 'bring');
  if (boardSessions.get(work, event.id) === event.session) return take(work, service, event.id, brought, now);
  const held = early.get(work, event.session) ?? [];
  if (held.length >= LIMITS.partitionsPerBoard)
    refuse('too-many', `a board brings at most ${LIMITS.partitionsPerBoard} leases before its hello`);
  early.put(work, [...held, brought], event.session);
};

/** Its hello has come. */
export const takeBrought = (work: Work, service: Service, { id, session }: Message, now: Instant): void => {
  const held = early.get(work, session) ?? [];
  early.remove(work, session);
  for (const one of held) take(work, service, id, one, now);
};

const take = (work: Work, service: Service, board: string, { lease, request, voucher }: Bring, now: Instant): void => {
  orTold(work, board, () => {
    const { value } = openLease(work, service, lease);
    if (value.board !== board) refuse('wrong-signer', `lease ${value.lease} is another board's`);
    if (voucher !== undefined) orTold(work, board, () => takeVoucher(work, service, value, voucher, now));
    if (request !== undefined) orTold(work, board, () => takeRequest(work, service, value, request, now));
    if (leases.get(work, value.lease) === null) accept(work, service, 'lease', lease, now);
  });
};

const takeVoucher = (work: Work, service: Service, lease: Lease, document: Bytes, now: Instant): void => {
  const { hash } = openVoucher(work, service, document);
  if (!equal(hash, lease.voucher)) refuse('unrequested', `a voucher that lease ${lease.lease} does not name`);
  if (vouchers.get(work, hex(hash)) === null) accept(work, service, 'voucher', document, now);
};

const takeRequest = (work: Work, service: Service, lease: Lease, document: Bytes, now: Instant): void => {
  const { value, hash } = openRequest(work, service, document);
  if (requestIdOf(service.crypto, value.tenant, value.name) !== lease.request)
    refuse('unrequested', `a request that lease ${lease.lease} is not for`);
  if (documents.get(work, hex(hash)) === null) accept(work, service, 'request', document, now);
};

/** What is wrong with one keeps no other out. */
const orTold = (work: Work, board: string, act: () => void): void => {
  try {
    act();
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    work.emit({ kind: 'journal', line: `brought by ${board}: ${error.message}` });
  }
};
