/** The way every fact takes into this gateway: checked, put in its own log, applied. */
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import type { EntryKind } from '../../runtime/protocol/nouns/log.ts';
import { hash } from '../../runtime/protocol/schema.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { table, volatileTable } from '../../runtime/turn/table.ts';
import { applyEntry } from '../core/apply.ts';
import { appendOwn } from '../core/log.ts';
import type { Service, Work } from './events.ts';

/** Hash of accepted bytes: what comes twice is answered as the first time and logged once. */
const accepted = table('accepted', hash);
/**
 * Entries came upon which others may wait (`retry`); what was logged is for peers to know now (`tell`); it is time to look
 * what they lack (`look`).
 */
type Flag = 'retry' | 'tell' | 'look';
const flags = volatileTable<true>('flags');

export const wasAccepted = (work: Work, service: Service, body: Bytes): boolean =>
  accepted.get(work, hex(service.crypto.sha256(body))) !== null;

/** Throws what `applyEntry` throws; the turn then discards the event. */
export const accept = (work: Work, service: Service, kind: EntryKind, body: Bytes, now: Instant): void => {
  applyEntry(work, service, appendOwn(work, service, kind, body, now));
  flag(work, 'tell');
};

/** `accept` for what clients may send again. */
export const acceptOnce = (work: Work, service: Service, kind: EntryKind, body: Bytes, now: Instant): void => {
  if (wasAccepted(work, service, body)) return;
  accept(work, service, kind, body, now);
  const digest = service.crypto.sha256(body);
  accepted.put(work, digest, hex(digest));
};

export const flag = (work: Work, what: Flag): void => flags.put(work, true, what);

export const takeFlag = (work: Work, what: Flag): boolean => {
  const set = flags.get(work, what) !== null;
  if (set) flags.remove(work, what);
  return set;
};
