/** Tier A between gateways: what the peer links do, a frame at a time. Of two the one with the smaller id dials. */
import { fullJitterMs } from '../../gateway/peers/backoff.ts';
import { PEER_TIMINGS } from '../../gateway/peers/links.ts';
import type { Peers } from '../../gateway/service/doors.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import type { Connection, Connections, Which } from './connection.ts';
import type { GatewayEnd } from './doors.ts';

const ROUND_TRIPS = 3;
const HANDSHAKE_BYTES = 1200;

/** What of a frame crosses the wire, for its time on the way and for the trace. */
export type FrameHeard = (from: string, to: string, frame: PeerFrame, bytes: number) => void;

const sizeOf = (frame: PeerFrame): number => {
  if (frame.kind === 'entries') return frame.entries.reduce((sum, entry) => sum + entry.length + 5, frame.head.length + 64);
  if (frame.kind === 'blob') return 64 + (frame.bytes?.length ?? 0);
  if (frame.kind === 'want') return 34 * frame.hashes.length + 16;
  if (frame.kind === 'renew') return 24 + frame.renewal.length;
  if (frame.kind === 'grant') return 64 + frame.grant.length;
  if (frame.kind === 'poll' || frame.kind === 'vote') return 80;
  return 44 * Object.keys(frame.vector).length + (frame.cosigned?.length ?? 0) + 32;
};

interface PeerSession {
  name: string;
  connection: Connection;
  side: Which;
}

export class PeerMessages {
  readonly #connections: Connections;
  readonly #gateways: Map<string, GatewayEnd>;
  readonly #heard: FrameHeard;
  /** `at/peer` → the session by which `at` knows its link to the peer. */
  readonly #sessions = new Map<string, PeerSession>();
  readonly #byName = new Map<string, PeerSession & { at: GatewayEnd; peer: GatewayEnd }>();
  #count = 0;

  constructor(connections: Connections, gateways: Map<string, GatewayEnd>, heard: FrameHeard) {
    this.#connections = connections;
    this.#gateways = gateways;
    this.#heard = heard;
  }

  door(end: GatewayEnd): Peers {
    const dialling = new Map<string, { attempt: number; openedMs: number }>();
    let reached = new Map<string, GatewayEntry>();
    const { clock, paths } = this.#connections;
    const later = (peer: string): void => {
      const state = dialling.get(peer);
      if (state === undefined) return;
      const waitMs = fullJitterMs(end.entropy, state.attempt++, PEER_TIMINGS.backoffBaseMs, PEER_TIMINGS.backoffCapMs);
      clock.at(clock.nowMs + waitMs, () => dial(peer));
    };
    const lost = (peer: string): void => {
      const state = dialling.get(peer);
      if (state === undefined) return;
      if (clock.nowMs - state.openedMs >= end.silenceMs) state.attempt = 0;
      later(peer);
    };
    const dial = (peer: string): void => {
      if (!end.alive() || !dialling.has(peer)) return;
      const there = paths.passes(end.id, peer) ? paths.delayMs(end.id, peer, HANDSHAKE_BYTES) : null;
      const waitMs = there === null ? PEER_TIMINGS.dialMs : 2 * there * (paths.listens(peer) ? ROUND_TRIPS : 1);
      clock.at(clock.nowMs + waitMs, () => {
        const state = dialling.get(peer);
        if (!end.alive() || state === undefined) return;
        const far = this.#gateways.get(peer);
        const isOpen = there !== null && far?.alive() === true && paths.opens(end.id, peer);
        const admitted = isOpen ? far.gatekeeper('gateway', null, end.signer.publicKey) : null;
        if (!isOpen || admitted instanceof LichenError) {
          end.note(admitted instanceof LichenError ? admitted : new LichenError('unavailable', `peer ${peer}: no answer`));
          later(peer);
          return;
        }
        state.openedMs = clock.nowMs;
        this.#open(end, far, () => lost(peer));
      });
    };
    return {
      reach: (entries) => {
        reached = new Map(entries.filter(({ gateway }) => gateway !== end.id).map((entry) => [String(entry.gateway), entry]));
        for (const peer of [...dialling.keys()]) if (!reached.has(peer)) dialling.delete(peer);
        for (const peer of reached.keys()) {
          if (dialling.has(peer) || end.id >= peer) continue;
          dialling.set(peer, { attempt: 0, openedMs: 0 });
          dial(peer);
        }
      },
      send: (name, frame) => {
        const session = this.#byName.get(name);
        if (session === undefined) return;
        const { at, peer, connection, side } = session;
        const bytes = sizeOf(frame);
        connection.send(side, bytes, () => {
          const far = this.#sessions.get(`${peer.id}/${at.id}`);
          if (far === undefined || far.connection !== connection) return;
          this.#heard(at.id, peer.id, frame, bytes);
          peer.listener({ kind: 'peer-frame', session: far.name, gateway: at.id, frame });
        });
      },
      drop: (name) => {
        const session = this.#byName.get(name);
        if (session === undefined) return;
        this.#down(session.at, session.peer, session.connection);
        session.connection.close(session.side);
      },
    };
  }

  #open(dialler: GatewayEnd, far: GatewayEnd, lost: () => void): void {
    // If it dials again, the link before is dead and only the far end does not know yet.
    const former = this.#sessions.get(`${far.id}/${dialler.id}`);
    if (former !== undefined) {
      this.#down(far, dialler, former.connection);
      former.connection.close(former.side);
    }
    const connection = this.#connections.open(dialler, far, {
      patienceMs: (end) => (end === 'a' ? dialler : far).silenceMs,
      asks: { a: false, b: false },
      over: (end) => {
        if (end === 'b') this.#down(far, dialler, connection);
        else this.#down(dialler, far, connection);
      },
    });
    this.#lost.set(connection, { dialler, lost });
    this.#up(far, dialler, connection, 'b');
    connection.send('b', 1, () => this.#up(dialler, far, connection, 'a'));
  }

  readonly #lost = new WeakMap<Connection, { dialler: GatewayEnd; lost: () => void }>();

  #up(at: GatewayEnd, peer: GatewayEnd, connection: Connection, side: Which): void {
    const session = { name: `p${++this.#count}`, connection, side };
    this.#sessions.set(`${at.id}/${peer.id}`, session);
    this.#byName.set(session.name, { ...session, at, peer });
    at.listener({ kind: 'peer-up', session: session.name, gateway: peer.id });
  }

  #down(at: GatewayEnd, peer: GatewayEnd, connection: Connection): void {
    const key = `${at.id}/${peer.id}`;
    const session = this.#sessions.get(key);
    const record = this.#lost.get(connection);
    if (session?.connection === connection) {
      this.#sessions.delete(key);
      this.#byName.delete(session.name);
      if (at.alive()) at.listener({ kind: 'peer-down', session: session.name, gateway: peer.id });
    }
    // Once for each connection, by whoever dialled it.
    if (record?.dialler === at && this.#lost.delete(connection) && at.alive()) record.lost();
  }

  /** A gateway's life is over, and with it what it knew of its links. */
  ended(gateway: string): void {
    for (const [name, { at, peer }] of [...this.#byName]) {
      if (at.id !== gateway) continue;
      this.#byName.delete(name);
      this.#sessions.delete(`${gateway}/${peer.id}`);
    }
  }
}
