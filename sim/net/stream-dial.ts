/**
 * Dialling over the paths of the virtual world: TCP's and TLS's handshakes, bytes apart from content. Nothing is
 * encrypted here, but the key is compared where TLS would have shown it.
 */
import type { Dial, Dialled, DialOptions } from '../../runtime/adapters/tls.ts';
import { equal } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { Net } from './lane.ts';
import { openPipe } from './pipe.ts';
import type { GatewayLife, Life } from './stream-life.ts';

/** A SYN and its answer; ClientHello; what the server says to it, most of it a certificate (RFC 8446 §2). */
const SYN_BYTES = 60;
const HELLO_BYTES = 400;
const CERTIFICATE_BYTES = 1100;
/** RFC 6298 §2: before anything has been measured. */
const FIRST_RETRY_MS = 1000;
/** Nothing binds to it: nobody pairs over these streams. */
const EXPORTER = new Uint8Array(32);

/** The newest life of the gateway that has this address. */
export type Find = (address: string) => GatewayLife | null;

class Attempt {
  readonly #net: Net;
  readonly #life: Life;
  readonly #find: Find;
  readonly #target: DialOptions;
  readonly #done: (result: Dialled | LichenError) => void;
  readonly #undo: () => void;
  #retryMs = FIRST_RETRY_MS;
  #isOver = false;

  constructor(net: Net, life: Life, find: Find, target: DialOptions, done: (result: Dialled | LichenError) => void) {
    this.#net = net;
    this.#life = life;
    this.#find = find;
    this.#target = target;
    this.#done = done;
    const late = () => this.#answer(new LichenError('unavailable', `${target.address} did not answer within ${target.timeoutMs} ms`));
    this.#undo = this.#later(target.timeoutMs, late);
    // Never before the dial has returned.
    net.clock.soon(() => this.#knock());
  }

  cancel(): void {
    this.#isOver = true;
    this.#undo();
  }

  #later(ms: number, call: () => void): () => void {
    const { clock } = this.#net;
    return clock.at(clock.nowMs + ms, () => {
      if (!this.#isOver && this.#life.isAlive()) call();
    });
  }

  #answer(result: Dialled | LichenError): void {
    this.cancel();
    this.#net.touch();
    this.#done(result);
  }

  /** There and back; null when either gets lost. */
  #roundMs(to: string, thereBytes: number, backBytes: number): number | null {
    const { paths } = this.#net;
    const thereMs = paths.delayMs(this.#life.at, to, thereBytes);
    const backMs = thereMs === null ? null : paths.delayMs(to, this.#life.at, backBytes);
    return thereMs === null || backMs === null ? null : thereMs + backMs;
  }

  #retry(step: () => void): void {
    this.#later(this.#retryMs, step);
    this.#retryMs *= 2;
  }

  #knock(): void {
    if (this.#isOver || !this.#life.isAlive()) return;
    const far = this.#find(this.#target.address);
    // Something on the way takes the connection, and nobody is behind it: what is left is to wait.
    if (far !== null && this.#net.paths.swallows(this.#life.at, far.at)) return;
    const roundMs = far === null || !far.host.answers() ? null : this.#roundMs(far.at, SYN_BYTES, SYN_BYTES);
    if (far === null || roundMs === null) return this.#retry(() => this.#knock());
    if (!far.isAlive() || !this.#net.paths.listens(far.at)) {
      this.#later(roundMs, () => this.#answer(new LichenError('unavailable', `${this.#target.address} refuses connections`)));
      return;
    }
    if (!this.#net.paths.opens(this.#life.at, far.at)) return this.#retry(() => this.#knock());
    this.#retryMs = FIRST_RETRY_MS;
    this.#later(roundMs, () => this.#greet(far));
  }

  /** Where a connection opens and then nothing is heard, it is here that nothing is heard. */
  #greet(far: GatewayLife): void {
    const roundMs = this.#roundMs(far.at, HELLO_BYTES, CERTIFICATE_BYTES);
    if (roundMs === null) this.#retry(() => this.#greet(far));
    else this.#later(roundMs, () => this.#open(far));
  }

  #open(far: GatewayLife): void {
    const { address, alpn, expectKey } = this.#target;
    if (!far.isAlive()) return this.#answer(new LichenError('unavailable', `${address} closed the connection`));
    if (!equal(far.key, expectKey))
      return this.#answer(new LichenError('pin-mismatch', `${address} shows another key than the one pinned`));
    const { key } = this.#life;
    const { near, far: other } = openPipe(this.#net, this.#life.host, far.host, (stream) => far.accept({ stream, key, alpn }));
    this.#life.hold(near);
    far.hold(other);
    this.#answer({ stream: near, exporter: EXPORTER });
  }
}

export const dialFrom =
  (net: Net, life: Life, find: Find): Dial =>
  (target, done) => {
    const attempt = new Attempt(net, life, find, target, done);
    return () => attempt.cancel();
  };
