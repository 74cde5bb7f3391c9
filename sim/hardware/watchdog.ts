/** A hardware watchdog: once armed, it restarts the board unless it is petted in time (linux/watchdog.h; WDIOC_SETTIMEOUT). */

/** As the image does it (firmware-images/board-files/boot): a process of its own pets it, not the runtime. */
export const ARMED_FOR_MS = 60_000;
export const PETTED_EVERY_MS = 5000;

export class Watchdog {
  readonly #longestMs: number;
  #timeoutMs: number | null = null;
  #pettedMs = 0;

  /** `longestMs`: what the hardware can count to, `watchdogMs` of the profile. */
  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  /** The time-out that it got: never more than the hardware can count. */
  arm(atMs: number, timeoutMs: number): number {
    this.#timeoutMs = Math.min(timeoutMs, this.#longestMs);
    this.#pettedMs = atMs;
    return this.#timeoutMs;
  }

  /** After it has bitten this is too late. */
  pet(atMs: number): void {
    if (!this.bitten(atMs)) this.#pettedMs = atMs;
  }

  /** Closed in order (the magic `V`), or without power. */
  disarm(): void {
    this.#timeoutMs = null;
  }

  /** When it bites if nobody pets it; null: not armed. */
  bitesAtMs(): number | null {
    return this.#timeoutMs === null ? null : this.#pettedMs + this.#timeoutMs;
  }

  /** When it bites if who pets it all the time, as the image does, stops at this moment; nobody is woken for that until then. Null: not armed. */
  bitesOnceStopped(atMs: number): number | null {
    if (this.#timeoutMs === null) return null;
    const pets = Math.floor((atMs - this.#pettedMs) / PETTED_EVERY_MS);
    return this.#pettedMs + pets * PETTED_EVERY_MS + this.#timeoutMs;
  }

  bitten(atMs: number): boolean {
    const bites = this.bitesAtMs();
    return bites !== null && atMs >= bites;
  }
}
