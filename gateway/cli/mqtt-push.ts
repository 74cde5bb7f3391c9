/** A tenant's push over MQTT: what any MQTT client can do too, with the answers put to what they answer. */
import { identityFromSeed } from '../../runtime/adapters/certificate.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { publishBytes } from '../../runtime/adapters/mqtt-header.ts';
import { MqttSession } from '../../runtime/adapters/mqtt-session.ts';
import { ALPN, type Dialled, dial } from '../../runtime/adapters/tls.ts';
import { type Bytes, hex } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs } from '../../runtime/protocol/noun.ts';
import { type Answer, answer } from '../../runtime/protocol/nouns/messages.ts';
import { TOPICS, topicOf } from '../../runtime/protocol/topics.ts';

export interface PushOptions {
  /** `host:port` of the gateway. */
  address: string;
  /** The key that the gateway must hold. */
  gatewayKey: Bytes;
  tenant: string;
  /** The tenant's private key. */
  seed: Bytes;
  /** For connecting, and again for each answer. */
  timeoutMs: number;
  /** Tells several clients of one tenant apart; a client under the same name takes over. a-z, 0-9, -, at most 32. */
  suffix?: string;
  /** Default 10. */
  keepaliveS?: number;
}

export interface Push {
  /** What the gateway made of the pushed document. Errors: `too-large`, `unavailable`. */
  push(payload: Bytes): Promise<Answer>;
  close(): void;
}

interface Waiting {
  resolve(value: Answer): void;
  reject(error: LichenError): void;
}

class PushSession implements Push {
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #tenant: string;
  readonly #timeoutMs: number;
  readonly #session: MqttSession;
  #ended: LichenError | null = null;
  readonly ready: Promise<void>;

  constructor({ tenant, suffix, keepaliveS = 10, timeoutMs }: PushOptions, { stream }: Dialled) {
    this.#tenant = tenant;
    this.#timeoutMs = timeoutMs;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    const clientId = suffix === undefined ? tenant : `${tenant}-${suffix}`;
    this.#session = new MqttSession(
      { stream, party: 'tenant', id: tenant, clientId, keepaliveS, timeoutMs },
      {
        ready: resolve,
        message: (_topic, payload) => this.#answered(payload),
        ended: (error) => {
          reject(error);
          this.#end(error);
        },
      },
    );
  }

  async push(payload: Bytes): Promise<Answer> {
    const bytes = publishBytes(topicOf('push', this.#tenant), payload.length, TOPICS.push.qos);
    if (bytes > LIMITS.packetBytes)
      throw new LichenError('too-large', `a push of ${bytes} bytes; at most ${LIMITS.packetBytes} are allowed`);
    if (this.#ended !== null) throw this.#ended;
    const of = hex(nodeCrypto.sha256(payload));
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const waiting = { resolve, reject };
    this.#waiting.set(of, [...(this.#waiting.get(of) ?? []), waiting]);
    const timer = setTimeout(() => reject(new LichenError('unavailable', `no answer within ${this.#timeoutMs} ms`)), this.#timeoutMs);
    this.#session.publish('push', payload);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      const rest = (this.#waiting.get(of) ?? []).filter((one) => one !== waiting);
      if (rest.length > 0) this.#waiting.set(of, rest);
      else this.#waiting.delete(of);
    }
  }

  close(): void {
    this.#session.close();
    this.#end(new LichenError('unavailable', 'closed'));
  }

  #answered(payload: Bytes): void {
    try {
      const value = decodeAs(answer, payload, 'answer');
      for (const { resolve } of this.#waiting.get(hex(value.of)) ?? []) resolve(value);
    } catch (thrown) {
      if (!(thrown instanceof LichenError)) throw thrown;
      // Nothing says which push it was about: all of them would wait in vain.
      this.#session.close();
      this.#end(thrown);
    }
  }

  #end(error: LichenError): void {
    this.#ended ??= error;
    for (const list of this.#waiting.values()) for (const { reject } of list) reject(error);
  }
}

/** Errors: those of `dial`; `unknown-key` when the gateway does not know this tenant or key. */
export const openPush = async (options: PushOptions): Promise<Push> => {
  const { address, gatewayKey, tenant, seed, timeoutMs } = options;
  const target = { address, alpn: ALPN.mqtt, identity: identityFromSeed(seed, tenant), expectKey: gatewayKey, timeoutMs };
  const dialled = await new Promise<Dialled>((resolve, reject) => {
    dial(target, (result) => (result instanceof LichenError ? reject(result) : resolve(result)));
  });
  const session = new PushSession(options, dialled);
  await session.ready;
  return session;
};
