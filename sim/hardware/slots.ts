/**
 * Two system slots of which one is booted. A new system is tried for a number of boots (Raspberry Pi's tryboot: one;
 * systemd-boot counts down, automatic boot assessment: usually three) and is kept only when it was confirmed; else the
 * old one is booted again. A part for tests of images and firmware: the runtime has no engine for system updates yet, so
 * no fault of a scenario reaches it.
 */

export type Slot = 'a' | 'b';

export class Slots {
  #confirmed: Slot = 'a';
  #booted: Slot = 'a';
  #triesLeft = 0;

  get booted(): Slot {
    return this.#booted;
  }

  /** What is booted when nothing is being tried. */
  get confirmed(): Slot {
    return this.#confirmed;
  }

  /** The other one, which a new system may be written to. */
  get spare(): Slot {
    return this.#confirmed === 'a' ? 'b' : 'a';
  }

  get triesLeft(): number {
    return this.#triesLeft;
  }

  /** A new system is in the spare slot: try it at the next `tries` boots. */
  try(tries = 1): void {
    this.#triesLeft = tries;
  }

  /** Power on or a restart. The try is counted before anything of the new system runs, so that one that hangs is over, too. */
  boot(): Slot {
    if (this.#triesLeft > 0) {
      this.#triesLeft -= 1;
      this.#booted = this.spare;
    } else {
      this.#booted = this.#confirmed;
    }
    return this.#booted;
  }

  /** The system that runs is well. */
  confirm(): void {
    this.#confirmed = this.#booted;
    this.#triesLeft = 0;
  }
}
