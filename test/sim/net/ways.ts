import type { Paths } from '../../../sim/net/doors.ts';
import type { Chance } from '../../../sim/world/chance.ts';

/** Ways that a test bends by hand. */
export class Ways implements Paths {
  readonly #chance: Chance;
  readonly #now: () => number;
  /** `from>to` that lose everything. */
  readonly lost = new Set<string>();
  readonly deaf = new Set<string>();
  latencyMs = 20;
  jitterMs = 0;
  lossPermille = 0;
  bytesPerMs = 1000;
  /** Until when each direction is busy with what is ahead. */
  readonly #busyMs = new Map<string, number>();

  constructor(chance: Chance, now: () => number) {
    this.#chance = chance;
    this.#now = now;
  }

  passes(from: string, to: string): boolean {
    return !this.lost.has(`${from}>${to}`);
  }

  delayMs(from: string, to: string, bytes: number): number | null {
    if (!this.passes(from, to) || (this.lossPermille > 0 && this.#chance.bool(this.lossPermille))) return null;
    const nowMs = this.#now();
    const freeMs = Math.max(nowMs, this.#busyMs.get(`${from}>${to}`) ?? 0) + bytes / this.bytesPerMs;
    this.#busyMs.set(`${from}>${to}`, freeMs);
    return Math.ceil(freeMs - nowMs) + this.latencyMs + (this.jitterMs === 0 ? 0 : this.#chance.below(this.jitterMs));
  }

  repeats(): boolean {
    return false;
  }

  opens(from: string, to: string): boolean {
    return this.listens(to) && this.passes(from, to) && this.passes(to, from);
  }

  /** `from>to` that something captive takes connections on. */
  readonly captive = new Set<string>();

  swallows(from: string, to: string): boolean {
    return this.captive.has(`${from}>${to}`);
  }

  listens(id: string): boolean {
    return !this.deaf.has(id);
  }

  watch(): void {}

  cut(a: string, b: string): void {
    this.lost.add(`${a}>${b}`).add(`${b}>${a}`);
  }

  heal(): void {
    this.lost.clear();
  }
}
