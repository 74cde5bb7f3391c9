/** The gateway's one door: a TLS port behind which ALPN leads to the broker, to the pairing desk or to the peers. */
import type { Identity } from '../../runtime/adapters/certificate.ts';
import { ALPN, type Arrival, type Dial, dial, listen } from '../../runtime/adapters/tls.ts';
import type { Crypto } from '../../runtime/protocol/crypto.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import type { Clock } from '../../runtime/turn/clock.ts';
import type { Entropy } from '../../runtime/turn/entropy.ts';
import { PEER_TIMINGS, PeerLinks, type PeerTimings } from '../peers/links.ts';
import type { Front, FrontEvent, Gatekeeper, PeerEvent, Peers } from '../service/doors.ts';
import { Admission } from './admission.ts';
import { Broker } from './broker.ts';
import { PairingDesk } from './pairing.ts';

export interface DoorOptions {
  host: string;
  /** 0: any that is free; the answer says which. */
  port: number;
  /** Its id is the gateway's. */
  identity: Identity;
  gatekeeper: Gatekeeper;
  listener(event: FrontEvent | PeerEvent): void;
  crypto: Crypto;
  clock: Clock;
  entropy: Entropy;
  /** Every refusal; for the log, there is nothing to be done about one. */
  note(error: LichenError): void;
  /** Before the names of sessions, where several processes are one gateway. Default: none. */
  prefix?: string;
  /** Default: TLS. */
  dial?: Dial;
  peerTimings?: Partial<PeerTimings>;
  /** Default: `LIMITS`. */
  limits?: Partial<DoorLimits>;
}

export interface DoorLimits {
  sessions: number;
  strangersPerAddress: number;
  connectDeadlineMs: number;
  settleDeadlineMs: number;
}

export interface Door {
  front: Front;
  peers: Peers;
  port: number;
  close(): Promise<void>;
}

interface Desks {
  broker: Broker;
  desk: PairingDesk;
  links: PeerLinks;
}

const lead = (arrival: Arrival, { broker, desk, links }: Desks, admission: Admission, note: DoorOptions['note']): void => {
  const { stream, key, from } = arrival;
  if (key === null) {
    note(new LichenError('unknown-key', `${from} shows no Ed25519 key`));
    stream.destroy();
    return;
  }
  const passed = () => admission.passed(from);
  if (arrival.alpn === ALPN.mqtt) broker.accept(stream, key, passed);
  else if (arrival.alpn === ALPN.peer) links.accept(stream, key, passed);
  // Whoever pairs stays a stranger: the deadline holds until the connection is closed.
  else desk.accept(stream, key, arrival.exporter());
};

/** Error: `cannot-listen` when the address cannot be bound. */
export const openDoor = async (options: DoorOptions): Promise<Door> => {
  const { identity, gatekeeper, listener, crypto, clock, entropy, note, prefix = '' } = options;
  const { connectDeadlineMs, settleDeadlineMs, strangersPerAddress, sessions } = { ...LIMITS, ...options.limits };
  const timings = { ...PEER_TIMINGS, ...options.peerTimings };
  const links = new PeerLinks({ identity, gatekeeper, listener, dial: options.dial ?? dial, clock, entropy, note, prefix, timings });
  const broker = await Broker.open({ id: identity.id, gatekeeper, listener, clock, note, prefix, connectDeadlineMs, settleDeadlineMs });
  const desk = new PairingDesk({ crypto, listener, note });
  const admission = new Admission({ clock, perNetwork: strangersPerAddress, deadlineMs: connectDeadlineMs, refused: note });
  const { host, port } = options;
  const listening = await listen({
    host,
    port,
    identity,
    handshakeMs: connectDeadlineMs,
    socketsMax: sessions,
    admit: (socket, from) => admission.enter(socket, from),
    arrived: (arrival) => lead(arrival, { broker, desk, links }, admission, note),
    failed: note,
  }).catch(async (thrown: unknown) => {
    await broker.close();
    throw thrown;
  });
  const front: Front = {
    send: (session, topic, payload) => broker.send(session, topic, payload),
    give: (session, hashes, shelf) => broker.give(session, hashes, shelf),
    settle: (receipt, error) => broker.settle(receipt, error),
    answerPairing: (receipt, answer) => desk.answer(receipt, answer),
    drop: (session, error) => broker.drop(session, error),
  };
  const close = async () => {
    links.close();
    await broker.close();
    await listening.close();
  };
  return { front, peers: links, port: listening.port, close };
};
