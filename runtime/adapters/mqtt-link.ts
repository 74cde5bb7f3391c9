/** The link door by MQTT over TLS: one session at a time, and only the newest dial is ever heard of. */
import type { Duplex } from 'node:stream';
import type { Link, LinkEvent } from '../ports/link.ts';
import type { Bytes } from '../protocol/bytes.ts';
import { LichenError } from '../protocol/errors.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { GatewayEntry } from '../protocol/nouns/trust.ts';
import type { TopicName } from '../protocol/topics.ts';
import type { Identity } from './certificate.ts';
import { MqttSession } from './mqtt-session.ts';
import { ALPN, type Dial, dial } from './tls.ts';

export interface MqttLinkOptions {
  /** Its id is the board's. */
  identity: Identity;
  /** Default 10. */
  keepaliveS?: number;
  /** For TCP and TLS, and again for CONNACK and subscriptions. Default 10 s. */
  timeoutMs?: number;
  /** Default: TLS. */
  dial?: Dial;
}

/** A dial goes there and back four times, a ping once. */
const PING_SHARE = 4;

/** One attempt and the session that came of it. */
interface Call {
  gateway: GatewayEntry;
  session: MqttSession | null;
  hangUp(): void;
}

export class MqttLink implements Link {
  readonly #options: Required<MqttLinkOptions>;
  readonly #listeners: ((event: LinkEvent) => void)[] = [];
  #call: Call | null = null;

  constructor(options: MqttLinkOptions) {
    this.#options = { keepaliveS: 10, timeoutMs: 10_000, dial, ...options };
  }

  watch(listener: (event: LinkEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** What this replaces ends without an event of its own: whoever dials knows. */
  dial(gateway: GatewayEntry, patienceMs?: number): void {
    this.hangUp();
    const { identity } = this.#options;
    const timeoutMs = patienceMs ?? this.#options.timeoutMs;
    const call: Call = { gateway, session: null, hangUp: () => {} };
    this.#call = call;
    const target = { address: gateway.address, alpn: ALPN.mqtt, identity, expectKey: gateway.key, timeoutMs };
    call.hangUp = this.#options.dial(target, (result) => {
      if (this.#call !== call) {
        if (!(result instanceof LichenError)) result.stream.destroy();
        return;
      }
      if (result instanceof LichenError) this.#ended(call, result);
      else this.#open(call, result.stream, timeoutMs);
    });
  }

  publish(topic: TopicName, payload: Bytes): void {
    this.#call?.session?.publish(topic, payload);
  }

  hangUp(): void {
    const call = this.#call;
    this.#call = null;
    call?.hangUp();
    call?.session?.close();
  }

  #open(call: Call, stream: Duplex, timeoutMs: number): void {
    const { identity } = this.#options;
    // Whoever waits long for an answer gives it time when it asks whether anybody is there, too.
    const keepaliveS = Math.min(LIMITS.keepaliveMaxS, Math.max(this.#options.keepaliveS, Math.ceil(timeoutMs / PING_SHARE / 1000)));
    const tell = (event: LinkEvent): void => {
      if (this.#call === call) this.#tell(event);
    };
    call.session = new MqttSession(
      { stream, party: 'board', id: identity.id, clientId: identity.id, keepaliveS, timeoutMs },
      {
        ready: () => tell({ kind: 'linked', gateway: call.gateway }),
        message: (topic, payload) => tell({ kind: 'message', topic, payload }),
        ended: (error) => this.#ended(call, error),
      },
    );
  }

  #ended(call: Call, error: LichenError): void {
    if (this.#call !== call) return;
    this.#call = null;
    this.#tell({ kind: 'unlinked', gateway: call.gateway, error });
  }

  #tell(event: LinkEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
