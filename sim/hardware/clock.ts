/**
 * The clocks of a board. The monotonic one runs by a quartz that is some parts per million off (a Pi's is within some
 * tens; blog.remibergsma.com, 2013-05-12). The wall clock runs along with it, jumps when it is set, and without an RTC
 * wakes at the moment that was last saved: at a clean shutdown and each hour (fake-hwclock(8)).
 */
import type { ClockSpec } from '../scenario/scenario.ts';

/** fake-hwclock's cron job. */
export const SAVE_EVERY_MS = 3_600_000;

const MILLION = 1_000_000;

export class BoardClock {
  readonly #driftPpm: number;
  readonly #hasRtc: boolean;
  /** A moment at which `#wall` was right; from it on the wall clock goes with the quartz. */
  #atMs: number;
  #wall: number;
  #bootAtMs: number;
  #isUp = true;
  #savedMs: number;
  #savedAtMs: number;

  /** `imageMs`: what a board without an RTC believes when it is first switched on, the wall time at which its image was made. */
  constructor(spec: ClockSpec, startsMs: number, imageMs: number = startsMs, atMs = 0) {
    this.#driftPpm = spec.driftPpm;
    this.#hasRtc = spec.rtc;
    this.#atMs = atMs;
    this.#wall = spec.rtc ? startsMs + atMs : imageMs;
    this.#bootAtMs = atMs;
    this.#savedMs = this.#wall;
    this.#savedAtMs = atMs;
  }

  wallMs(atMs: number): number {
    return Math.floor(this.#wall + this.#gone(atMs - this.#atMs));
  }

  /** Since this boot; never goes back. */
  monoMs(atMs: number): number {
    return Math.floor(this.#gone(atMs - this.#bootAtMs));
  }

  /** How long, in true ms, until this board's clock has gone on by `ms`. */
  lastsMs(ms: number): number {
    return Math.ceil((ms * MILLION) / (MILLION + this.#driftPpm));
  }

  /** Without a clean shutdown only what the hourly job saved is left. */
  powerDown(atMs: number, how: 'cut' | 'clean'): void {
    if (!this.#isUp) return;
    if (how === 'clean') this.save(atMs);
    else this.#saveHourly(atMs);
    this.#isUp = false;
  }

  powerUp(atMs: number): void {
    // The RTC has a quartz of the same make.
    this.#wall = this.#hasRtc ? this.#wall + this.#gone(atMs - this.#atMs) : this.#savedMs;
    this.#atMs = atMs;
    this.#bootAtMs = atMs;
    this.#savedAtMs = atMs;
    this.#isUp = true;
  }

  save(atMs: number): void {
    this.#savedMs = this.wallMs(atMs);
    this.#savedAtMs = atMs;
  }

  jump(atMs: number, byMs: number): void {
    this.set(atMs, this.wallMs(atMs) + byMs);
  }

  /** As an anchor or a time server says. */
  set(atMs: number, wallMs: number): void {
    this.#saveHourly(atMs);
    this.#wall = wallMs;
    this.#atMs = atMs;
  }

  /** What this quartz counts in so many true ms. A product of whole numbers before the division: no rounding adds up. */
  #gone(trueMs: number): number {
    return trueMs + (trueMs * this.#driftPpm) / MILLION;
  }

  /** The saves of the hours since the last one, of which only the newest matters; nobody has to wake up for them. */
  #saveHourly(atMs: number): void {
    const hours = Math.floor((atMs - this.#savedAtMs) / SAVE_EVERY_MS);
    if (hours > 0 && this.#isUp) this.save(this.#savedAtMs + hours * SAVE_EVERY_MS);
  }
}
