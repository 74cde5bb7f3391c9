/**
 * Peers: each says what it has, the other sends what lies beyond. Every entry is checked against its author's signed
 * head and then anew by its own kind; the head is countersigned, which tells the author that it is durable here.
 */
import { type Bytes, equal, fromHex, hex } from '../../runtime/protocol/bytes.ts';
import { openCheckpoint } from '../../runtime/protocol/checkpoint.ts';
import { asLichenError, LichenError, refuse } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { LogEntry, PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import { contentIn } from '../../runtime/protocol/packing.ts';
import type { Instant } from '../../runtime/turn/clock.ts';
import { applyForeign, mayPass } from '../core/apply.ts';
import { quarantine } from '../core/apply-supply.ts';
import { gatewayById, gateways, isRevoked, keysOf, trustVersions } from '../core/directory.ts';
import { appendForeign, isHeadOf, sizeOf, vectorOf } from '../core/log.ts';
import { objectionOfStore, provesOldStore } from '../core/old-store.ts';
import { open, openEntry } from '../core/opened.ts';
import { countersignedUpTo } from '../core/replicas.ts';
import { cosigned, manifests, nothing, type PeerState, peers, pendings, releases, wanted } from '../core/tables.ts';
import { touchPlacing } from '../core/touched.ts';
import { flag } from './accept.ts';
import { awaitRelease, refuseRelease, takeFromPeer } from './content.ts';
import { showContradiction } from './contradiction.ts';
import type { Event, Handler, Service, Work } from './events.ts';
import { answerPoll, passGrant, renewFrom, takeVote } from './grants.ts';
import { hasRoom, PIECE_MAX, proven } from './pieces.ts';
import { suspectAll } from './sessions.ts';
import { askFor, have, oweTo } from './sync.ts';

type Frame<K extends PeerFrame['kind']> = Extract<PeerFrame, { kind: K }>;

const UNHEARD = {
  heard: false,
  vector: {},
  sent: {},
  shown: {},
  told: {},
  proof: null,
  asked: [],
  cursor: '',
  doubtedMs: 0,
  refusedAt: '',
};

export const peerUp: Handler<Extract<Event, { kind: 'peer-up' }>> = (work, service, event, now) => {
  peers.put(work, { ...UNHEARD, told: vectorOf(work), session: event.session, up: true, sinceMs: now.monoMs }, event.gateway);
  work.emit({ kind: 'peer-send', session: event.session, frame: have(work, service, event.gateway) });
  askContent(work, service, event.gateway, now);
  touchPlacing(work);
};

/** One that is listed and was never heard is silent from now on, not for ever: this gateway may be the one that is new. */
export const noticePeers = (work: Work, service: Service, now: Instant): void => {
  for (const { gateway } of gateways(work, service)) {
    if (gateway === service.me || peers.get(work, gateway) !== null) continue;
    peers.put(work, { ...UNHEARD, session: '', up: false, sinceMs: now.monoMs }, gateway);
    touchPlacing(work);
  }
};

export const peerDown: Handler<Extract<Event, { kind: 'peer-down' }>> = (work, _service, event, now) => {
  const peer = peers.get(work, event.gateway);
  if (peer === null || peer.session !== event.session) return;
  peers.put(work, { ...peer, up: false, sinceMs: now.monoMs }, event.gateway);
  touchPlacing(work);
};

export const peerFrame: Handler<Extract<Event, { kind: 'peer-frame' }>> = (work, service, event, now) => {
  const { frame, gateway, session } = event;
  const peer = peers.get(work, gateway);
  if (peer === null || peer.session !== session) return;
  switch (frame.kind) {
    case 'have':
      return onHave(work, service, gateway, peer, frame);
    case 'entries':
      return onEntries(work, service, gateway, frame, now);
    case 'want':
      for (const hash of frame.hashes)
        work.emit({ kind: 'peer-send', session, frame: { kind: 'blob', hash, bytes: proven(work, service, hex(hash)) } });
      return;
    case 'blob':
      return onBlob(work, service, gateway, peer, frame, now);
    case 'renew':
      return renewFrom(work, service, session, frame, now);
    case 'grant':
      return passGrant(work, frame);
    case 'poll':
      return answerPoll(work, session, gateway, frame, now);
    case 'vote':
      return takeVote(work, gateway, frame);
  }
};

/** For so long a peer that gave something else is asked for nothing; others are. */
const DOUBT_MS = 10 * 60_000;

const onBlob = (work: Work, service: Service, from: string, peer: PeerState, { hash, bytes }: Frame<'blob'>, now: Instant): void => {
  const answered = { ...peer, asked: peer.asked.filter((one) => one !== hex(hash)) };
  const isLie = bytes !== null && contentIn(service.crypto, service.unpack, hash, bytes, PIECE_MAX) === null;
  peers.put(work, isLie ? { ...answered, doubtedMs: now.monoMs + DOUBT_MS } : answered, from);
  if (isLie) return work.emit({ kind: 'journal', line: `peer ${from}: bad-signature: it gave something else for content ${hex(hash)}` });
  if (bytes !== null) takeFromPeer(work, service, bytes);
  askContent(work, service, from, now);
};

const onHave = (work: Work, service: Service, from: string, peer: PeerState, frame: Frame<'have'>): void => {
  const { vector, cosigned: note } = frame;
  askFor(work, from, peer.heard ? 'own' : 'all');
  if (note === null) return peers.put(work, { ...peer, heard: true, vector }, from);
  const { key } = gatewayById(work, service, from) ?? refuse('unknown-key', `gateway ${from}`);
  peers.put(work, { ...peer, heard: true, vector, proof: { note, key } }, from);
  // It says so again with everything that it hears from others.
  if (peer.proof !== null && peer.proof.note === note && equal(peer.proof.key, key)) return;
  const checkpoint = openCheckpoint(service.crypto, note, from, key);
  if (checkpoint.author !== service.me || !isHeadOf(work, service.me, checkpoint)) {
    const error = new LichenError('fork', `${from} countersigned a log of ours that we do not have`);
    if (!provesOldStore(work, service, note)) throw error;
    return retire(work, from, peer, error);
  }
  if ((cosigned.get(work, from)?.size ?? 0) >= checkpoint.size) return;
  countersignedUpTo(work, service, from, checkpoint.size, note);
};

/** What it has learnt of its own store stays: a refusal would take it back. */
const retire = (work: Work, from: string, peer: PeerState, error: LichenError): void => {
  work.emit({ kind: 'journal', line: `peer ${from}: ${error.message}` });
  work.emit({ kind: 'journal', line: objectionOfStore(work)?.message ?? '' });
  work.emit({ kind: 'peer-drop', session: peer.session, error });
  suspectAll(work);
};

const onEntries = (work: Work, service: Service, from: string, frame: Frame<'entries'>, now: Instant): void => {
  // What a gateway logged stays true when its key is revoked, if others bring it; its own word is not taken any more.
  const present = gatewayById(work, service, from)?.key;
  if (present === undefined || isRevoked(work, service, present)) refuse('revoked-key', `gateway ${from}`);
  if (frame.author === service.me) {
    if (frame.from + frame.entries.length > sizeOf(work, service.me))
      refuse('fork', `${from} holds more of our log than we do; this store is an old copy`);
    return;
  }
  const entries = takeEntries(work, service, from, frame);
  for (const entry of entries) applyOne(work, service, entry, frame.entries[entry.seq - frame.from] ?? new Uint8Array(), now);
  if (entries.length > 0) {
    oweTo(work, frame.author);
    hearOf(work, frame.author, now);
    flag(work, 'retry');
  }
};

/**
 * Whose log grows lives, though it is heard through others only. Else two that are both heard by a third would each take the
 * other for dead, and take over from each other without end.
 */
const hearOf = (work: Work, author: string, now: Instant): void => {
  const peer = peers.get(work, author);
  if (peer === null || peer.up) return;
  peers.put(work, { ...peer, sinceMs: now.monoMs }, author);
  touchPlacing(work);
};

/**
 * For these whoever passes a log on is not to blame. It may know an operator's document that is on its way; and an author
 * with two histories has told it the other one. Were honest gateways to part over that, one liar could part them all.
 */
const AUTHORS_OWN = new Set<string>(['bad-signature', 'unknown-key', 'fork']);

const takeEntries = (work: Work, service: Service, from: string, frame: Frame<'entries'>): LogEntry[] => {
  const keys = keysOf(work, service, frame.author).map(({ key }) => key);
  try {
    return appendForeign(work, service, frame.author, keys.reverse(), frame.from, frame.entries, frame.head);
  } catch (thrown) {
    const error = asLichenError(thrown);
    const peer = peers.get(work, from);
    // What follows on a batch that was refused leaves a gap.
    const isBlameless = AUTHORS_OWN.has(error.code) || (error.code === 'conflict' && peer?.refusedAt !== '');
    if (frame.author === from || peer === null || !isBlameless) throw thrown;
    work.emit({ kind: 'journal', line: `log of ${frame.author} from ${from}: ${error.message}` });
    if (error.code === 'fork') showContradiction(work, frame);
    peers.put(work, { ...peer, refusedAt: trustVersions(work, service) }, from);
    return [];
  }
};

/** Once an operator's document has come, what was refused for want of it is asked for anew, over a link of its own. */
export const askRefused = (work: Work, service: Service): void => {
  const versions = trustVersions(work, service);
  for (const { value } of peers.all(work)) {
    if (!value.up || value.refusedAt === '' || value.refusedAt === versions) continue;
    work.emit({ kind: 'peer-drop', session: value.session, error: new LichenError('unavailable', 'an operator has a new document') });
  }
};

const applyOne = (work: Work, service: Service, entry: LogEntry, body: Bytes, now: Instant): void => {
  const error = applyForeign(work, service, entry, body);
  if (error === null) applied(work, service, entry, now);
  else spurned(work, service, entry, error);
};

const spurned = (work: Work, service: Service, entry: LogEntry, error: LichenError): void => {
  work.emit({ kind: 'journal', line: `entry ${entry.seq} (${entry.kind}) of ${entry.author}: ${error.message}` });
  if (error.code === 'fork' && entry.kind === 'usage') quarantine(work, open.usage(service.crypto, entry.body).value.board);
};

/** A release that a peer logged is fetched from it, so that this region can serve it when the peer is gone. */
const applied = (work: Work, service: Service, entry: LogEntry, now: Instant): void => {
  if (entry.kind !== 'manifest') return;
  for (const { key } of manifests.all(work)) if (releases.get(work, key) === null) awaitOrRefuse(work, service, key);
  for (const { key } of peers.all(work)) askContent(work, service, key, now);
};

/** Its pages may be here already, as another release's, and make no tree. */
const awaitOrRefuse = (work: Work, service: Service, release: string): void => {
  try {
    awaitRelease(work, service, release);
  } catch (thrown) {
    const error = asLichenError(thrown);
    if (error.code === 'internal') throw thrown;
    refuseRelease(work, release, error);
  }
};

/** So many at a time, from where this peer's round last stood: what nobody has must not stand before what somebody has. */
const askContent = (work: Work, service: Service, gateway: string, now: Instant): void => {
  const peer = peers.get(work, gateway);
  if (!hasRoom(work, service, PIECE_MAX)) return;
  if (peer === null || !peer.up || now.monoMs < peer.doubtedMs || peer.asked.length >= LIMITS.wantWindow) return;
  const keys = wanted.page(work, peer.cursor, LIMITS.wantWindow - peer.asked.length).map(({ key }) => key);
  if (keys.length === 0) return;
  peers.put(work, { ...peer, asked: [...peer.asked, ...keys], cursor: keys.at(-1) ?? '' }, gateway);
  work.emit({ kind: 'peer-send', session: peer.session, frame: { kind: 'want', hashes: keys.map(fromHex) } });
};

/** At each tick whoever has answered everything is asked anew for what it did not have. */
export const askAllContent = (work: Work, service: Service, now: Instant): void => {
  if (nothing.get(work, 'wanted') !== null) return;
  for (const { key, value } of peers.all(work)) {
    if (value.asked.length === 0) peers.put(work, { ...value, cursor: '' }, key);
    askContent(work, service, key, now);
  }
  const isAtRest = peers.all(work).every(({ value }) => value.cursor === '');
  if (isAtRest && wanted.page(work, '', 1).length === 0) nothing.put(work, true, 'wanted');
};

/** Entries that waited for others are tried again, until a round brings nothing new. */
export const retryPending = (work: Work, service: Service, now: Instant): void => {
  if (nothing.get(work, 'pending') !== null) return;
  for (let progress = true; progress; ) {
    progress = false;
    for (const { key, value } of pendings.all(work)) {
      pendings.remove(work, ...key.split('/'));
      const entry = openEntry(value.body);
      const error = applyForeign(work, service, entry, value.body);
      if (error === null) applied(work, service, entry, now);
      else if (!mayPass(error)) spurned(work, service, entry, error);
      progress ||= error === null;
    }
  }
  if (pendings.page(work, '', 1).length === 0) nothing.put(work, true, 'pending');
};
