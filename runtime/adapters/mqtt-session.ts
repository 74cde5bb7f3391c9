/**
 * One MQTT session from connect to close over a stream that is ready, by mqtt.js; shared by a board's link and a
 * tenant's push. No reconnecting (a fixed second without jitter brings a whole fleet back at once), no queue, no
 * retained state: whoever opens it owns the outbox and the back-off.
 */
import type { Duplex } from 'node:stream';
import { MqttClient } from 'mqtt';
import type { Bytes } from '../protocol/bytes.ts';
import { LichenError, unadmitted } from '../protocol/errors.ts';
import { encodeAs } from '../protocol/noun.ts';
import { gone } from '../protocol/nouns/messages.ts';
import { type Party, parseTopic, TOPICS, type TopicName, topicOf } from '../protocol/topics.ts';
import { HeaderScanner } from './mqtt-header.ts';

export interface MqttSessionOptions {
  /** Nothing has been read from it or written to it. */
  stream: Duplex;
  party: Party;
  /** The board's or tenant's id: the topics are its own. */
  id: string;
  clientId: string;
  /** A gateway that falls silent is noticed after 0.5 to 1.5 of it. Whole seconds: MQTT has no finer. */
  keepaliveS: number;
  /** For CONNACK and the subscriptions. */
  timeoutMs: number;
}

export interface MqttSessionEvents {
  /** Connected and subscribed to each of its `down` topics. */
  ready(): void;
  message(topic: TopicName, payload: Bytes): void;
  /** Once, last, unless `close` was called. */
  ended(error: LichenError): void;
}

const DISCONNECT = Uint8Array.from([0xe0, 0]);
/** How long a DISCONNECT may take to leave before the stream is cut. */
const FAREWELL_MS = 1000;

const REFUSED: Record<number, LichenError> = {
  1: new LichenError('version-unsupported', 'the gateway speaks another version of MQTT'),
  2: new LichenError('not-paired', 'the gateway refuses this client id for this key'),
  3: new LichenError('unavailable', 'the gateway takes no sessions now'),
  5: new LichenError('not-paired', 'the gateway refuses this key'),
};

/** CONNACK return codes (MQTT 3.1.1 §3.2.2.3) come as `code`; codes of sockets are words. */
const reasonOf = (thrown: Error, party: Party): LichenError => {
  const refused = 'code' in thrown && typeof thrown.code === 'number' ? REFUSED[thrown.code] : undefined;
  if (party === 'tenant' && refused?.code === 'not-paired') return unadmitted('the gateway takes no tenant with this key');
  return refused ?? new LichenError('unavailable', thrown.message);
};

const downTopics = (party: Party): TopicName[] =>
  (Object.keys(TOPICS) as TopicName[]).filter((topic) => TOPICS[topic].party === party && TOPICS[topic].direction === 'down');

export class MqttSession {
  readonly #options: MqttSessionOptions;
  readonly #events: MqttSessionEvents;
  readonly #client: MqttClient;
  readonly #timer: NodeJS.Timeout;
  #state: 'opening' | 'ready' | 'over' = 'opening';
  #reason: LichenError | null = null;

  constructor(options: MqttSessionOptions, events: MqttSessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#refuseOversize(options.stream);
    this.#client = this.#connect();
    this.#client.once('connect', () => this.#subscribe());
    this.#client.on('message', (address, payload) => this.#message(address, payload));
    this.#client.on('error', (thrown) => this.#fail(reasonOf(thrown, options.party)));
    this.#client.once('close', () => this.#fail(new LichenError('unavailable', 'the gateway closed the connection')));
    this.#timer = setTimeout(() => this.#fail(new LichenError('unavailable', 'the gateway did not answer in time')), options.timeoutMs);
  }

  /** Dropped unless ready. `acked` is called for QoS 1 once the gateway has acknowledged. */
  publish(topic: TopicName, payload: Bytes, acked: () => void = () => {}): void {
    if (this.#state !== 'ready') return;
    const body = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    const address = topicOf(topic, this.#options.id);
    this.#client.publish(address, body, { qos: TOPICS[topic].qos }, (thrown) => {
      if (thrown === undefined || thrown === null) acked();
    });
  }

  /** Says goodbye, so that no last will is spoken; no event follows. */
  close(): void {
    if (this.#state === 'over') return;
    const { stream } = this.#options;
    const wasReady = this.#state === 'ready';
    this.#over();
    if (!wasReady) {
      this.#client.end(true);
      return;
    }
    // mqtt.js would wait for every PUBACK that is owed before it says DISCONNECT.
    const cut = setTimeout(() => this.#client.end(true), FAREWELL_MS);
    stream.once('close', () => clearTimeout(cut));
    stream.end(DISCONNECT, () => this.#client.end(true));
  }

  #connect(): MqttClient {
    const { stream, party, id, clientId, keepaliveS, timeoutMs } = this.#options;
    const payload = Buffer.from(encodeAs(gone, { v: 1 }, 'gone'));
    const will = { topic: topicOf('gone', id), payload, qos: 1, retain: false } as const;
    return new MqttClient(() => stream, {
      clientId,
      protocolVersion: 4,
      clean: true,
      keepalive: keepaliveS,
      // Else each PUBACK puts the next ping off, and a gateway that dies after it is noticed a keep alive later.
      reschedulePings: false,
      connectTimeout: timeoutMs,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // mqtt-packet would build 65,536 buffers in advance.
      writeCache: false,
      ...(party === 'board' ? { will } : {}),
    });
  }

  /** Runs before mqtt.js sees the chunk, as this listener was there first. */
  #refuseOversize(stream: Duplex): void {
    const scanner = new HeaderScanner('server');
    stream.on('data', (chunk: Bytes) => {
      const error = this.#state === 'over' ? null : scanner.scan(chunk);
      if (error !== null) this.#fail(error);
    });
  }

  #subscribe(): void {
    const { party, id } = this.#options;
    const wanted = downTopics(party).map((topic) => [topicOf(topic, id), { qos: TOPICS[topic].qos }] as const);
    this.#client.subscribe(Object.fromEntries(wanted), (thrown) => {
      if (this.#state !== 'opening') return;
      if (thrown) {
        this.#fail(this.#reason ?? new LichenError('foreign-topic', `a subscription was refused: ${thrown.message}`));
        return;
      }
      clearTimeout(this.#timer);
      this.#state = 'ready';
      this.#events.ready();
    });
  }

  #message(address: string, payload: Buffer): void {
    const parsed = parseTopic(address);
    const { party, id } = this.#options;
    if (this.#state !== 'ready' || parsed === null || parsed.party !== party || parsed.id !== id) return;
    const topic = TOPICS[parsed.topic];
    if (topic.direction !== 'down' || payload.length > topic.maxBytes) return;
    this.#events.message(parsed.topic, new Uint8Array(payload.buffer, payload.byteOffset, payload.length));
  }

  /** The first reason counts: what follows is only how the stream came down. */
  #fail(reason: LichenError): void {
    if (this.#state === 'over') return;
    this.#over();
    this.#reason = reason;
    this.#client.end(true);
    this.#events.ended(reason);
  }

  #over(): void {
    this.#state = 'over';
    clearTimeout(this.#timer);
  }
}
