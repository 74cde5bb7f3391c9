/**
 * MQTT for boards and tenants: aedes, with everything taken away that Lichen does not use. No message is passed from
 * one client to another: what clients publish goes to the service, and what the service sends goes to one client by
 * `client.publish`, so that one that does not read holds up nobody else.
 *
 * aedes would acknowledge a QoS 1 message before anyone has it. Made to wait in `authorizePublish` it reads on no
 * more, and a client whose ping stays unanswered believes the gateway dead. So aedes is told QoS 0, and the PUBACK is
 * written here once the service has settled the message: published means durable.
 *
 * Sessions are counted here and not by aedes, whose list loses the newer of two clients when the older one's end
 * comes late. Last wills too are spoken here, so that `gone` always comes before `disconnected`.
 */
import type { Duplex } from 'node:stream';
import { Aedes, type Client, type ConnectPacket, type PublishPacket, type Subscription } from 'aedes';
import { publishBytes } from '../../runtime/adapters/mqtt-header.ts';
import { type Bytes, utf8 } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { mayUse, parseTopic, TOPICS, type TopicName, topicOf } from '../../runtime/protocol/topics.ts';
import type { Clock } from '../../runtime/turn/clock.ts';
import type { FrontEvent, Gatekeeper, Shelf } from '../service/doors.ts';
import { Courier, type Load } from './courier.ts';
import { Guard } from './guard.ts';
import { type Identified, identify } from './identify.ts';

/** A slow client may hold a write for so long (aedes: 60 s). */
const DRAIN_MS = 10_000;

export type Note = (error: LichenError) => void;

export interface BrokerOptions {
  /** The gateway's id. */
  id: string;
  gatekeeper: Gatekeeper;
  listener(event: FrontEvent): void;
  clock: Clock;
  /** Every refusal, for the log. */
  note: Note;
  /** Before the count in a session's name; several processes of one gateway differ in it. */
  prefix: string;
  connectDeadlineMs: number;
  settleDeadlineMs: number;
}

/** A connection that has said nothing yet. */
interface Arrived {
  key: Bytes;
  guard: Guard;
  passed(): void;
  verdict: Identified | LichenError | null;
  session: Session | null;
}

interface Session extends Identified {
  name: string;
  client: Client;
  arrived: Arrived;
  subscribed: Set<TopicName>;
  /** Given to aedes and not yet taken by the socket. */
  queuedBytes: number;
  load: Load;
  unsettled: Set<number>;
  /** Past the limit of unsettled ones; aedes reads no further before these are `done` with. */
  waiting: { message: Message; done: Done }[];
  state: 'opening' | 'open' | 'over';
}

type Done = (error?: Error | null) => void;

interface Message {
  topic: TopicName;
  payload: Bytes;
  /** The packet identifier to acknowledge; null for QoS 0. */
  packetId: number | null;
}

interface Receipt {
  session: Session;
  packetId: number | null;
  cancel(): void;
}

/** CONNACK return codes, MQTT 3.1.1 §3.2.2.3. */
const IDENTIFIER_REJECTED = 2;
const SERVER_UNAVAILABLE = 3;
const NOT_AUTHORISED = 5;
const returnCodeOf = ({ code }: LichenError): number =>
  code === 'wrong-signer' ? IDENTIFIER_REJECTED : code === 'too-many' ? SERVER_UNAVAILABLE : NOT_AUTHORISED;

const bytesOf = (payload: string | Buffer): Bytes => {
  const buffer = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
};

/** MQTT 3.1.1 §3.4 */
const puback = (packetId: number): Bytes => Uint8Array.from([0x40, 2, packetId >> 8, packetId & 255]);

/** The topic that a session publishes to. Errors: `foreign-topic`, `too-large`. */
const permitted = ({ party, id }: Session, address: string, bytes: number): TopicName | LichenError => {
  const topic = parseTopic(address)?.topic;
  if (topic === undefined || !mayUse(party, id, address, 'up')) return new LichenError('foreign-topic', `a message to ${address}`);
  const { maxBytes } = TOPICS[topic];
  return bytes <= maxBytes ? topic : new LichenError('too-large', `${bytes} bytes on ${topic}, which takes ${maxBytes}`);
};

export class Broker {
  readonly #options: BrokerOptions;
  readonly #aedes: Aedes;
  readonly #courier: Courier;
  readonly #arrived = new WeakMap<Client, Arrived>();
  readonly #sessions = new Map<string, Session>();
  readonly #byClientId = new Map<string, Session>();
  /** Board or tenant → how many sessions it has. */
  readonly #counts = new Map<string, number>();
  readonly #receipts = new Map<number, Receipt>();
  #count = 0;
  #receipt = 0;

  static async open(options: BrokerOptions): Promise<Broker> {
    const broker = new Broker(options);
    await broker.#aedes.listen();
    return broker;
  }

  private constructor(options: BrokerOptions) {
    this.#options = options;
    this.#courier = new Courier(options.clock);
    this.#aedes = new Aedes({
      id: options.id,
      drainTimeout: DRAIN_MS,
      connectTimeout: options.connectDeadlineMs,
      preConnect: (client, packet, done) => done(null, this.#identify(client, packet)),
      authenticate: (client, _user, _password, done) => {
        const error = this.#begin(client);
        if (error === null) return done(null, true);
        done(Object.assign(new Error(error.message), { returnCode: returnCodeOf(error) }), false);
      },
      authorizePublish: (client, packet, done) => this.#published(client, packet, done),
      authorizeSubscribe: (client, wanted, done) => done(null, this.#maySubscribe(client, wanted) ? wanted : null),
    });
    this.#aedes.on('clientReady', (client) => this.#announce(client));
    this.#aedes.on('unsubscribe', (topics, client) => this.#unsubscribed(client, topics));
    this.#aedes.addListener('error', (thrown: Error) => options.note(new LichenError('internal', `aedes: ${thrown.message}`)));
  }

  /** A stream whose far end holds `key`. `passed` is called once CONNECT is accepted. */
  accept(stream: Duplex, key: Bytes, passed: () => void): void {
    const guard = new Guard(stream, this.#options.note);
    const arrived: Arrived = { key, guard, passed, verdict: null, session: null };
    const client = this.#aedes.handle(guard);
    this.#arrived.set(client, arrived);
    guard.once('close', () => {
      if (arrived.session !== null) this.#end(arrived.session);
    });
  }

  send(name: string, topic: TopicName, payload: Bytes): void {
    const session = this.#sessions.get(name);
    if (session === undefined || !session.subscribed.has(topic)) return;
    const address = topicOf(topic, session.id);
    const { qos, maxBytes } = TOPICS[topic];
    const size = payload.length;
    // The client would cut the connection, ask again, and cut it again.
    if (size > maxBytes || publishBytes(address, size, qos) > LIMITS.packetBytes) {
      this.#note(session, new LichenError('internal', `${size} bytes for ${topic}, more than fit`));
      return;
    }
    session.queuedBytes += size;
    if (session.queuedBytes > LIMITS.sessionQueueBytes) {
      this.drop(
        name,
        new LichenError('unavailable', `${session.clientId} reads too slowly: more than ${LIMITS.sessionQueueBytes} bytes wait for it`),
      );
      return;
    }
    const body = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    const packet = { cmd: 'publish', topic: address, payload: body, qos, dup: false, retain: false } as const;
    session.client.publish(packet, () => {
      session.queuedBytes -= size;
    });
  }

  give(name: string, hashes: Bytes[], shelf: Shelf): void {
    const session = this.#sessions.get(name);
    if (session === undefined || !session.subscribed.has('chunk')) return;
    session.load.shelf = shelf;
    if (!this.#courier.give(session.load, hashes))
      this.drop(name, new LichenError('unavailable', `${session.clientId} asks for more than ${LIMITS.wantsWaiting} pieces at once`));
  }

  settle(number: number, error: LichenError | null): void {
    const receipt = this.#receipts.get(number);
    if (receipt === undefined) return;
    const { session, packetId, cancel } = receipt;
    cancel();
    this.#receipts.delete(number);
    session.unsettled.delete(number);
    // MQTT 3.1.1 has no other refusal of a message than the end of the connection.
    if (error !== null) {
      this.drop(session.name, error);
      return;
    }
    if (packetId !== null) session.arrived.guard.write(puback(packetId));
    const next = session.waiting.shift();
    if (next === undefined) return;
    this.#hand(session, next.message);
    next.done();
  }

  drop(name: string, error: LichenError): void {
    const session = this.#sessions.get(name);
    if (session === undefined) return;
    this.#note(session, error);
    this.#end(session);
    session.arrived.guard.destroy();
  }

  close(): Promise<void> {
    for (const session of this.#sessions.values()) this.#end(session);
    return new Promise((resolve) => this.#aedes.close(() => resolve()));
  }

  #note(session: Session, error: LichenError): void {
    this.#options.note(new LichenError(error.code, `${session.party} ${session.clientId}: ${error.detail}`));
  }

  #identify(client: Client, packet: ConnectPacket): boolean {
    const arrived = this.#arrived.get(client);
    if (arrived === undefined) return false;
    arrived.verdict = identify(this.#options.gatekeeper, packet, arrived.key);
    // aedes would speak it at a time of its own.
    delete packet.will;
    return true;
  }

  /** Null: CONNECT is accepted. A session under the same client id ends here and now. */
  #begin(client: Client): LichenError | null {
    const arrived = this.#arrived.get(client);
    const verdict = arrived?.verdict ?? new LichenError('internal', 'a client without a connection');
    if (arrived === undefined || verdict instanceof LichenError) {
      const error = verdict instanceof LichenError ? verdict : new LichenError('internal', 'a client without a connection');
      return this.#refused(error);
    }
    const former = this.#byClientId.get(verdict.clientId);
    if (former !== undefined) this.drop(former.name, new LichenError('conflict', 'a new session under the same client id takes over'));
    const sessions = this.#counts.get(verdict.id) ?? 0;
    if (sessions >= LIMITS.sessionsPerTenant) return this.#refused(new LichenError('too-many', `${verdict.id} has ${sessions} sessions`));
    this.#counts.set(verdict.id, sessions + 1);
    const name = `${this.#options.prefix}m${++this.#count}`;
    const load: Load = {
      ...{ stream: arrived.guard, topic: utf8(topicOf('chunk', verdict.id)), hashes: [], next: 0, shelf: () => null, busy: false },
    };
    const open = { name, client, arrived, subscribed: new Set<TopicName>(), queuedBytes: 0, unsettled: new Set<number>(), waiting: [] };
    const session: Session = { ...verdict, ...open, load, state: 'opening' };
    arrived.session = session;
    this.#sessions.set(name, session);
    this.#byClientId.set(session.clientId, session);
    arrived.guard.accept();
    arrived.passed();
    return null;
  }

  #refused(error: LichenError): LichenError {
    this.#options.note(error);
    return error;
  }

  #sessionOf(client: Client | null): Session | null {
    const session = client === null ? null : (this.#arrived.get(client)?.session ?? null);
    return session?.state === 'over' ? null : session;
  }

  #announce(client: Client): void {
    const session = this.#sessionOf(client);
    if (session?.state !== 'opening') return;
    session.state = 'open';
    const { name, party, id, arrived } = session;
    this.#options.listener({ kind: 'connected', session: name, party, id, key: arrived.key });
  }

  #published(client: Client | null, packet: PublishPacket, done: Done): void {
    const session = this.#sessionOf(client);
    if (client === null || session === null) {
      done(new Error('no session'));
      return;
    }
    // CONNACK is out before aedes says `clientReady`, and a fast client may be faster.
    this.#announce(client);
    const payload = bytesOf(packet.payload);
    const topic = permitted(session, packet.topic, payload.length);
    if (topic instanceof LichenError) {
      this.drop(session.name, topic);
      done(new Error('refused'));
      return;
    }
    const message = { topic, payload, packetId: packet.qos === 1 ? (packet.messageId ?? null) : null };
    packet.qos = 0;
    if (session.unsettled.size >= LIMITS.unsettledPerSession) {
      session.waiting.push({ message, done });
      return;
    }
    this.#hand(session, message);
    done();
  }

  #hand(session: Session, { topic, payload, packetId }: Message): void {
    const receipt = ++this.#receipt;
    const { settleDeadlineMs, clock, listener } = this.#options;
    const late = () => this.settle(receipt, new LichenError('unavailable', `${topic} was not settled within ${settleDeadlineMs} ms`));
    this.#receipts.set(receipt, { session, packetId, cancel: clock.after(settleDeadlineMs, late) });
    session.unsettled.add(receipt);
    listener({ kind: 'message', session: session.name, party: session.party, id: session.id, topic, payload, receipt });
  }

  #maySubscribe(client: Client, { topic, qos }: Subscription): boolean {
    const session = this.#sessionOf(client);
    if (session === null) return false;
    const address = parseTopic(topic);
    if (address === null || !mayUse(session.party, session.id, topic, 'down') || qos > 1) {
      this.#note(session, new LichenError('foreign-topic', `subscription to ${topic}, QoS ${qos}`));
      return false;
    }
    session.subscribed.add(address.topic);
    return true;
  }

  #unsubscribed(client: Client, topics: string[]): void {
    for (const topic of topics) {
      const address = parseTopic(topic);
      if (address !== null) this.#sessionOf(client)?.subscribed.delete(address.topic);
    }
  }

  #end(session: Session): void {
    const { name, party, id, state, will, arrived } = session;
    if (state === 'over') return;
    session.state = 'over';
    session.waiting = [];
    this.#sessions.delete(name);
    const sessions = (this.#counts.get(id) ?? 1) - 1;
    if (sessions > 0) this.#counts.set(id, sessions);
    else this.#counts.delete(id);
    if (this.#byClientId.get(session.clientId) === session) this.#byClientId.delete(session.clientId);
    for (const number of session.unsettled) {
      this.#receipts.get(number)?.cancel();
      this.#receipts.delete(number);
    }
    if (state === 'opening') return;
    const { listener } = this.#options;
    // Nobody is owed an acknowledgement for a will: its receipt is known to nobody, and settling it does nothing.
    if (will !== null && !arrived.guard.saidGoodbye) {
      listener({ kind: 'message', session: name, party, id, topic: 'gone', payload: will, receipt: ++this.#receipt });
    }
    listener({ kind: 'disconnected', session: name, party, id });
  }
}
