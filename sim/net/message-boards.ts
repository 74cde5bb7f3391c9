/** Tier A between boards and gateways: what the link adapter and the broker do, a message at a time. */
import type { Front } from '../../gateway/service/doors.ts';
import type { Link, LinkEvent } from '../../runtime/ports/link.ts';
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { encodeAs } from '../../runtime/protocol/noun.ts';
import { chunk, gone } from '../../runtime/protocol/nouns/messages.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import type { TopicName } from '../../runtime/protocol/topics.ts';
import type { Chance } from '../world/chance.ts';
import type { Connection, Connections } from './connection.ts';
import type { BoardEnd, GatewayEnd, Heard } from './doors.ts';

/** TCP, TLS 1.3 and CONNECT with its subscriptions: so many times there and back before a session can be used. */
export const ROUND_TRIPS = 4;
const HANDSHAKE_BYTES = 1200;
/** RFC 6298 §2: before anything has been measured. */
const FIRST_RETRY_MS = 1000;
/** An MQTT PUBLISH in TLS beside its payload: topic, identifiers, record. */
const PUBLISH_BYTES = 90;
const GONE = encodeAs(gone, { v: 1 }, 'gone');

/** One dial and the session that came of it. */
interface Call {
  gateway: GatewayEntry;
  session: Session | null;
}

interface Session {
  name: string;
  board: BoardEnd;
  gateway: GatewayEnd;
  connection: Connection;
  hear(topic: TopicName, payload: Bytes): void;
}

export interface BoardSide {
  connections: Connections;
  gateways: Map<string, GatewayEnd>;
  chance: Chance;
  heard: Heard;
}

export class BoardMessages {
  readonly #side: BoardSide;
  readonly #sessions = new Map<string, Session>();
  /** gateway/board → session: of one client there is one. */
  readonly #byClient = new Map<string, Session>();
  readonly #receipts = new Map<number, string>();
  #count = 0;

  constructor(side: BoardSide) {
    this.#side = side;
  }

  link(end: BoardEnd): Link {
    const { connections, gateways } = this.#side;
    const { clock, paths } = connections;
    let listener: (event: LinkEvent) => void = () => {};
    let call: Call | null = null;
    const fail = (from: Call, error: LichenError): void => {
      if (call !== from || !end.alive()) return;
      call = null;
      listener({ kind: 'unlinked', gateway: from.gateway, error });
    };
    const hangUp = (): void => {
      call?.session?.connection.close('a');
      call = null;
    };
    const open = (from: Call, gateway: GatewayEnd): void => {
      const admitted = gateway.gatekeeper('board', end.id, end.signer.publicKey);
      if (admitted instanceof LichenError) {
        fail(from, admitted);
        return;
      }
      const hear = (topic: TopicName, payload: Bytes): void => {
        if (call === from) listener({ kind: 'message', topic, payload });
      };
      from.session = this.#open(end, gateway, hear, (error) => fail(from, error));
      from.session.connection.send('b', PUBLISH_BYTES, () => {
        if (call === from) listener({ kind: 'linked', gateway: from.gateway });
      });
    };
    /** It is open, and whatever becomes of the way, nobody is at the other end. */
    const unheard = (mine: Call, leftMs: number): void =>
      void clock.at(clock.nowMs + leftMs, () => fail(mine, new LichenError('unavailable', 'it opened, and nothing was heard')));
    const shake = (mine: Call, leftMs: number, tripMs: number): void => {
      const { gateway: entry } = mine;
      const listens = paths.listens(entry.gateway);
      const waitMs = Math.min(leftMs, tripMs * (listens ? ROUND_TRIPS : 1));
      clock.at(clock.nowMs + waitMs, () => {
        if (call !== mine || !end.alive()) return;
        const gateway = gateways.get(entry.gateway);
        if (paths.swallows(end.at, entry.gateway)) return unheard(mine, leftMs - waitMs);
        if (!listens || waitMs >= leftMs || gateway?.alive() !== true || !paths.opens(end.at, gateway.id))
          fail(mine, new LichenError('unavailable', 'the connection was refused'));
        else if (!equal(gateway.signer.publicKey, entry.key))
          fail(mine, new LichenError('wrong-signer', 'another key than the operator lists'));
        else open(mine, gateway);
      });
    };
    /** Where nothing comes back it is asked again, each time after twice as long. */
    const knock = (mine: Call, untilMs: number, retryMs: number): void => {
      const { gateway } = mine.gateway;
      const leftMs = untilMs - clock.nowMs;
      if (gateways.has(gateway) && paths.swallows(end.at, gateway)) return unheard(mine, leftMs);
      const there = gateways.has(gateway) ? paths.delayMs(end.at, gateway, HANDSHAKE_BYTES) : null;
      const back = there === null ? null : paths.delayMs(gateway, end.at, HANDSHAKE_BYTES);
      if (there !== null && back !== null) return shake(mine, leftMs, there + back);
      clock.at(clock.nowMs + Math.min(retryMs, leftMs), () => {
        if (call !== mine || !end.alive()) return;
        if (retryMs < leftMs) knock(mine, untilMs, 2 * retryMs);
        else fail(mine, new LichenError('unavailable', 'no answer'));
      });
    };
    return {
      watch: (added) => {
        listener = added;
      },
      hangUp,
      dial: (entry, patienceMs = end.timeoutMs) => {
        hangUp();
        call = { gateway: entry, session: null };
        knock(call, clock.nowMs + patienceMs, FIRST_RETRY_MS);
      },
      publish: (topic, payload) => {
        const session = call?.session ?? null;
        if (session !== null) this.#publish(session, topic, payload);
      },
    };
  }

  #open(board: BoardEnd, gateway: GatewayEnd, hear: Session['hear'], lost: (error: LichenError) => void): Session {
    const { connections, chance } = this.#side;
    const client = `${gateway.id}/${board.id}`;
    // A newer session of the same client ends the one before (MQTT 3.1.1 §3.1.4).
    const former = this.#byClient.get(client);
    if (former !== undefined) this.#leave(former, true);
    const connection = connections.open(board, gateway, {
      // A ping goes out when nothing else did, and its answer is waited for; a gateway allows one and a half (§3.1.2.10).
      patienceMs: (end) => board.keepaliveMs * (end === 'a' ? 0.5 + chance.unit() : 1.5),
      asks: { a: true, b: false },
      over: (end, error) => (end === 'a' ? lost(error) : this.#leave(session, false)),
    });
    const session: Session = { name: `s${++this.#count}`, board, gateway, connection, hear };
    this.#sessions.set(session.name, session);
    this.#byClient.set(client, session);
    gateway.listener({ kind: 'connected', session: session.name, party: 'board', id: board.id, key: board.signer.publicKey });
    return session;
  }

  #publish(session: Session, topic: TopicName, payload: Bytes): void {
    const { board, gateway, connection, name } = session;
    const { heard, connections } = this.#side;
    const arrive = (): void => {
      if (!this.#sessions.has(name)) return;
      heard(board.id, gateway.id, topic, payload);
      gateway.listener({ kind: 'message', session: name, party: 'board', id: board.id, topic, payload, receipt: this.#receipt(name) });
    };
    connection.send('a', payload.length + PUBLISH_BYTES, arrive);
    if (connections.paths.repeats(board.at, gateway.at)) connection.send('a', payload.length + PUBLISH_BYTES, arrive);
  }

  #receipt(session: string): number {
    this.#receipts.set(++this.#count, session);
    return this.#count;
  }

  /** The gateway's end of it is over: the last will is spoken, then the session ends. */
  #leave(session: Session, hasEnded: boolean): void {
    const { name, board, gateway, connection } = session;
    if (!this.#sessions.delete(name)) return;
    const client = `${gateway.id}/${board.id}`;
    if (this.#byClient.get(client) === session) this.#byClient.delete(client);
    if (hasEnded) connection.close('b');
    if (!gateway.alive()) return;
    gateway.listener({
      kind: 'message',
      session: name,
      party: 'board',
      id: board.id,
      topic: 'gone',
      payload: GONE,
      receipt: ++this.#count,
    });
    gateway.listener({ kind: 'disconnected', session: name, party: 'board', id: board.id });
  }

  readonly front: Front = {
    send: (name, topic, payload) => {
      const session = this.#sessions.get(name);
      if (session === undefined) return;
      const { board, gateway, connection } = session;
      const { heard, connections } = this.#side;
      const arrive = (): void => {
        heard(gateway.id, board.id, topic, payload);
        session.hear(topic, payload);
      };
      connection.send('b', payload.length + PUBLISH_BYTES, arrive);
      if (connections.paths.repeats(gateway.at, board.at)) connection.send('b', payload.length + PUBLISH_BYTES, arrive);
    },
    give: (name, hashes, shelf) => {
      for (const hash of hashes) this.front.send(name, 'chunk', encodeAs(chunk, { v: 1, hash, bytes: shelf(hash) }, 'chunk'));
    },
    settle: (receipt, error) => {
      const name = this.#receipts.get(receipt);
      this.#receipts.delete(receipt);
      if (error !== null && name !== undefined) this.front.drop(name, error);
    },
    // Pairing is a person's errand, done at the gateway itself.
    answerPairing: () => {},
    drop: (name) => {
      const session = this.#sessions.get(name);
      if (session !== undefined) this.#leave(session, true);
    },
  };

  /** Its broker is gone with it, and so is what it knew of sessions. */
  ended(gateway: string): void {
    for (const session of [...this.#sessions.values()]) {
      if (session.gateway.id !== gateway) continue;
      this.#sessions.delete(session.name);
      this.#byClient.delete(`${gateway}/${session.board.id}`);
    }
  }
}
