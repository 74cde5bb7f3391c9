/** What peers are told: how much is held here, and what they lack. Looked at are peers that said something, and logs that grew. */
import { signLine } from '../../runtime/protocol/checkpoint.ts';
import { type GatewayId, idFrom } from '../../runtime/protocol/ids.ts';
import type { PeerFrame, Vector } from '../../runtime/protocol/nouns/log.ts';
import { volatileTable } from '../../runtime/turn/table.ts';
import { batchAfter, headOf, vectorOf } from '../core/log.ts';
import { peers } from '../core/tables.ts';
import type { Service, Work } from './events.ts';

/** peer → the newest head of its log that was countersigned, and how. */
const countersigned = volatileTable<{ head: string; note: string }>('countersigned');

/** A log's head, countersigned; null while nothing of it is held. Peers are told more often than each of their logs grows. */
const countersign = (work: Work, service: Service, author: string): string | null => {
  const head = headOf(work, author);
  if (head === null) return null;
  const held = countersigned.get(work, author);
  if (held?.head === head) return held.note;
  // A note's text ends with the empty line; its signatures were verified when it was stored, with the key of that time.
  const body = head.slice(0, head.indexOf('\n\n') + 1);
  const note = `${body}\n${signLine(service.crypto, body, service.me, service.signer)}`;
  countersigned.put(work, { head, note }, author);
  return note;
};

/** Our vector, and the receiver's own head countersigned as far as we hold its log. */
export const have = (work: Work, service: Service, to: string): PeerFrame => ({
  kind: 'have',
  vector: vectorOf(work),
  cosigned: countersign(work, service, to),
});

/** Our vector as it was when it was last looked at. */
const synced = volatileTable<Vector>('synced');
/** Peers that said something new, or were not sent all that they lack. */
const unsynced = volatileTable<true>('unsynced');

export const touchPeer = (work: Work, gateway: string): void => unsynced.put(work, true, gateway);

/** Sends each peer what it lacks, and our vector when it grew by what others wrote. */
export const sync = (work: Work, service: Service): void => {
  const vector = vectorOf(work);
  const before = synced.get(work, 'all');
  const asked = unsynced.all(work).map(({ key }) => key);
  for (const gateway of asked) unsynced.remove(work, gateway);
  for (const gateway of asked) syncPeer(work, service, gateway, vector, Object.keys(vector));
  if (vector === before) return;
  synced.put(work, vector, 'all');
  const grown = Object.keys(vector).filter((author) => vector[author] !== before?.[author]);
  for (const { key } of peers.all(work)) if (!asked.includes(key)) syncPeer(work, service, key, vector, grown);
};

/** `authors`: those of whose logs the peer may lack something. */
const syncPeer = (work: Work, service: Service, gateway: string, vector: Vector, authors: string[]): void => {
  const peer = peers.get(work, gateway);
  // What it has it says first; else each new link would begin with what it had long before.
  if (peer === null || !peer.up || !peer.heard) return;
  const { told } = peer;
  let { sent } = peer;
  for (const author of authors) {
    const size = vector[author] ?? 0;
    const from = Math.max(peer.vector[author] ?? 0, sent[author] ?? 0);
    if (author === gateway || size <= from) continue;
    const upTo = sendEntries(work, peer.session, idFrom<GatewayId>(author), from);
    sent = { ...sent, [author]: upTo };
    // The rest is the next turn's.
    if (upTo < size) touchPeer(work, gateway);
  }
  const hasGrown = vector !== told && authors.some((author) => author !== service.me && (vector[author] ?? 0) > (told[author] ?? 0));
  if (hasGrown) work.emit({ kind: 'peer-send', session: peer.session, frame: have(work, service, gateway) });
  if (vector !== told || sent !== peer.sent) peers.put(work, { ...peer, sent, told: vector }, gateway);
};

/** One batch up to a signed head; returns where that stands. */
const sendEntries = (work: Work, session: string, author: GatewayId, from: number): number => {
  const batch = batchAfter(work, author, from);
  if (batch === null) return from;
  const { entries, size, note } = batch;
  work.emit({ kind: 'peer-send', session, frame: { kind: 'entries', author, from, entries, head: note } });
  return size;
};
