/**
 * How long a message takes over one direction of a link, as TCP carries it: bytes leave one after the other at the
 * link's rate, take its latency, and a lost packet comes only after a retransmission time-out; what was sent later waits
 * for it, since TCP delivers in order. Losses are drawn per round of a message, not per packet, so that a message costs
 * the same however long it is.
 */
import type { LinkSpec } from '../scenario/scenario.ts';
import type { Chance } from '../world/chance.ts';

/** What an Ethernet frame leaves TCP with timestamps. */
const SEGMENT_BYTES = 1448;
const HEADER_BYTES = 52;
/** RFC 6298 §2.4 says a second; Linux 200 ms (TCP_RTO_MIN), and boards and gateways run Linux. */
export const RTO_LEAST_MS = 200;
/** TCP_RTO_MAX. */
export const RTO_MOST_MS = 120_000;
/** net.ipv4.tcp_retries2: with the least time-out 924.6 s, after which the kernel gives the connection up. */
export const RETRIES_MOST = 15;

export class Radio {
  readonly #spec: LinkSpec;
  readonly #bytesPerMs: number;
  readonly #timeoutMs: number;
  readonly #lossShare: number;
  /** Natural logarithm of the chance that one packet gets through. */
  readonly #logThrough: number;
  #freeAtMs = 0;
  #arrivesMs = 0;

  constructor(spec: LinkSpec) {
    this.#spec = spec;
    this.#bytesPerMs = spec.bytesPerS / 1000;
    this.#lossShare = Math.min(1, spec.lossPermille / 1000);
    this.#logThrough = Math.log(1 - this.#lossShare);
    // RFC 6298 §2: SRTT + 4 × RTTVAR. The way back is alike; a uniform jitter strays by a quarter of its width on average.
    const roundTripMs = 2 * spec.latencyMs + spec.jitterMs;
    this.#timeoutMs = Math.max(RTO_LEAST_MS, roundTripMs + 2 * spec.jitterMs);
  }

  /** From now to its arrival, whole ms. Never less than what arrives of anything that was sent before. */
  delayMs(atMs: number, bytes: number, chance: Pick<Chance, 'unit'>): number {
    const packets = Math.max(1, Math.ceil(bytes / SEGMENT_BYTES));
    this.#freeAtMs = Math.max(this.#freeAtMs, atMs) + (bytes + packets * HEADER_BYTES) / this.#bytesPerMs;
    const wayMs = this.#spec.latencyMs + this.#spec.jitterMs * chance.unit();
    this.#arrivesMs = Math.max(this.#arrivesMs, this.#freeAtMs + wayMs + this.#waitsMs(packets, chance));
    return Math.ceil(this.#arrivesMs - atMs);
  }

  /** A new connection: nothing of the old one is still to come. */
  reset(atMs: number): void {
    this.#freeAtMs = atMs;
    this.#arrivesMs = atMs;
  }

  #waitsMs(packets: number, chance: Pick<Chance, 'unit'>): number {
    if (this.#lossShare === 0) return 0;
    let waitsMs = 0;
    let timeoutMs = this.#timeoutMs;
    let missing = packets;
    for (let tries = 0; tries <= RETRIES_MOST; tries++) {
      if (chance.unit() < Math.exp(missing * this.#logThrough)) break;
      waitsMs += timeoutMs;
      timeoutMs = Math.min(RTO_MOST_MS, timeoutMs * 2);
      missing = Math.max(1, Math.round(missing * this.#lossShare));
    }
    return waitsMs;
  }
}
