/**
 * Watching a log over MQTT: one question after another, each answered once, so that whoever reads slowly is sent nothing that
 * it did not ask for. After a break it asks on from where it was.
 */
import { identityFromSeed } from '../../runtime/adapters/certificate.ts';
import { nodeCrypto } from '../../runtime/adapters/crypto.ts';
import { kernelEntropy } from '../../runtime/adapters/entropy.ts';
import { boxPair, openBox } from '../../runtime/adapters/hpke.ts';
import { MqttSession } from '../../runtime/adapters/mqtt-session.ts';
import { ALPN, type Dialled, dial } from '../../runtime/adapters/tls.ts';
import { type Bytes, equal, utf8 } from '../../runtime/protocol/bytes.ts';
import type { Signer } from '../../runtime/protocol/crypto.ts';
import { asLichenError, LichenError } from '../../runtime/protocol/errors.ts';
import { fingerprint, type LeaseId, type TenantId } from '../../runtime/protocol/ids.ts';
import { LIMITS } from '../../runtime/protocol/limits.ts';
import { decodeAs, seal } from '../../runtime/protocol/noun.ts';
import { LOG_INFO, type LogFrame, type LogText, logFrame, logText, watchNoun } from '../../runtime/protocol/nouns/watch.ts';
import { toldError } from './client.ts';

export interface WatchOptions {
  /** `host:port` of the gateway that its board is at home at. */
  address: string;
  gatewayKey: Bytes;
  key: { seed: Bytes; signer: Signer };
  name: string;
  index: number;
  tailBytes: number;
  /** Goes on for ever, through breaks; else until nothing more is there. */
  follow: boolean;
  /** Every part as it comes, the board's text unlooked at. */
  take(part: LogText): void;
  /** Of a break, to people. */
  broken(error: LichenError): void;
  /** For connecting, and beyond what the board waits for an answer. */
  timeoutMs: number;
  /** Between two tries, the first one; it doubles. */
  retryMs: number;
}

const RETRY_MAX_MS = 30_000;

interface Question {
  of: Bytes;
  resolve(frame: LogFrame): void;
  reject(error: LichenError): void;
}

/** One connection; it ends with the first thing that goes wrong. */
class Line {
  readonly #session: MqttSession;
  readonly #timeoutMs: number;
  #question: Question | null = null;
  #ended: LichenError | null = null;
  readonly ready: Promise<void>;

  constructor({ timeoutMs }: WatchOptions, tenant: string, { stream }: Dialled) {
    this.#timeoutMs = timeoutMs;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#session = new MqttSession(
      { stream, party: 'tenant', id: tenant, clientId: `${tenant}-logs-${process.pid}`, keepaliveS: 10, timeoutMs },
      {
        ready: resolve,
        message: (topic, payload) => topic === 'lines' && this.#heard(payload),
        ended: (error) => {
          this.#end(error);
          reject(error);
        },
      },
    );
  }

  ask(document: Bytes, waitMs: number): Promise<LogFrame> {
    const { promise, resolve, reject } = Promise.withResolvers<LogFrame>();
    if (this.#ended !== null) reject(this.#ended);
    this.#question = { of: nodeCrypto.sha256(document), resolve, reject };
    const late = setTimeout(() => this.#end(new LichenError('unavailable', 'no answer in time')), waitMs + this.#timeoutMs);
    this.#session.publish('watch', document);
    return promise.finally(() => clearTimeout(late));
  }

  close(): void {
    this.#session.close();
  }

  #heard(payload: Bytes): void {
    try {
      const frame = decodeAs(logFrame, payload, 'lines');
      if (this.#question !== null && equal(frame.of, this.#question.of)) this.#question.resolve(frame);
    } catch (thrown) {
      this.#end(asLichenError(thrown));
    }
  }

  #end(error: LichenError): void {
    this.#ended ??= error;
    this.#question?.reject(error);
  }
}

const connect = async (options: WatchOptions, tenant: string): Promise<Line> => {
  const { address, gatewayKey, key, timeoutMs } = options;
  const target = { address, alpn: ALPN.mqtt, identity: identityFromSeed(key.seed, tenant), expectKey: gatewayKey, timeoutMs };
  const dialled = await new Promise<Dialled>((resolve, reject) => {
    dial(target, (result) => (result instanceof LichenError ? reject(result) : resolve(result)));
  });
  const line = new Line(options, tenant, dialled);
  await line.ready;
  return line;
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

class Watcher {
  readonly #options: WatchOptions;
  readonly #tenant: TenantId;
  /** Made for this watching, forgotten with it. */
  readonly #box = boxPair(kernelEntropy.bytes(32));
  #lease: LeaseId | null = null;
  #from: number | null = null;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#tenant = fingerprint<TenantId>(nodeCrypto, options.key.signer.publicKey);
  }

  /** Until there is nothing more, or something goes wrong. */
  async once(moved: () => void): Promise<void> {
    const line = await connect(this.#options, this.#tenant);
    try {
      for (;;) {
        const part = await this.#ask(line);
        moved();
        if (part.text.length === 0 && !this.#options.follow) return;
        this.#options.take(part);
      }
    } finally {
      line.close();
    }
  }

  async #ask(line: Line): Promise<LogText> {
    const { key, name, index, tailBytes, follow } = this.#options;
    const waitMs = follow ? LIMITS.watchWaitMs : 0;
    const asked = { v: 1 as const, tenant: this.#tenant, name, index, lease: this.#lease, from: this.#from, tailBytes, waitMs };
    const { of, refusal, box } = await line.ask(seal(watchNoun, { ...asked, to: this.#box.publicKey }, key.signer), waitMs);
    if (refusal !== null) throw toldError({ ...refusal, says: '' });
    if (box === null) throw new LichenError('bad-schema', 'an answer without anything in it');
    const part = decodeAs(logText, openBox(this.#box, utf8(LOG_INFO), of, box), 'log');
    this.#lease = part.lease;
    this.#from = part.next;
    return part;
  }
}

/** Errors: what gateway or board refuse with; `unavailable` is waited out when it follows. */
export const watchLog = async (options: WatchOptions): Promise<void> => {
  const watcher = new Watcher(options);
  let waitMs = options.retryMs;
  for (;;) {
    try {
      return await watcher.once(() => {
        waitMs = options.retryMs;
      });
    } catch (thrown) {
      const error = asLichenError(thrown);
      if (!options.follow || error.code !== 'unavailable') throw error;
      options.broken(error);
      await pause(waitMs);
      waitMs = Math.min(2 * waitMs, RETRY_MAX_MS);
    }
  }
};
