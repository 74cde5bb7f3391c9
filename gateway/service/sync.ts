/** What peers are told: how much is held here, and what they lack. */
import { signLine } from '../../runtime/protocol/checkpoint.ts';
import { type GatewayId, idFrom } from '../../runtime/protocol/ids.ts';
import type { PeerFrame, Vector } from '../../runtime/protocol/nouns/log.ts';
import { type VolatileTable, volatileTable } from '../../runtime/turn/table.ts';
import { batchAfter, headAt, headOf, signedSize, signHead, sizeOf, vectorOf } from '../core/log.ts';
import { type PeerState, peers } from '../core/tables.ts';
import { takeFlag } from './accept.ts';
import type { Service, Work } from './events.ts';

/** peer → the newest head of its log that was countersigned, and how. */
const countersigned = volatileTable<{ head: string; note: string }>('countersigned');

/**
 * A log's head with its author's signature, countersigned; null while nothing of it is held. Peers are told more often than
 * each of their logs grows.
 */
const countersign = (work: Work, service: Service, author: string): string | null => {
  const head = headOf(work, author);
  if (head === null) return null;
  const held = countersigned.get(work, author);
  if (held?.head === head) return held.note;
  // A note's text ends with the empty line; its signature was verified when it was stored, with the key of that time.
  const body = head.slice(0, head.indexOf('\n\n') + 1);
  const note = `${head}${signLine(service.crypto, body, service.me, service.signer)}`;
  countersigned.put(work, { head, note }, author);
  return note;
};

/** Our vector, and the receiver's own head countersigned as far as we hold its log. */
export const have = (work: Work, service: Service, to: string): PeerFrame => ({
  kind: 'have',
  vector: vectorOf(work),
  cosigned: countersign(work, service, to),
});

/** Peers that said something new: that they may lack of everything, or of our own log alone. */
const asking = volatileTable<'all' | 'own'>('asking');
/** Authors whose logs have grown here since they were told. */
const owed = volatileTable<true>('owed');
/** As of the last look. */
const looked = volatileTable<Vector>('looked-vector');
/** How much of our own log peers were sent, or would have been if they were there. */
const published = volatileTable<number>('published');

/** Over a link that is new a peer may lack anything; later what others wrote comes to it from them. */
export const askFor = (work: Work, gateway: string, what: 'all' | 'own'): void => {
  if (asking.get(work, gateway) !== 'all') asking.put(work, what, gateway);
};

export const oweTo = (work: Work, author: string): void => owed.put(work, true, author);

const takeAll = <T>(work: Work, from: VolatileTable<T>): ReadonlyMap<string, T> => {
  const rows = from.rows(work);
  if (rows.size === 0) return rows;
  const taken = new Map(rows);
  for (const key of taken.keys()) from.remove(work, key);
  return taken;
};

/**
 * Sends peers what they lack. An author sends its own log, and hears how much of it is held; what others wrote a peer is sent
 * only if it still lacks it a look later, as it mostly has it from them: in a mesh each batch would come as often as there
 * are peers. Heads are shown all the same. Usage waits for the next look, when many boards' records share one signed head; all else goes at once.
 */
export const sync = (work: Work, service: Service): void => {
  const isLook = takeFlag(work, 'look');
  if (takeFlag(work, 'tell')) signHead(work, service);
  const size = signedSize(work, service.me);
  const isNews = size !== published.get(work, 'size');
  const [asked, owes] = [takeAll(work, asking), takeAll(work, owed)];
  if (!isLook && !isNews && asked.size === 0 && owes.size === 0) return;
  if (isNews) published.put(work, size, 'size');
  const vector = vectorOf(work);
  const before = looked.get(work, 'all') ?? {};
  if (isLook) looked.put(work, vector, 'all');
  for (const { key, value } of peers.all(work)) {
    // What it has it says first; else each new link would begin with what it had long before.
    if (!value.up || !value.heard) continue;
    const asks = asked.get(key);
    const own = isNews || asks !== undefined ? [service.me] : [];
    const others = asks === 'all' ? Object.keys(vector) : isLook ? lagging(value, before) : [];
    if (own.length + others.length > 0) sendLacking(work, service, key, value, new Set([...own, ...others]));
    if (isLook) showHeads(work, service, key, before);
    if (owes.has(key) || (isLook && hasGrown(service, value, vector))) tell(work, service, key, vector);
  }
};

const reached = ({ vector, sent }: PeerState, author: string): number => Math.max(vector[author] ?? 0, sent[author] ?? 0);

/** Of these logs it lacks what was here at the last look. */
const lagging = (peer: PeerState, before: Vector): string[] =>
  Object.keys(before).filter((author) => reached(peer, author) < (before[author] ?? 0));

/**
 * Heads of others' logs as they stood here at the last look, to a peer that has so much of them from elsewhere: an author
 * that told the two of us different histories is found out by them.
 */
const showHeads = (work: Work, service: Service, gateway: string, before: Vector): void => {
  const peer = peers.get(work, gateway);
  if (peer === null) return;
  let { shown } = peer;
  for (const author of Object.keys(before)) {
    const size = before[author] ?? 0;
    if (author === service.me || author === gateway || size <= (shown[author] ?? 0) || reached(peer, author) < size) continue;
    const head = headAt(work, author, size);
    if (head === null) continue;
    shown = { ...shown, [author]: size };
    work.emit({
      kind: 'peer-send',
      session: peer.session,
      frame: { kind: 'entries', author: idFrom<GatewayId>(author), from: size, entries: [], head },
    });
  }
  if (shown !== peer.shown) peers.put(work, { ...peer, shown }, gateway);
};

const hasGrown = (service: Service, { told }: PeerState, vector: Vector): boolean =>
  vector !== told && Object.keys(vector).some((author) => author !== service.me && (vector[author] ?? 0) > (told[author] ?? 0));

const tell = (work: Work, service: Service, gateway: string, vector: Vector): void => {
  const peer = peers.get(work, gateway);
  if (peer === null) return;
  work.emit({ kind: 'peer-send', session: peer.session, frame: have(work, service, gateway) });
  peers.put(work, { ...peer, told: vector }, gateway);
};

const sendLacking = (work: Work, service: Service, gateway: string, peer: PeerState, authors: Set<string>): void => {
  let { sent } = peer;
  for (const author of authors) {
    const size = author === service.me ? signedSize(work, author) : sizeOf(work, author);
    const from = reached({ ...peer, sent }, author);
    if (author === gateway || size <= from) continue;
    const upTo = sendEntries(work, peer.session, idFrom<GatewayId>(author), from);
    sent = { ...sent, [author]: upTo };
    // The rest is the next turn's.
    if (upTo < size) askFor(work, gateway, author === service.me ? 'own' : 'all');
  }
  if (sent !== peer.sent) peers.put(work, { ...peer, sent }, gateway);
};

/** One batch up to a signed head; returns where that stands. */
const sendEntries = (work: Work, session: string, author: GatewayId, from: number): number => {
  const batch = batchAfter(work, author, from);
  if (batch === null) return from;
  const { entries, size, note } = batch;
  work.emit({ kind: 'peer-send', session, frame: { kind: 'entries', author, from, entries, head: note } });
  return size;
};
