/** A gateway's doors: its real broker and peer links, as behind its one port, without TLS and without the pairing desk. */
import { Broker } from '../../gateway/broker/broker.ts';
import { PEER_TIMINGS, PeerLinks } from '../../gateway/peers/links.ts';
import type { Front, FrontEvent, PeerEvent, Peers } from '../../gateway/service/doors.ts';
import { ALPN, type Dial } from '../../runtime/adapters/tls.ts';
import type { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Clock } from '../../runtime/turn/clock.ts';
import type { GatewayEnd } from './doors.ts';
import { type GatewayLife, identityOf, type Visitor } from './stream-life.ts';

export interface GatewayDoors {
  front: Front;
  peers: Peers;
  /** Lets go of everything, without a word to anyone if the life is over. */
  close(): void;
}

export interface GatewayDoorOptions {
  end: GatewayEnd;
  life: GatewayLife;
  dial: Dial;
  /** Every event, before the gateway hears of it. */
  heard(event: FrontEvent | PeerEvent): void;
  /** Streams have been given work. */
  touch(): void;
}

/** What it puts off writes to streams, too. */
const touchingSoon =
  (clock: Clock, touch: () => void): Clock['soon'] =>
  (call) =>
    clock.soon(() => {
      touch();
      call();
    });

export const gatewayDoors = ({ end, life, dial, heard, touch }: GatewayDoorOptions): GatewayDoors => {
  const { connectDeadlineMs, settleDeadlineMs } = LIMITS;
  const common = {
    ...{ gatekeeper: end.gatekeeper, clock: { ...end.clock, soon: touchingSoon(end.clock, touch) }, prefix: '' },
    listener: (event: FrontEvent | PeerEvent) => {
      if (!life.isAlive()) return;
      heard(event);
      end.listener(event);
    },
    note: (error: LichenError) => {
      if (life.isAlive()) end.note(error);
    },
  };
  // As the gateway's own entry works it out from its silence.
  const timings = { ...PEER_TIMINGS, silenceMs: end.silenceMs, heartbeatMs: Math.max(250, end.silenceMs / 3) };
  const links = new PeerLinks({ ...common, identity: identityOf(end), dial, entropy: end.entropy, timings });
  let broker: Broker | null = null;
  /** aedes opens with promises, and a visitor may be faster. */
  const early: Visitor[] = [];
  const accept = (visitor: Visitor): void => {
    const { stream, key, alpn } = visitor;
    if (alpn === ALPN.peer) links.accept(stream, key, () => {});
    else if (alpn === ALPN.pair) stream.destroy();
    else if (broker === null) early.push(visitor);
    else broker.accept(stream, key, () => {});
  };
  life.accept = accept;
  void Broker.open({ ...common, id: end.id, connectDeadlineMs, settleDeadlineMs }).then((opened) => {
    broker = opened;
    if (life.isOver) {
      void opened.close();
      return;
    }
    for (const visitor of early) accept(visitor);
  });
  const touching =
    <Args extends unknown[]>(call: (...args: Args) => void) =>
    (...args: Args): void => {
      touch();
      call(...args);
    };
  touch();
  return {
    front: {
      send: touching((session, topic, payload) => broker?.send(session, topic, payload)),
      give: touching((session, hashes, shelf) => broker?.give(session, hashes, shelf)),
      settle: touching((receipt, error) => broker?.settle(receipt, error)),
      // Whoever pairs here does so without a connection.
      answerPairing: () => {},
      drop: touching((session, error) => broker?.drop(session, error)),
    },
    peers: {
      reach: touching((entries) => links.reach(entries)),
      send: touching((session, frame) => links.send(session, frame)),
      drop: touching((session, error) => links.drop(session, error)),
    },
    close: () => {
      links.close();
      void broker?.close();
    },
  };
};
