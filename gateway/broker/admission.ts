/** Strangers at the door: how many from one address, and for how long, before they have shown who they are. */
import type { Duplex } from 'node:stream';
import { LichenError } from '../../runtime/protocol/errors.ts';
import type { Clock } from '../../runtime/turn/clock.ts';

interface Stranger {
  network: string;
  cancel(): void;
}

/** What one party can be assumed to hold: an IPv4 address, or a /64 of IPv6 (RFC 6177). */
export const networkOf = (address: string): string => {
  if (address.includes('.')) return address.slice(address.lastIndexOf(':') + 1);
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].slice(0, 4).join(':');
};

export interface AdmissionOptions {
  clock: Clock;
  perNetwork: number;
  deadlineMs: number;
  refused(error: LichenError): void;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #strangers = new Map<string, Stranger>();
  readonly #counts = new Map<string, number>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** `from` is unique among open connections. False: one too many from there. */
  enter(socket: Duplex & { remoteAddress?: string | undefined }, from: string): boolean {
    const { clock, perNetwork, deadlineMs, refused } = this.#options;
    const network = networkOf(socket.remoteAddress ?? '');
    const count = this.#counts.get(network) ?? 0;
    if (count >= perNetwork) {
      refused(new LichenError('unavailable', `${from}: ${count} connections from there have not shown who they are`));
      return false;
    }
    const cancel = clock.after(deadlineMs, () => {
      refused(new LichenError('unavailable', `${from}: not accepted within ${deadlineMs} ms`));
      socket.destroy();
    });
    this.#counts.set(network, count + 1);
    this.#strangers.set(from, { network, cancel });
    socket.once('close', () => this.passed(from));
    return true;
  }

  /** Knows now who it is, or is gone. */
  passed(from: string): void {
    const stranger = this.#strangers.get(from);
    if (stranger === undefined) return;
    stranger.cancel();
    this.#strangers.delete(from);
    const count = (this.#counts.get(stranger.network) ?? 1) - 1;
    if (count === 0) this.#counts.delete(stranger.network);
    else this.#counts.set(stranger.network, count);
  }
}
