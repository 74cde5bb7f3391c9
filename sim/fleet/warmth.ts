/** How warm a board is and what it draws: each follows the other. */

import { Thermal } from '../hardware/cpu/thermal.ts';
import type { Power } from '../hardware/power.ts';
import type { Hardware } from '../hardware/profiles.ts';
import { Causes } from '../world/causes.ts';
import type { VirtualClock } from '../world/clock.ts';

export class Warmth {
  readonly thermal: Thermal;
  readonly #clock: VirtualClock;
  readonly #power: () => Power;
  readonly #heated = new Causes();
  #undo: () => void = () => {};

  constructor(clock: VirtualClock, hardware: Hardware, power: () => Power) {
    this.#clock = clock;
    this.#power = power;
    this.thermal = new Thermal(hardware, undefined, clock.nowMs);
  }

  /** It is switched on, or off. */
  power(on: boolean): void {
    this.thermal.power(this.#clock.nowMs, on);
    if (on) this.load(0);
    else this.#power().setLoad(this.#clock.nowMs, 0);
  }

  load(permille: number): void {
    this.thermal.load(this.#clock.nowMs, permille);
    this.#follow();
  }

  /** The air around it, until what it returns is called. */
  heat(airC: number): () => void {
    const end = this.#heated.begin(airC);
    this.#breathe();
    return () => {
      end();
      this.#breathe();
    };
  }

  #breathe(): void {
    this.thermal.heat(this.#clock.nowMs, this.#heated.worst);
    this.#follow();
  }

  /** It is taken out of the world. */
  end(): void {
    this.#undo();
  }

  /** What it draws, now and when it begins or ceases to be throttled. */
  #follow(): void {
    const { nowMs } = this.#clock;
    this.#undo();
    this.#power().setLoad(nowMs, this.thermal.watts(nowMs));
    const next = this.thermal.nextChange(nowMs);
    this.#undo = next === null ? () => {} : this.#clock.at(next, () => this.#follow());
  }
}
