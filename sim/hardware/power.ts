/**
 * What feeds a board: mains, a battery, or a battery under a panel; and what comes between, a wire that is cut and a
 * voltage that sags. Reading changes nothing: only what is told, and the turns that follow from it, move the state on,
 * so that a run is the same whoever looks at it.
 */
import type { PowerSpec } from '../scenario/scenario.ts';
import type { Chance } from '../world/chance.ts';
import { type Cell, type Charge, chargeAt, nextTurn } from './charge.ts';
import { DAY_MS, Sun } from './sun.ts';

/**
 * Of the battery's charge, whose 0 is where the controller disconnects the board: it connects it again only here.
 * EPsolar's controllers ask for at least 5 points between the two, Renogy's go by 11.1 and 12.6 V.
 */
export const RESTART_PERMILLE = 150;
/** While the voltage sags, a board comes up for so long and is reset again: the peak when programs start pulls it down. */
export const SAG_UP_MS = { least: 2000, most: 60_000 };
export const SAG_DOWN_MS = 1000;
/** `nextChange` looks no further. */
export const LOOKS_AHEAD_MS = 2 * DAY_MS;

const MJ_PER_WH = 3_600_000;

/** Since the beginning. Mains harvest what is spent and store nothing. */
export type Energy = Pick<Charge, 'storedMj' | 'harvestedMj' | 'spentMj' | 'spilledMj'>;

const cellOf = (spec: PowerSpec, startsMs: number, chance: Chance): Cell | null => {
  if (spec.kind === 'mains') return null;
  const capacityMj = spec.batteryWh * MJ_PER_WH;
  const sun = spec.kind === 'solar' ? new Sun(spec, startsMs, chance.fork('clouds')) : null;
  return { capacityMj, restartMj: (capacityMj * RESTART_PERMILLE) / 1000, sun };
};

export class Power {
  readonly #chance: Pick<Chance, 'between'>;
  /** Null on mains. */
  readonly #cell: Cell | null;
  #charge: Charge;
  /** Undefined: not looked for since the last change. */
  #turn: Charge | null | undefined;
  #loadW = 0;
  #cuts = 0;
  #sags = 0;
  #isSagDown = false;
  #sagTurnsMs = Number.POSITIVE_INFINITY;

  /** `startsMs`: wall time at simulated 0, for the sun. */
  constructor(spec: PowerSpec, startsMs: number, chance: Chance) {
    this.#chance = chance.fork('sag');
    this.#cell = cellOf(spec, startsMs, chance);
    const storedMj = spec.kind === 'mains' ? 0 : ((this.#cell?.capacityMj ?? 0) * spec.chargedPermille) / 1000;
    const isFed = spec.kind === 'mains' || storedMj > 0;
    this.#charge = { atMs: 0, isFed, storedMj, harvestedMj: 0, spentMj: 0, spilledMj: 0 };
  }

  on(atMs: number): boolean {
    this.#settle(atMs);
    return this.#isThrough() && this.#charge.isFed;
  }

  /** What the board takes while it is on; nothing is taken while it is off. */
  setLoad(atMs: number, watts: number): void {
    if (watts === this.#loadW) return;
    this.#stand(atMs);
    this.#loadW = watts;
  }

  /** The wire is open until as many `restore`s: of two cuts that overlap, the end of the later one counts. */
  cut(atMs: number): void {
    this.#stand(atMs);
    this.#cuts += 1;
  }

  restore(atMs: number): void {
    this.#stand(atMs);
    this.#cuts = Math.max(0, this.#cuts - 1);
  }

  /** The voltage sags: off at once, then on and off by chance until as many `steady`s. */
  sag(atMs: number): void {
    this.#stand(atMs);
    this.#sags += 1;
    if (this.#sags > 1) return;
    this.#isSagDown = true;
    this.#sagTurnsMs = atMs + SAG_DOWN_MS;
  }

  steady(atMs: number): void {
    this.#stand(atMs);
    this.#sags = Math.max(0, this.#sags - 1);
    if (this.#sags > 0) return;
    this.#isSagDown = false;
    this.#sagTurnsMs = Number.POSITIVE_INFINITY;
  }

  /**
   * The first moment after `atMs` at which `on` answers otherwise, as things are; where that is further away than
   * `LOOKS_AHEAD_MS` or hangs on chance, a moment before it at which to ask again. Null: never, unless something is told.
   */
  nextChange(atMs: number): number | null {
    const was = this.on(atMs);
    if (this.#cuts > 0) return null;
    const untilMs = Math.min(this.#sagTurnsMs, atMs + LOOKS_AHEAD_MS);
    const turnsMs = this.#isSagDown ? untilMs : this.#feedTurns(was, untilMs);
    return turnsMs ?? (Number.isFinite(this.#sagTurnsMs) ? untilMs : null);
  }

  /** Of the battery; 1000 on mains. */
  chargedPermille(atMs: number): number {
    return this.#cell === null ? 1000 : Math.floor((this.energy(atMs).storedMj * 1000) / this.#cell.capacityMj);
  }

  energy(atMs: number): Energy {
    this.#settle(atMs);
    const { storedMj, harvestedMj, spentMj, spilledMj } = this.#at(atMs);
    return { storedMj, harvestedMj, spentMj, spilledMj };
  }

  /** When the supply itself goes or comes; `untilMs` if not before; null: never. */
  #feedTurns(was: boolean, untilMs: number): number | null {
    if (this.#cell === null) return null;
    let turn = this.#next();
    while (turn !== null) {
      if (turn.atMs >= untilMs) return untilMs;
      if (turn.isFed !== was) return turn.atMs;
      turn = nextTurn(this.#cell, turn, this.#watts());
    }
    return null;
  }

  #isThrough(): boolean {
    return this.#cuts === 0 && !this.#isSagDown;
  }

  #watts(): number {
    return this.#isThrough() ? this.#loadW : 0;
  }

  #next(): Charge | null {
    if (this.#turn === undefined) this.#turn = this.#cell === null ? null : nextTurn(this.#cell, this.#charge, this.#watts());
    return this.#turn;
  }

  #at(atMs: number): Charge {
    const charge = this.#charge;
    if (this.#cell !== null) return chargeAt(this.#cell, charge, this.#watts(), atMs);
    const tookMj = this.#watts() * Math.max(0, atMs - charge.atMs);
    return { ...charge, atMs, harvestedMj: charge.harvestedMj + tookMj, spentMj: charge.spentMj + tookMj };
  }

  /** Lets everything turn that turns until this moment, inclusive. */
  #settle(atMs: number): void {
    for (;;) {
      const turn = this.#next();
      const turnsMs = turn?.atMs ?? Number.POSITIVE_INFINITY;
      if (Math.min(turnsMs, this.#sagTurnsMs) > atMs) return;
      if (turn !== null && turnsMs <= this.#sagTurnsMs) this.#charge = turn;
      else this.#sagTurn();
      this.#turn = undefined;
    }
  }

  #sagTurn(): void {
    this.#charge = this.#at(this.#sagTurnsMs);
    this.#isSagDown = !this.#isSagDown;
    this.#sagTurnsMs += this.#isSagDown ? SAG_DOWN_MS : this.#chance.between(SAG_UP_MS.least, SAG_UP_MS.most);
  }

  #stand(atMs: number): void {
    this.#settle(atMs);
    this.#charge = this.#at(atMs);
    this.#turn = undefined;
  }
}
