/**
 * Links to the other gateways. Of two the one with the smaller id dials, so that there is never one link too many, and
 * it goes on trying for as long as the peer is configured: a peer is never forgotten because it was silent.
 */
import type { Duplex } from 'node:stream';
import type { Identity } from '../../runtime/adapters/certificate.ts';
import { ALPN, type Dial } from '../../runtime/adapters/tls.ts';
import { type Bytes, equal } from '../../runtime/protocol/bytes.ts';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { PeerFrame } from '../../runtime/protocol/nouns/log.ts';
import type { GatewayEntry } from '../../runtime/protocol/nouns/trust.ts';
import type { Clock } from '../../runtime/turn/clock.ts';
import type { Entropy } from '../../runtime/turn/entropy.ts';
import type { Gatekeeper, PeerEvent, Peers } from '../service/doors.ts';
import { fullJitterMs } from './backoff.ts';
import { PeerLink } from './link.ts';

export interface PeerTimings {
  heartbeatMs: number;
  silenceMs: number;
  dialMs: number;
  backoffBaseMs: number;
  backoffCapMs: number;
}

/** Silent death is noticed within five seconds. */
export const PEER_TIMINGS: PeerTimings = { heartbeatMs: 2000, silenceMs: 5000, dialMs: 5000, backoffBaseMs: 500, backoffCapMs: 30_000 };

export interface PeerLinksOptions {
  /** This gateway. */
  identity: Identity;
  gatekeeper: Gatekeeper;
  listener(event: PeerEvent): void;
  dial: Dial;
  clock: Clock;
  entropy: Entropy;
  note(error: LichenError): void;
  prefix: string;
  timings: PeerTimings;
}

/** A gateway that this one dials. */
interface Dialling {
  entry: GatewayEntry;
  attempt: number;
  /** Undoes what is under way: a wait or a dial. */
  cancel(): void;
}

interface Open {
  session: string;
  gateway: string;
  link: PeerLink;
}

export class PeerLinks implements Peers {
  readonly #options: PeerLinksOptions;
  #reached = new Map<string, GatewayEntry>();
  readonly #dialling = new Map<string, Dialling>();
  readonly #open = new Map<string, Open>();
  readonly #bySession = new Map<string, Open>();
  #count = 0;
  #closed = false;

  constructor(options: PeerLinksOptions) {
    this.#options = options;
  }

  reach(gateways: GatewayEntry[]): void {
    if (this.#closed) return;
    const self = this.#options.identity.id;
    const wanted = new Map(gateways.filter(({ gateway }) => gateway !== self).map((entry) => [String(entry.gateway), entry]));
    const former = this.#reached;
    this.#reached = wanted;
    for (const gateway of [...this.#open.keys(), ...this.#dialling.keys()]) {
      if (!wanted.has(gateway)) this.#forget(gateway, 'no longer a peer');
    }
    for (const [gateway, entry] of former) {
      const now = wanted.get(gateway);
      // Another key is another gateway: the link that the former one opened is not to be trusted.
      if (now !== undefined && !equal(now.key, entry.key)) this.#forget(gateway, 'its key was rotated');
      else if (now !== undefined && now.address !== entry.address && !this.#open.has(gateway))
        this.#forget(gateway, 'its address has changed');
    }
    for (const [gateway, entry] of wanted) {
      const dialling = this.#dialling.get(gateway);
      if (dialling !== undefined) dialling.entry = entry;
      else if (self < gateway) this.#startDialling(entry);
    }
  }

  send(session: string, frame: PeerFrame): void {
    this.#bySession.get(session)?.link.send(frame);
  }

  drop(session: string, error: LichenError): void {
    this.#bySession.get(session)?.link.end(error);
  }

  /** A stream whose far end holds `key` and has dialled. `passed` is called once it is known for a peer. */
  accept(stream: Duplex, key: Bytes, passed: () => void): void {
    const known = this.#closed ? new LichenError('unavailable', 'closing') : this.#options.gatekeeper('gateway', null, key);
    const error = known instanceof LichenError ? known : this.#mayDialHere(known.id);
    if (known instanceof LichenError || error !== null) {
      if (error !== null) this.#options.note(error);
      stream.destroy();
      return;
    }
    passed();
    // The dialler has one link at most: if it dials again, the one before is dead and only this end does not know yet.
    this.#open.get(known.id)?.link.end(new LichenError('unavailable', 'the peer has dialled anew'));
    this.#up(known.id, stream);
  }

  close(): void {
    this.#closed = true;
    for (const gateway of [...this.#dialling.keys(), ...this.#open.keys()]) this.#forget(gateway, 'closing');
  }

  #mayDialHere(gateway: string): LichenError | null {
    const self = this.#options.identity.id;
    return gateway < self ? null : new LichenError('not-offered', `${gateway} dialled ${self}; of two gateways the smaller id dials`);
  }

  #forget(gateway: string, why: string): void {
    this.#dialling.get(gateway)?.cancel();
    this.#dialling.delete(gateway);
    this.#open.get(gateway)?.link.end(new LichenError('unavailable', why));
  }

  #startDialling(entry: GatewayEntry): void {
    const dialling: Dialling = { entry, attempt: 0, cancel: () => {} };
    this.#dialling.set(entry.gateway, dialling);
    this.#dial(dialling);
  }

  #dial(dialling: Dialling): void {
    const { dial, identity, timings, note } = this.#options;
    const { entry } = dialling;
    const target = { address: entry.address, alpn: ALPN.peer, identity, expectKey: entry.key, timeoutMs: timings.dialMs };
    dialling.cancel = dial(target, (result) => {
      if (this.#dialling.get(entry.gateway) !== dialling) {
        if (!(result instanceof LichenError)) result.stream.destroy();
        return;
      }
      if (!(result instanceof LichenError)) {
        this.#up(entry.gateway, result.stream);
        return;
      }
      note(new LichenError(result.code, `peer ${entry.gateway}: ${result.detail}`));
      this.#later(dialling);
    });
  }

  #later(dialling: Dialling): void {
    const { clock, entropy, timings } = this.#options;
    const waitMs = fullJitterMs(entropy, dialling.attempt++, timings.backoffBaseMs, timings.backoffCapMs);
    dialling.cancel = clock.after(waitMs, () => this.#dial(dialling));
  }

  #up(gateway: string, stream: Duplex): void {
    const { clock, timings, listener, prefix } = this.#options;
    const session = `${prefix}p${++this.#count}`;
    const openedMs = clock.now().monoMs;
    const link = new PeerLink({
      stream,
      clock,
      heartbeatMs: timings.heartbeatMs,
      silenceMs: timings.silenceMs,
      frame: (frame) => listener({ kind: 'peer-frame', session, gateway, frame }),
      ended: (error) => this.#down(open, error, clock.now().monoMs - openedMs),
    });
    const open: Open = { session, gateway, link };
    this.#open.set(gateway, open);
    this.#bySession.set(session, open);
    listener({ kind: 'peer-up', session, gateway });
  }

  #down(open: Open, error: LichenError, lastedMs: number): void {
    const { gateway, session } = open;
    this.#bySession.delete(session);
    if (this.#open.get(gateway) === open) this.#open.delete(gateway);
    this.#options.note(new LichenError(error.code, `peer ${gateway}: ${error.detail}`));
    this.#options.listener({ kind: 'peer-down', session, gateway });
    const dialling = this.#dialling.get(gateway);
    if (dialling === undefined || this.#closed) return;
    // A link that is refused as soon as it is up must not be dialled in a tight circle.
    if (lastedMs >= this.#options.timings.silenceMs) dialling.attempt = 0;
    this.#later(dialling);
  }
}
